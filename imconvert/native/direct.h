/* The C functions beneath Python's xxhash, called without Python in between.

Plan: the extension module that a Python function comes from is a shared library that exports what it calls; that is
looked up by name in what is loaded already, and asked the same questions as the Python function before it is believed.
Promise: where it isn't found, or answers otherwise, there is none, and the Python function does the work.
*/
#ifndef IMCONVERT_DIRECT_H
#define IMCONVERT_DIRECT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* As XXH128_hash_t. */
typedef struct {
    uint64_t low, high;
} Wide;

typedef uint64_t Narrowly(const void *data, size_t size);
typedef Wide Widely(const void *data, size_t size);

/* What gives the numbers of xxh3_64_digest, or of xxh3_128_digest; NULL if there is none, with no exception set. */
Narrowly *direct_narrow(PyObject *function);
Widely *direct_wide(PyObject *function);

/* The number that the bytes of a digest are. */
static inline uint64_t direct_number(const char *digest)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)digest[i];
    return number;
}

/* A number as the bytes of a digest. */
static inline void direct_put(uint64_t number, char *found)
{
    for (int i = 0; i < 8; i++)
        found[i] = (char)(number >> (56 - 8 * i));
}

#endif
