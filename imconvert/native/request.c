#include "request.h"

#include "block.h"

#include <string.h>

static int seen(const Fields *fields, int field)
{
    return (fields->seen >> field) & 1;
}

static int add(Out *out, Span bytes)
{
    if (!out_reserve(out, bytes.size))
        return -1;
    out_add(out, bytes.data, bytes.size);
    return 1;
}

static int find(Span text, Span wanted)
{
    return block_behind((const char *)text.data, (Py_ssize_t)text.size, (const char *)wanted.data, (Py_ssize_t)wanted.size) >= 0;
}

int request_pair(const Fields *fields, Span between, Out *out)
{
    Span one = fields->field[SENDER].span, two = fields->field[RECEIVER].span;
    int order = memcmp(one.data, two.data, one.size < two.size ? one.size : two.size);
    int swap = order > 0 || (!order && one.size > two.size);
    int done = add(out, swap ? two : one);
    if (done > 0)
        done = add(out, between);
    return done > 0 ? add(out, swap ? one : two) : done;
}

/* Text for within a string. */
static int add_escaped(Span text, Out *out)
{
    unsigned char *to;
    if (!out_reserve(out, text.size * 2))
        return -1;
    to = out->data + out->size;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            *to++ = '\\';
        *to++ = text.data[i];
    }
    out->size = (size_t)(to - out->data);
    return 1;
}

static int add_text(Span text, int inside, Out *out)
{
    const char *before = inside ? "\\\"ext\\\":\\\"" : "\"ext\":\"", *behind = inside ? "\\\"," : "\",";
    if (add(out, (Span){(const unsigned char *)before, strlen(before)}) < 0)
        return -1;
    if ((inside ? add_escaped(text, out) : add(out, text)) < 0)
        return -1;
    return add(out, (Span){(const unsigned char *)behind, strlen(behind)});
}

int request_members(const Field *object, int as_text, int inside, Span taken, Out *out)
{
    Span text = object->span, members;
    if (as_text)
        return object->layers == 1 ? add_text(text, inside, out) : 0;
    if (object->layers || text.size < 2 || text.data[0] != '{' || find(text, taken))
        return 0;
    if (text.size == 2)
        return 1;
    members = (Span){text.data + 1, text.size - 2};
    if ((inside ? add_escaped(members, out) : add(out, members)) < 0)
        return -1;
    return add(out, (Span){(const unsigned char *)",", 1});
}

static unsigned char lower(unsigned char byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static int same(const unsigned char *one, const unsigned char *two, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (lower(one[i]) != lower(two[i]))
            return 0;
    }
    return 1;
}

static Span last_part(Span url)
{
    size_t end = 0, begin;
    while (end < url.size && url.data[end] != '?' && url.data[end] != '#')
        end++;
    for (begin = end; begin && url.data[begin - 1] != '/'; begin--)
        ;
    return (Span){url.data + begin, end - begin};
}

static int letter_or_digit(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (lower(byte) >= 'a' && lower(byte) <= 'z');
}

Span request_suffix(Span name)
{
    Span last = last_part(name), none = {name.data, 0};
    size_t dot = last.size;
    while (dot && last.data[dot - 1] != '.')
        dot--;
    if (dot < 2 || last.size == dot || last.size - dot > 8)
        return none;
    for (size_t i = dot; i < last.size; i++) {
        if (!letter_or_digit(last.data[i]))
            return none;
    }
    return (Span){last.data + dot, last.size - dot};
}

/* Whether a name ends with a dot and the suffix. */
static int ends_with(Span name, Span suffix)
{
    const unsigned char *tail = name.data + name.size - suffix.size;
    return name.size > suffix.size && tail[-1] == '.' && same(tail, suffix.data, suffix.size);
}

int request_name(const Fields *fields, int append, Out *out)
{
    const Field *field = fields->field;
    Span name = seen(fields, NAME) ? field[NAME].span : last_part(field[URL].span);
    Span suffix = seen(fields, SUFFIX) ? field[SUFFIX].span : (Span){NULL, 0};
    int plain = !suffix.size || ends_with(name, suffix);
    if (!name.size || plain == append || !find(field[URL].span, (Span){(const unsigned char *)"://", 3}))
        return 0;
    if (!out_reserve(out, name.size + suffix.size + 3))
        return -1;
    out_add(out, "\"", 1);
    out_add(out, name.data, name.size);
    if (append) {
        out_add(out, ".", 1);
        out_add(out, suffix.data, suffix.size);
    }
    out_add(out, "\"", 1);
    return 1;
}

int request_seconds(const Field *number, int how, Out *out)
{
    uint64_t value = digits_value(number->span);
    if (how != ROUNDED_DOWN && (how == WHOLE_ONES) != !(value % 1000))
        return 0;
    return request_number(value / 1000 + (how == ROUNDED_UP), out);
}

