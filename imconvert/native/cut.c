#include "cut.h"

#include <string.h>

typedef const unsigned char *At;

/* Where records are put: a list of bytes, and a list of their offsets. */
typedef struct {
    PyObject *records;
    PyObject *offsets;
} Cut;

static int append(PyObject *list, PyObject *item)
{
    int failed = !item || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return !failed;
}

/* Add a record; 0 with an exception set. */
static int add(const Cut *cut, At begin, At end, long long offset)
{
    return append(cut->records, PyBytes_FromStringAndSize((const char *)begin, end - begin)) &&
           append(cut->offsets, PyLong_FromLongLong(offset));
}

/* The quote that ends a string, `at` being behind its first; NULL if the block ends before. */
static At end_of_string(At at, At end)
{
    for (;;) {
        At quote = memchr(at, '"', (size_t)(end - at)), back;
        if (!quote)
            return NULL;
        for (back = quote; back > at && back[-1] == '\\'; back--)
            ;
        if ((quote - back) % 2 == 0)
            return quote;
        at = quote + 1;
    }
}

/* 1 for what ends a run of bytes between strings and brackets. */
static const unsigned char MARKS[256] = {['"'] = 1, ['\\'] = 1, ['{'] = 1, ['}'] = 1, ['['] = 1, [']'] = 1};

/* The end of a value that begins with a bracket at `at`; NULL if it is not whole, or has a backslash between strings. */
static At end_of_value(At at, At end)
{
    size_t depth = 0;
    for (;; at++) {
        while (at < end && !MARKS[*at])
            at++;
        if (at == end || *at == '\\')
            return NULL;
        if (*at == '"') {
            if (!(at = end_of_string(at + 1, end)))
                return NULL;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (--depth == 0) {
            return at + 1;
        }
    }
}

static int is_blank(unsigned char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Where a text ends without the blanks at its end. */
static At without_blanks(At begin, At end)
{
    while (end > begin && is_blank(end[-1]))
        end--;
    return end;
}

/* What all cutters are given: a block, where to begin in it, where it lies in the content, and the two lists. */
static int arguments_of(PyObject *const *given, Py_ssize_t count, At *block, At *begin, At *end, long long *offset, Cut *cut)
{
    Py_ssize_t first;
    if (count != 5 || !PyBytes_Check(given[0]) || !PyList_Check(given[3]) || !PyList_Check(given[4])) {
        PyErr_SetString(PyExc_TypeError, "cut(block: bytes, begin: int, offset: int, records: list, offsets: list)");
        return 0;
    }
    first = PyLong_AsSsize_t(given[1]);
    *offset = PyLong_AsLongLong(given[2]);
    if (PyErr_Occurred())
        return 0;
    if (first < 0 || first > PyBytes_GET_SIZE(given[0])) {
        PyErr_SetString(PyExc_ValueError, "begin lies outside of the block");
        return 0;
    }
    *block = (At)PyBytes_AS_STRING(given[0]);
    *begin = *block + first;
    *end = *block + PyBytes_GET_SIZE(given[0]);
    *cut = (Cut){given[3], given[4]};
    return 1;
}

static PyObject *cut_elements(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    At block, at, end;
    long long offset;
    Cut cut;
    (void)module;
    if (!arguments_of(given, count, &block, &at, &end, &offset, &cut))
        return NULL;
    for (;;) {
        At begin = at, stop;
        while (begin < end && (is_blank(*begin) || *begin == '\n' || *begin == ','))
            begin++;
        if (begin == end || *begin != '{' || !(stop = end_of_value(begin, end)))
            return PyLong_FromSsize_t(at - block);
        if (!add(&cut, begin, stop, offset + (begin - block)))
            return NULL;
        at = stop;
    }
}

static PyObject *cut_rows(PyObject *module, PyObject *const *given, Py_ssize_t count)
{
    At block, at, end;
    long long offset;
    Cut cut;
    (void)module;
    if (!arguments_of(given, count, &block, &at, &end, &offset, &cut))
        return NULL;
    while (at < end) {
        At newline = memchr(at, '\n', (size_t)(end - at)), begin = at, stop = newline ? newline : end;
        while (begin < stop && is_blank(*begin))
            begin++;
        stop = without_blanks(begin, stop);
        if (stop > begin && stop[-1] == ',')
            stop = without_blanks(begin, stop - 1);
        if (stop - begin < 2 || *begin != '{' || stop[-1] != '}')
            break;
        if (!add(&cut, begin, stop, offset + (begin - block)))
            return NULL;
        at = newline ? newline + 1 : end;
    }
    return PyLong_FromSsize_t(at - block);
}

/* How the rows of a table are written; a sign that there is none of is -1. */
typedef struct {
    int delimiter, quote, escape;
} Signs;

/* Where a row ends that begins at `at`: its LF; NULL if it does not end plainly. `lines` gets how many it has. */
static At end_of_row(const Signs *signs, At at, At end, long *lines)
{
    for (*lines = 1;; at++) {
        if (at < end && *at == signs->quote) {
            for (at++;; at++) {
                if (at >= end)
                    return NULL;
                if (*at == signs->escape) {
                    *lines += ++at < end && *at == '\n';
                } else if (*at == signs->quote) {
                    if (at + 1 >= end || at[1] != signs->quote)
                        break;
                    at++;
                } else {
                    *lines += *at == '\n';
                }
            }
            at++;
            if (at < end && *at != signs->delimiter && *at != '\n')
                return at + 1 < end && *at == '\r' && at[1] == '\n' ? at + 1 : NULL;
        } else {
            for (; at < end && *at != signs->delimiter && *at != '\n'; at++) {
                if (*at == signs->escape)
                    *lines += ++at < end && *at == '\n';
            }
        }
        if (at >= end)
            return NULL;
        if (*at == '\n')
            return at;
    }
}

static PyObject *cut_table(PyObject *module, PyObject *arguments)
{
    PyObject *block, *records, *lines;
    Py_ssize_t begin;
    Signs signs;
    At at, end;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "Sn(iii)O!O!", &block, &begin, &signs.delimiter, &signs.quote, &signs.escape,
                          &PyList_Type, &records, &PyList_Type, &lines))
        return NULL;
    if (begin < 0 || begin > PyBytes_GET_SIZE(block)) {
        PyErr_SetString(PyExc_ValueError, "begin lies outside of the block");
        return NULL;
    }
    end = (At)PyBytes_AS_STRING(block) + PyBytes_GET_SIZE(block);
    for (at = (At)PyBytes_AS_STRING(block) + begin; at < end;) {
        long count;
        At stop = end_of_row(&signs, at, end, &count);
        if (!stop)
            break;
        if (!append(records, PyBytes_FromStringAndSize((const char *)at, stop - at)) ||
            !append(lines, PyLong_FromLong(count)))
            return NULL;
        at = stop + 1;
    }
    return PyLong_FromSsize_t(at - (At)PyBytes_AS_STRING(block));
}

