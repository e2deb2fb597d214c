#include "block.h"

#include <string.h>

void block_release(Block *block)
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

uint32_t block_length(const Block *block, Py_ssize_t line)
{
    uint32_t length;
    memcpy(&length, (const char *)block->lengths.buf + line * 4, 4);
    return length;
}

const char *block_text(const Block *block, Py_ssize_t line)
{
    return (const char *)block->data.buf + begin_of(block, line);
}

int block_checked(Block *block)
{
    uint64_t size = (uint64_t)block->data.len;
    block->count = block->begins.len / 8;
    if (block->begins.len % 8 || block->lengths.len != block->count * 4) {
        PyErr_SetString(PyExc_ValueError, "the columns have other lengths than the lines");
        return 0;
    }
    for (Py_ssize_t line = 0; line < block->count; line++) {
        uint64_t begin = begin_of(block, line);
        if (begin > size || block_length(block, line) > size - begin) {
            PyErr_SetString(PyExc_ValueError, "a line lies outside of the data");
            return 0;
        }
    }
    return 1;
}

/* The last letter of a mark, or its first byte: in lines of JSON letters are rarer than what stands around them. */
static Py_ssize_t rare_in(const char *mark, Py_ssize_t length)
{
    Py_ssize_t at = length - 1;
    while (at > 0 && !((mark[at] | 0x20) >= 'a' && (mark[at] | 0x20) <= 'z'))
        at--;
    return at;
}

Py_ssize_t block_behind(const char *text, Py_ssize_t size, const char *mark, Py_ssize_t length)
{
    Py_ssize_t rare = rare_in(mark, length), at = 0;
    while (at + length <= size) {
        const char *found = memchr(text + at + rare, mark[rare], (size_t)(size - length - at + 1));
        if (!found)
            return -1;
        found -= rare;
        if (memcmp(found, mark, (size_t)length) == 0)
            return found - text + length;
        at = found - text + 1;
    }
    return -1;
}
