/* The lines of one stream that gather from a batch, as columns of plain bytes.

Promise: the same columns as vendors/contract.py's, given as bytes that NumPy reads without a copy.
*/
#ifndef IMCONVERT_COLUMNS_H
#define IMCONVERT_COLUMNS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "scan.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "columns are little-endian: this machine does without the part in C"
#endif

#define KEY_SIZE 16
#define DIGEST_SIZE 8
#define NOWHERE (-1)

/* Bytes that grow. */
typedef struct {
    unsigned char *data;
    size_t size;
    size_t room;
} Out;

/* Make more room than there is; 0 with an exception set if there is none. */
int out_grow(Out *out, size_t more);

/* Make room for `more` bytes; 0 with an exception set if there is none. */
static inline int out_reserve(Out *out, size_t more)
{
    return out->room - out->size >= more || out_grow(out, more);
}

/* Add bytes for which there is room; most are few, and a call would cost more than to copy them. */
static inline void out_add(Out *out, const void *data, size_t size)
{
    unsigned char *to = out->data + out->size;
    const unsigned char *from = data;
    if (size > 32) {
        memcpy(to, from, size);
    } else if (size >= 16) {
        memcpy(to, from, 16);
        memcpy(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        memcpy(to, from, 8);
        memcpy(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
        memcpy(to, from, 4);
        memcpy(to + size - 4, from + size - 4, 4);
    } else if (size) {
        to[0] = from[0];
        to[size / 2] = from[size / 2];
        to[size - 1] = from[size - 1];
    }
    out->size += size;
}

/* Add the first `size` bytes of a mark, for which there is room. */
static inline void out_mark(Out *out, const char *mark, int size)
{
    for (int i = 0; i < size; i++)
        out->data[out->size++] = (unsigned char)mark[i];
}

typedef struct Columns Columns;

/* The type, as a new reference, or NULL with an exception set. */
PyObject *columns_type(void);

/* The columns behind an object that `columns_type` made. */
int columns_check(PyObject *object);

/* Say at which byte of its batch the record begins whose lines are added next; NOWHERE where that is not told. */
void columns_stand_at(PyObject *object, int64_t offset);

/* Add a line without its newline; key and digest have KEY_SIZE and DIGEST_SIZE bytes. 0 with an exception set. */
int columns_add(PyObject *object, Span line, const char *key, const char *digest, uint64_t msgid, int64_t time,
                int64_t source);

/* Say that the number of the line added last was made of a name, with the name's hash of KEY_SIZE bytes. */
int columns_add_name(PyObject *object, const char *hash);

#endif