int request_rest(const Field *number, size_t times, Out *out)
{
    return request_number(digits_value(number->span) % 1000 * times, out);
}

static size_t digits_from(Span text, size_t at)
{
    size_t begin = at;
    while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9')
        at++;
    return at - begin;
}

int request_degrees(const Field *text, Out *out)
{
    Span plain = text->span;
    size_t at = plain.size && plain.data[0] == '-', whole = digits_from(plain, at), part;
    if (!whole || (whole > 1 && plain.data[at] == '0'))
        return 0;
    if ((at += whole) == plain.size)
        return add(out, plain) > 0 ? add(out, (Span){(const unsigned char *)".0", 2}) : -1;
    part = plain.data[at] == '.' ? digits_from(plain, at + 1) : 0;
    return part && at + 1 + part == plain.size ? add(out, plain) : 0;
}

int request_number(uint64_t value, Out *out)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return add(out, (Span){(const unsigned char *)digits + at, sizeof digits - at});
}

int request_among(const Fields *fields, Span words)
{
    const Field *field = fields->field;
    Span suffix = seen(fields, SUFFIX) ? field[SUFFIX].span : (Span){NULL, 0};
    const unsigned char *at = words.data, *end = words.data + words.size;
    if (!suffix.size && seen(fields, NAME))
        suffix = request_suffix(field[NAME].span);
    if (!suffix.size)
        suffix = request_suffix(field[URL].span);
    while (suffix.size && at < end) {
        const unsigned char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        if ((size_t)(stop - at) == suffix.size && same(at, suffix.data, suffix.size))
            return 1;
        at = stop + 1;
    }
    return 0;
}

/* Whether a suffix is that of a name or URL in lower case. */
static int is_suffix_of(Span suffix, Span name)
{
    Span found = request_suffix(name);
    if (found.size != suffix.size)
        return 0;
    for (size_t i = 0; i < suffix.size; i++) {
        if (suffix.data[i] != lower(found.data[i]))
            return 0;
    }
    return 1;
}

int request_told(const Fields *fields)
{
    const Field *field = fields->field;
    if (!seen(fields, SUFFIX))
        return 1;
    return (seen(fields, NAME) && is_suffix_of(field[SUFFIX].span, field[NAME].span)) ||
           is_suffix_of(field[SUFFIX].span, field[URL].span);
}

int request_holds(const Field *field, Span text)
{
    return find(field->span, text);
}

int request_begins(const Field *field, Span words)
{
    const unsigned char *at = words.data, *end = words.data + words.size;
    while (at < end) {
        const unsigned char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        size_t size = (size_t)(stop - at);
        if (field->span.size >= size && memcmp(at, field->span.data, size) == 0)
            return 1;
        at = stop + 1;
    }
    return 0;
}

/* What lies behind the string that begins at `at`, in JSON that is known to be whole. */
static const unsigned char *behind_string(const unsigned char *at)
{
    for (at++; *at != '"'; at++) {
        if (*at == '\\')
            at++;
    }
    return at + 1;
}

/* What lies behind the value that begins at `at`, likewise: a comma, or the end of the object. */
static const unsigned char *behind_value(const unsigned char *at)
{
    int depth = 0;
    for (;;) {
        unsigned char byte = *at;
        if (byte == '"') {
            at = behind_string(at);
            continue;
        }
        if (!depth && (byte == ',' || byte == '}'))
            return at;
        depth += (byte == '{' || byte == '[') - (byte == '}' || byte == ']');
        at++;
    }
}

static int add_as_string(Span value, Out *out)
{
    const Span quote = {(const unsigned char *)"\"", 1};
    if (value.data[0] == '"')
        return add(out, value);
    if (add(out, quote) < 0 || add_escaped(value, out) < 0)
        return -1;
    return add(out, quote);
}

int request_strings(const Field *object, size_t most, int mixed, Out *out)
{
    const unsigned char *at = object->span.data, *end = at + object->span.size - 1;
    int others = 0;
    if (object->layers || object->span.size < 2 || *at != '{' || *end != '}')
        return 0;
    if (object->span.size == 2)
        return mixed ? 0 : add(out, object->span);
    for (size_t count = 0; at < end; count++) {
        const unsigned char *value = behind_string(at + 1) + 1, *stop = behind_value(value);
        if (count == most || (value - at == 5 && at[2] == 'v'))
            return 0;
        others |= *value != '"';
        if (add(out, (Span){at, (size_t)(value - at)}) < 0 || add_as_string((Span){value, (size_t)(stop - value)}, out) < 0)
            return -1;
        at = stop;
    }
    return others == mixed ? add(out, (Span){end, 1}) : 0;
}
