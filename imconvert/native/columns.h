/* The lines of one stream that gather from a batch, as columns of plain bytes.

Promise: the same columns as vendors/contract.py's, given as bytes that NumPy reads without a copy.
*/
#ifndef IMCONVERT_COLUMNS_H
#define IMCONVERT_COLUMNS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "scan.h"

#define KEY_SIZE 16
#define DIGEST_SIZE 8
#define NOWHERE (-1)

/* Bytes that grow. */
typedef struct {
    unsigned char *data;
    size_t size;
    size_t room;
} Out;

/* Make room for `more` bytes; 0 with an exception set if there is none. */
int out_reserve(Out *out, size_t more);

/* Add bytes for which there is room. */
void out_add(Out *out, const void *data, size_t size);

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

#endif
