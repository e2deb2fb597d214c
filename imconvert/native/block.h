/* Lines in one block of bytes, as three buffers: the bytes, u8 where each line begins, u4 how long it is. */
#ifndef IMCONVERT_BLOCK_H
#define IMCONVERT_BLOCK_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

typedef struct {
    Py_buffer data, begins, lengths;
    Py_ssize_t count;
} Block;

/* Let go of the buffers. */
void block_release(Block *block);

/* Count the lines; 0 with an exception set if the columns don't fit each other or a line lies outside of the data. */
int block_checked(Block *block);

/* Where a line begins, and its bytes. */
const char *block_text(const Block *block, Py_ssize_t line);
uint32_t block_length(const Block *block, Py_ssize_t line);

/* The place behind the first `mark` in a text, or -1. */
Py_ssize_t block_behind(const char *text, Py_ssize_t size, const char *mark, Py_ssize_t length);

#endif
