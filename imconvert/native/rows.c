#include "rows.h"

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "rows are little-endian: this machine does without the part in C"
#endif

/* As work.ROW. */
typedef struct {
    uint64_t begin, line, offset;
    int64_t time;
    uint64_t msgid;
    uint32_t length, file;
} Row;

/* As work.KEY. */
typedef struct {
    unsigned char hash[16];
    uint64_t digest, place;
} Key;

#define COLUMNS 5

static uint64_t eight(const Py_buffer *column, Py_ssize_t at)
{
    uint64_t found;
    memcpy(&found, (const char *)column->buf + at * 8, 8);
    return found;
}

/* Whether all columns have as many values as the first; else an exception is set. */
static int fit(const Py_buffer *column, const Py_ssize_t *width, Py_ssize_t columns)
{
    for (Py_ssize_t i = 0; i < columns; i++) {
        if (column[i].len != column[0].len / width[0] * width[i]) {
            PyErr_SetString(PyExc_ValueError, "the columns have other lengths than the first");
            return 0;
        }
    }
    return 1;
}

/* rows(lengths, times, msgids, records, offsets, begin, line, offset, file): a ROW for each line; the lines lie one behind
the other from `begin` on; records and offsets are counted from `line` and `offset`. */
static PyObject *rows(PyObject *module, PyObject *arguments)
{
    static const Py_ssize_t width[COLUMNS] = {4, 8, 8, 8, 8};
    Py_buffer column[COLUMNS];
    unsigned long long begin, line, offset;
    unsigned int file;
    PyObject *found = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*y*KKKI", &column[0], &column[1], &column[2], &column[3], &column[4], &begin,
                          &line, &offset, &file))
        return NULL;
    if (fit(column, width, COLUMNS))
        found = PyBytes_FromStringAndSize(NULL, column[0].len / 4 * (Py_ssize_t)sizeof(Row));
    for (Py_ssize_t i = 0; found && i < column[0].len / 4; i++) {
        Row row = {begin, line + eight(&column[3], i), offset + eight(&column[4], i), (int64_t)eight(&column[1], i),
                   eight(&column[2], i), 0, file};
        memcpy(&row.length, (const char *)column[0].buf + i * 4, 4);
        begin += (uint64_t)row.length + 1;
        memcpy(PyBytes_AS_STRING(found) + i * (Py_ssize_t)sizeof row, &row, sizeof row);
    }
    for (int i = 0; i < COLUMNS; i++)
        PyBuffer_Release(&column[i]);
    return found;
}

/* keyed(hashes, digests, place): a KEY for each line, whose places are counted from `place`. */
static PyObject *keyed(PyObject *module, PyObject *arguments)
{
    static const Py_ssize_t width[] = {16, 8};
    Py_buffer column[2];
    unsigned long long place;
    PyObject *found = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*K", &column[0], &column[1], &place))
        return NULL;
    if (fit(column, width, 2))
        found = PyBytes_FromStringAndSize(NULL, column[0].len / 16 * (Py_ssize_t)sizeof(Key));
    for (Py_ssize_t i = 0; found && i < column[0].len / 16; i++) {
        Key key = {{0}, eight(&column[1], i), place + (uint64_t)i};
        memcpy(key.hash, (const char *)column[0].buf + i * 16, 16);
        memcpy(PyBytes_AS_STRING(found) + i * (Py_ssize_t)sizeof key, &key, sizeof key);
    }
    PyBuffer_Release(&column[0]);
    PyBuffer_Release(&column[1]);
    return found;
}

PyMethodDef rows_methods[] = {
    {"rows", rows, METH_VARARGS, "A row for each line, of its columns."},
    {"keyed", keyed, METH_VARARGS, "A row of keys for each line, of its hashes."},
    {NULL, NULL, 0, NULL},
};
