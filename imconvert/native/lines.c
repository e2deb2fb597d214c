#include "lines.h"

#include <stdint.h>
#include <string.h>

typedef struct {
    Py_buffer data, begins, lengths;
    Py_ssize_t count;
} Block;

static void release(Block *block)
{
    PyBuffer_Release(&block->data);
    PyBuffer_Release(&block->begins);
    PyBuffer_Release(&block->lengths);
}

static uint64_t begin_of(const Block *block, Py_ssize_t line)
{
    uint64_t begin;
    memcpy(&begin, (const char *)block->begins.buf + line * 8, 8);
    return begin;
}

static uint32_t length_of(const Block *block, Py_ssize_t line)
{
    uint32_t length;
    memcpy(&length, (const char *)block->lengths.buf + line * 4, 4);
    return length;
}

static const char *text_of(const Block *block, Py_ssize_t line)
{
    return (const char *)block->data.buf + begin_of(block, line);
}

/* Whether the columns fit each other and every line lies within the data; else an exception is set. */
static int checked(Block *block)
{
    uint64_t size = (uint64_t)block->data.len;
    block->count = block->begins.len / 8;
    if (block->begins.len % 8 || block->lengths.len != block->count * 4) {
        PyErr_SetString(PyExc_ValueError, "the columns have other lengths than the lines");
        return 0;
    }
    for (Py_ssize_t line = 0; line < block->count; line++) {
        uint64_t begin = begin_of(block, line);
        if (begin > size || length_of(block, line) > size - begin) {
            PyErr_SetString(PyExc_ValueError, "a line lies outside of the data");
            return 0;
        }
    }
    return 1;
}

/* The place behind the first `mark` in a text, or -1. */
static Py_ssize_t behind(const char *text, Py_ssize_t size, const char *mark, Py_ssize_t length)
{
    Py_ssize_t at = 0;
    while (at + length <= size) {
        const char *found = memchr(text + at, mark[0], (size_t)(size - length - at + 1));
        if (!found)
            return -1;
        if (memcmp(found, mark, (size_t)length) == 0)
            return found - text + length;
        at = found - text + 1;
    }
    return -1;
}

/* keys(data, begins, lengths, open, close, hash): 64-bit hashes of what stands between the marks in each line. */
static PyObject *keys(PyObject *module, PyObject *arguments)
{
    Block block;
    const char *open, *close;
    Py_ssize_t open_size, close_size;
    PyObject *hash, *found = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y#y#O", &block.data, &block.begins, &block.lengths, &open, &open_size, &close,
                          &close_size, &hash))
        return NULL;
    if (checked(&block))
        found = PyBytes_FromStringAndSize(NULL, block.count * 8);
    for (Py_ssize_t line = 0; found && line < block.count; line++) {
        const char *text = text_of(&block, line);
        Py_ssize_t size = (Py_ssize_t)length_of(&block, line), start = behind(text, size, open, open_size), stop = -1;
        PyObject *part, *number = NULL;
        uint64_t value = 0;
        if (start >= 0)
            stop = behind(text + start, size - start, close, close_size);
        if (stop < 0) {
            PyErr_SetString(PyExc_ValueError, "a line lacks a mark");
            Py_CLEAR(found);
            break;
        }
        if ((part = PyBytes_FromStringAndSize(text + start, stop - close_size)))
            number = PyObject_CallOneArg(hash, part);
        Py_XDECREF(part);
        if (number)
            value = PyLong_AsUnsignedLongLong(number);
        if (!number || PyErr_Occurred())
            Py_CLEAR(found);
        else
            memcpy(PyBytes_AS_STRING(found) + line * 8, &value, 8);
        Py_XDECREF(number);
    }
    release(&block);
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
    fine = checked(&block);
    if (fine && column.len != block.count * 8) {
        PyErr_SetString(PyExc_ValueError, "the columns have other lengths than the lines");
        fine = 0;
    }
    for (Py_ssize_t line = 1, size = -1; fine && line < block.count; line++) {
        const char *at = (const char *)column.buf + line * 8, *one = text_of(&block, line - 1);
        if (memcmp(at, at - 8, 8)) {
            size = -1;
            continue;
        }
        if (size < 0)
            size = behind(one, (Py_ssize_t)length_of(&block, line - 1), close, close_size);
        if (size < 0 || (Py_ssize_t)length_of(&block, line) < size || memcmp(one, text_of(&block, line), (size_t)size)) {
            found = line;
            break;
        }
    }
    PyBuffer_Release(&column);
    release(&block);
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
    if (checked(&block)) {
        Py_ssize_t size = block.count;
        for (Py_ssize_t line = 0; line < block.count; line++)
            size += length_of(&block, line);
        found = PyBytes_FromStringAndSize(NULL, size);
    }
    if (found) {
        char *to = PyBytes_AS_STRING(found);
        for (Py_ssize_t line = 0; line < block.count; line++) {
            uint32_t length = length_of(&block, line);
            memcpy(to, text_of(&block, line), length);
            to += length;
            *to++ = '\n';
        }
    }
    release(&block);
    return found;
}

PyMethodDef lines_methods[] = {
    {"keys", keys, METH_VARARGS, "Hashes of what stands between two marks in each line."},
    {"mixed", mixed, METH_VARARGS, "The first line with the key of the one before it and another head, or -1."},
    {"joined", joined, METH_VARARGS, "The lines in order, each with a newline behind it."},
    {NULL, NULL, 0, NULL},
};