/* What the bytes so far have left open. */
typedef struct {
    Py_ssize_t depth;
    int in_string, escaped;
} State;

/* Go on with a byte; whether it is a bracket that counts. */
static inline int step(State *state, unsigned char byte)
{
    int hidden = state->escaped && (byte == '"' || byte == '\\');
    state->escaped = byte == '\\' && !state->escaped;
    if (hidden || !MARKS[byte] || byte == '\\')
        return 0;
    if (byte == '"') {
        state->in_string = !state->in_string;
        return 0;
    }
    if (state->in_string)
        return 0;
    state->depth += byte == '{' || byte == '[' ? 1 : -1;
    return 1;
}

static PyObject *edges(PyObject *module, PyObject *arguments)
{
    const char *data;
    Py_ssize_t size, most;
    State state;
    PyObject *list;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y#nnpp", &data, &size, &most, &state.depth, &state.in_string, &state.escaped) ||
        !(list = PyList_New(0)))
        return NULL;
    for (Py_ssize_t at = 0; at < size; at++) {
        int opens = data[at] == '{' || data[at] == '[';
        if (!step(&state, (unsigned char)data[at]) || state.depth > most + opens)
            continue;
        if (!append(list, Py_BuildValue("nOn", at, opens ? Py_True : Py_False, state.depth))) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return Py_BuildValue("Nnii", list, state.depth, state.in_string, state.escaped);
}

static PyObject *follow(PyObject *module, PyObject *arguments)
{
    const char *data;
    Py_ssize_t size, begin, level;
    State state;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y#nnnpp", &data, &size, &begin, &level, &state.depth, &state.in_string,
                          &state.escaped))
        return NULL;
    if (begin < 0 || begin > size) {
        PyErr_SetString(PyExc_ValueError, "begin lies outside of the block");
        return NULL;
    }
    for (Py_ssize_t at = begin; at < size; at++) {
        if (step(&state, (unsigned char)data[at]) && state.depth == level)
            return Py_BuildValue("nnii", at + 1, state.depth, 0, 0);
    }
    return Py_BuildValue("nnii", (Py_ssize_t)-1, state.depth, state.in_string, state.escaped);
}

PyMethodDef cut_methods[] = {
    {"cut_elements", (PyCFunction)(void (*)(void))cut_elements, METH_FASTCALL,
     "cut_elements(block, begin, offset, records, offsets): add the whole objects from `begin` on that only commas and "
     "blanks part, each with its offset; gives the end of the last."},
    {"cut_rows", (PyCFunction)(void (*)(void))cut_rows, METH_FASTCALL,
     "cut_rows(block, begin, offset, records, offsets): add the lines from `begin` on that look like elements, without "
     "blanks and comma around; gives where the next line begins."},
    {"cut_table", cut_table, METH_VARARGS,
     "cut_table(block, begin, (delimiter, quote, escape), records, lines): add the rows from `begin` on without their LF, "
     "and how many lines each has, up to one that does not end plainly; gives where that begins. A sign is a byte or -1."},
    {"edges", edges, METH_VARARGS,
     "edges(block, most, depth, in_string, escaped): the brackets outside of strings down to depth `most`, and those that "
     "open one more, as (place, opens, depth behind it); and depth, in_string and escaped at the end."},
    {"follow", follow, METH_VARARGS,
     "follow(block, begin, level, depth, in_string, escaped): from inside of an element to where the depth is back at `level`; "
     "gives the place behind that or -1, and depth, in_string and escaped there."},
    {NULL, NULL, 0, NULL},
};
