#include "opening.h"

#define STAMP "dddd/dd/dd dd:dd:dd"
#define STAMP_SIZE (sizeof STAMP - 1)

static int hex_digit(unsigned char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Add a byte of a text to a JSON string; there is room. */
static void add_byte(Out *out, unsigned char byte)
{
    static const char HEX[] = "0123456789abcdef";
    unsigned char *to = out->data + out->size;
    if (byte >= 0x20 && byte != '"' && byte != '\\') {
        *to = byte;
        out->size++;
    } else if (byte >= 0x20) {
        to[0] = '\\';
        to[1] = byte;
        out->size += 2;
    } else {
        memcpy(to, "\\u00", 4);
        to[4] = (unsigned char)HEX[byte >> 4];
        to[5] = (unsigned char)HEX[byte & 15];
        out->size += 6;
    }
}

/* What is behind the time and blanks; all of it where there is no such time. */
static Span without_stamp(Span raw)
{
    size_t end = STAMP_SIZE;
    if (raw.size <= STAMP_SIZE)
        return raw;
    for (size_t i = 0; i < STAMP_SIZE; i++) {
        if (STAMP[i] == 'd' ? raw.data[i] < '0' || raw.data[i] > '9' : raw.data[i] != (unsigned char)STAMP[i])
            return raw;
    }
    while (end < raw.size && (raw.data[end] == ' ' || raw.data[end] == '\t'))
        end++;
    return (Span){raw.data + end, raw.size - end};
}

/* A name or value of a form from `at` to `end`, as a JSON string; there is room. */
static int add_decoded(Out *out, const unsigned char *at, const unsigned char *end)
{
    out_add(out, "\"", 1);
    for (; at < end; at++) {
        if (*at == '%') {
            int high = end - at > 2 ? hex_digit(at[1]) : -1, low = high < 0 ? -1 : hex_digit(at[2]);
            if (low < 0)
                return 0;
            add_byte(out, (unsigned char)(high << 4 | low));
            at += 2;
        } else {
            add_byte(out, *at == '+' ? ' ' : *at);
        }
    }
    out_add(out, "\"", 1);
    return 1;
}

static int open_form(Span raw, Out *room)
{
    const unsigned char *at = raw.data, *end = raw.data + raw.size;
    out_add(room, "{", 1);
    for (;;) {
        const unsigned char *stop = memchr(at, '&', (size_t)(end - at)), *equals;
        stop = stop ? stop : end;
        if (!(equals = memchr(at, '=', (size_t)(stop - at))) || !add_decoded(room, at, equals))
            return 0;
        out_add(room, ":", 1);
        if (!add_decoded(room, equals + 1, stop))
            return 0;
        if (stop == end)
            break;
        out_add(room, ",", 1);
        at = stop + 1;
    }
    out_add(room, "}", 1);
    return 1;
}

/* What stands behind the escape sign of a row, as MySQL writes it. */
static unsigned char unescaped(unsigned char byte)
{
    switch (byte) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'b': return '\b';
    case '0': return 0;
    case 'Z': return 0x1A;
    default: return byte;
    }
}

/* A quoted value whose quote stands at `at`, as a JSON string; gives what is behind it, or NULL. */
static const unsigned char *add_quoted(const Opening *opening, Out *out, const unsigned char *at, const unsigned char *end)
{
    out_add(out, "\"", 1);
    for (at++; at < end; at++) {
        if (opening->escape && *at == opening->escape) {
            if (++at == end)
                return NULL;
            add_byte(out, unescaped(*at));
        } else if (*at != opening->quote) {
            add_byte(out, *at);
        } else if (at + 1 < end && at[1] == opening->quote) {
            add_byte(out, *at++);
        } else {
            out_add(out, "\"", 1);
            return at + 1;
        }
    }
    return NULL;
}

/* Where a value without quotes ends; NULL where an escape has nothing behind it. */
static const unsigned char *end_of_plain(const Opening *opening, const unsigned char *at, const unsigned char *end)
{
    for (; at < end && *at != opening->delimiter; at++) {
        if (opening->escape && *at == opening->escape && ++at == end)
            return NULL;
    }
    return at;
}

static int is_null(const Opening *opening, const unsigned char *at, const unsigned char *end)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(opening->nulls); i++) {
        PyObject *mark = PyTuple_GET_ITEM(opening->nulls, i);
        if (PyBytes_GET_SIZE(mark) == end - at && memcmp(PyBytes_AS_STRING(mark), at, (size_t)(end - at)) == 0)
            return 1;
    }
    return 0;
}

static void add_plain(const Opening *opening, Out *out, const unsigned char *at, const unsigned char *end)
{
    out_add(out, "\"", 1);
    for (; at < end; at++)
        add_byte(out, opening->escape && *at == opening->escape ? unescaped(*++at) : *at);
    out_add(out, "\"", 1);
}

static int open_row(const Opening *opening, Span raw, Out *room)
{
    const unsigned char *at = raw.data, *end = raw.data + raw.size;
    out_add(room, "[", 1);
    for (;;) {
        const unsigned char *stop;
        if (opening->quote && at < end && *at == opening->quote) {
            stop = add_quoted(opening, room, at, end);
        } else if ((stop = end_of_plain(opening, at, end))) {
            if (is_null(opening, at, stop))
                out_add(room, "null", 4);
            else
                add_plain(opening, room, at, stop);
        }
        if (!stop || (stop < end && *stop != opening->delimiter))
            return 0;
        if (stop == end)
            break;
        out_add(room, ",", 1);
        at = stop + 1;
    }
    out_add(room, "]", 1);
    return 1;
}

static Span without_end(Span raw, int blanks)
{
    if (raw.size && raw.data[raw.size - 1] == '\r')
        raw.size--;
    while (blanks && raw.size && (raw.data[raw.size - 1] == ' ' || raw.data[raw.size - 1] == '\t'))
        raw.size--;
    return raw;
}

int opening_open(const Opening *opening, Span raw, Out *room, Span *json)
{
    int done;
    *json = opening->what == OPEN_STAMPED ? without_stamp(raw) : raw;
    if (opening->what == OPEN_JSON || opening->what == OPEN_STAMPED)
        return 1;
    raw = without_end(raw, opening->what == OPEN_FORM);
    if (raw.size > OPENED_SIZE)
        return 0;
    room->size = 0;
    if (!out_reserve(room, raw.size * 6 + 16))
        return -1;
    done = opening->what == OPEN_FORM ? open_form(raw, room) : open_row(opening, raw, room);
    *json = (Span){room->data, room->size};
    return done;
}

int opening_fill(Opening *opening, PyObject *tuple)
{
    PyObject *nulls;
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "an opening is a tuple");
        return 0;
    }
    if (!PyArg_ParseTuple(tuple, "ibbbO!", &opening->what, &opening->delimiter, &opening->quote, &opening->escape,
                          &PyTuple_Type, &nulls))
        return 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(nulls); i++) {
        if (!PyBytes_Check(PyTuple_GET_ITEM(nulls, i))) {
            PyErr_SetString(PyExc_TypeError, "values that are none are bytes");
            return 0;
        }
    }
    opening->nulls = Py_NewRef(nulls);
    if (opening->what >= 0 && opening->what < OPENINGS)
        return 1;
    PyErr_SetString(PyExc_ValueError, "an opening is not known");
    return 0;
}

void opening_clear(Opening *opening)
{
    Py_CLEAR(opening->nulls);
}
