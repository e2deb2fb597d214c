#include "sorted.h"

#include <string.h>

typedef struct {
    Span key; /* with its quotes */
    Span value;
} Member;

static int add(Out *out, Span bytes)
{
    if (!out_reserve(out, bytes.size))
        return -1;
    out_add(out, bytes.data, bytes.size);
    return 1;
}

static int add_byte(Out *out, unsigned char byte)
{
    return add(out, (Span){&byte, 1});
}

/* What lies behind the string that begins at `at`; NULL if it does not end. */
static const unsigned char *behind_string(const unsigned char *at, const unsigned char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\')
            at++;
        else if (*at == '"')
            return at + 1;
    }
    return NULL;
}

/* What lies behind the value that begins at `at`; NULL if it does not end. */
static const unsigned char *behind_value(const unsigned char *at, const unsigned char *end)
{
    int depth = 0;
    while (at && at < end) {
        unsigned char byte = *at;
        if (byte == '"') {
            at = behind_string(at, end);
        } else {
            if (!depth && (byte == ',' || byte == '}' || byte == ']'))
                return at;
            depth += (byte == '{' || byte == '[') - (byte == '}' || byte == ']');
            at++;
        }
        if (!depth && at && (byte == '"' || byte == '}' || byte == ']'))
            return at;
    }
    return depth ? NULL : at;
}

static Span between(const unsigned char *begin, const unsigned char *end)
{
    return (Span){begin, (size_t)(end - begin)};
}

/* Whether key `a` comes before key `b`, in the order of their characters. */
static int before(Span a, Span b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data + 1, b.data + 1, common - 2);
    return order ? order < 0 : a.size < b.size;
}

/* Put a member where it belongs among `count` sorted ones. */
static void insert(Member *members, size_t count, Member member)
{
    for (; count && before(member.key, members[count - 1].key); count--)
        members[count] = members[count - 1];
    members[count] = member;
}

/* The members of the object, sorted; how many they are, or -1 if they are refused. */
static int members_of(Span object, Member *members)
{
    const unsigned char *at = object.data + 1, *end = object.data + object.size - 1;
    int count = 0;
    while (at < end) {
        const unsigned char *colon = *at == '"' ? behind_string(at, end) : NULL, *stop;
        if (!colon || colon == end || *colon != ':' || count == SCAN_MEMBERS || memchr(at, '\\', (size_t)(colon - at)))
            return -1;
        if (!(stop = behind_value(colon + 1, end)))
            return -1;
        insert(members, (size_t)count++, (Member){between(at, colon), between(colon + 1, stop)});
        at = stop + 1;
    }
    return count;
}

static int write_value(Span value, Out *out, int depth);

static int write_object(Span object, Out *out, int depth)
{
    Member members[SCAN_MEMBERS];
    int count = members_of(object, members), done = count < 0 ? 0 : add_byte(out, '{');
    for (int i = 0; done > 0 && i < count; i++) {
        if ((i && add_byte(out, ',') < 0) || add(out, members[i].key) < 0 || add_byte(out, ':') < 0)
            return -1;
        done = write_value(members[i].value, out, depth);
    }
    return done > 0 ? add_byte(out, '}') : done;
}

static int write_array(Span array, Out *out, int depth)
{
    const unsigned char *at = array.data + 1, *end = array.data + array.size - 1;
    int done = add_byte(out, '[');
    while (done > 0 && at < end) {
        const unsigned char *stop = behind_value(at, end);
        if (!stop)
            return 0;
        done = write_value(between(at, stop), out, depth);
        if (done > 0 && stop < end)
            done = add_byte(out, ',');
        at = stop + 1;
    }
    return done > 0 ? add_byte(out, ']') : done;
}

static int write_value(Span value, Out *out, int depth)
{
    if (!value.size || !depth)
        return 0;
    switch (value.data[0]) {
    case '{': return write_object(value, out, depth - 1);
    case '[': return write_array(value, out, depth - 1);
    default: return add(out, value);
    }
}

int sorted_write(Span value, Out *out)
{
    return write_value(value, out, SCAN_DEPTH + 4);
}
