#include "lines.h"

#include "block.h"
#include "direct.h"

/* The hash of a text, as a number; 0 if that fails, with an exception set. */
static int hash_of(PyObject *hash, Narrowly *direct, const char *text, Py_ssize_t size, uint64_t *number)
{
    PyObject *digest;
    if (direct) {
        *number = direct(text, (size_t)size);
        return 1;
    }
    if (!(digest = PyObject_CallFunction(hash, "y#", text, size)))
        return 0;
    if (!PyBytes_Check(digest) || PyBytes_GET_SIZE(digest) != 8) {
        PyErr_SetString(PyExc_TypeError, "a hash has 8 bytes");
        Py_DECREF(digest);
        return 0;
    }
    *number = direct_number(PyBytes_AS_STRING(digest));
    Py_DECREF(digest);
    return 1;
}

#include <string.h>

/* keys(data, begins, lengths, open, close, hash): 64-bit hashes of what stands between the marks in each line. */
static PyObject *keys(PyObject *module, PyObject *arguments)
{
    Block block;
    const char *open, *close;
    Py_ssize_t open_size, close_size;
    PyObject *hash, *found = NULL;
    Narrowly *direct;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y#y#O", &block.data, &block.begins, &block.lengths, &open, &open_size, &close,
                          &close_size, &hash))
        return NULL;
    direct = direct_narrow(hash);
    if (block_checked(&block))
        found = PyBytes_FromStringAndSize(NULL, block.count * 8);
    for (Py_ssize_t line = 0; found && line < block.count; line++) {
        const char *text = block_text(&block, line);
        Py_ssize_t size = (Py_ssize_t)block_length(&block, line), start = block_behind(text, size, open, open_size), stop = -1;
        uint64_t value = 0;
        if (start >= 0)
            stop = block_behind(text + start, size - start, close, close_size);
        if (stop < 0)
            PyErr_SetString(PyExc_ValueError, "a line lacks a mark");
        if (stop < 0 || !hash_of(hash, direct, text + start, stop - close_size, &value))
            Py_CLEAR(found);
        else
            memcpy(PyBytes_AS_STRING(found) + line * 8, &value, 8);
    }
    block_release(&block);
    return found;
}

/* mixed(data, begins, lengths, keys, close): the first line that has the key of the line before it, but another text up
to its first `close`; -1 if there is none. */
static PyObject *mixed(PyObject *module, PyObject *arguments)
{
    Block block;
    Py_buffer column;
    const char *close;
    Py_ssize_t close_size, found = -1;
    int fine;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*y#", &block.data, &block.begins, &block.lengths, &column, &close, &close_size))
        return NULL;
    fine = block_checked(&block);
    if (fine && column.len != block.count * 8) {
        PyErr_SetString(PyExc_ValueError, "the columns have other lengths than the lines");
        fine = 0;
    }
    for (Py_ssize_t line = 1, size = -1; fine && line < block.count; line++) {
        const char *at = (const char *)column.buf + line * 8, *one = block_text(&block, line - 1);
        if (memcmp(at, at - 8, 8)) {
            size = -1;
            continue;
        }
        if (size < 0)
            size = block_behind(one, (Py_ssize_t)block_length(&block, line - 1), close, close_size);
        if (size < 0 || (Py_ssize_t)block_length(&block, line) < size || memcmp(one, block_text(&block, line), (size_t)size)) {
            found = line;
            break;
        }
    }
    PyBuffer_Release(&column);
    block_release(&block);
    return fine ? PyLong_FromSsize_t(found) : NULL;
}

/* joined(data, begins, lengths): the lines, in the order of the columns, each with a newline behind it. */
static PyObject *joined(PyObject *module, PyObject *arguments)
{
    Block block;
    PyObject *found = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*", &block.data, &block.begins, &block.lengths))
        return NULL;
    if (block_checked(&block)) {
        Py_ssize_t size = block.count;
        for (Py_ssize_t line = 0; line < block.count; line++)
            size += block_length(&block, line);
        found = PyBytes_FromStringAndSize(NULL, size);
    }
    if (found) {
        char *to = PyBytes_AS_STRING(found);
        for (Py_ssize_t line = 0; line < block.count; line++) {
            uint32_t length = block_length(&block, line);
            memcpy(to, block_text(&block, line), length);
            to += length;
            *to++ = '\n';
        }
    }
    block_release(&block);
    return found;
}

/* How many of these bytes are LF. */
static Py_ssize_t newlines(const unsigned char *at, Py_ssize_t size)
{
    Py_ssize_t count = 0;
    while (size) {
        Py_ssize_t step = size < UINT8_MAX ? size : UINT8_MAX;
        uint8_t found = 0; /* so narrow that many bytes are compared at once */
        for (Py_ssize_t i = 0; i < step; i++)
            found += at[i] == '\n';
        count += found;
        at += step;
        size -= step;
    }
    return count;
}

/* ends(data): how many LF there are, and how many CR that have one, or the end, behind them. */
static PyObject *ends(PyObject *module, PyObject *object)
{
    Py_buffer data;
    Py_ssize_t count, returns = 0;
    (void)module;
    if (PyObject_GetBuffer(object, &data, PyBUF_SIMPLE) < 0)
        return NULL;
    count = newlines(data.buf, data.len);
    if (data.len) {
        const char *at = data.buf, *end = at + data.len;
        while (at < end && (at = memchr(at, '\r', (size_t)(end - at)))) {
            at++;
            returns += at == end || *at == '\n';
        }
    }
    PyBuffer_Release(&data);
    return Py_BuildValue("nn", count, returns);
}

PyMethodDef lines_methods[] = {
    {"ends", ends, METH_O, "How many LF there are in bytes, and how many CR before one or before the end."},
    {"keys", keys, METH_VARARGS, "Hashes of what stands between two marks in each line."},
    {"mixed", mixed, METH_VARARGS, "The first line with the key of the one before it and another head, or -1."},
    {"joined", joined, METH_VARARGS, "The lines in order, each with a newline behind it."},
    {NULL, NULL, 0, NULL},
};
