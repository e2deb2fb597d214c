/* The hashes of a line: of its key, and of its content, in which the order of keys means nothing where its form says so.

Plan: the hash functions are Python's (xxhash), called as C where that can be; else they are shown the bytes where they
lie, through an object that lends them. Content whose order means nothing is first written with its keys sorted, as the target's own digest does it.
*/
#ifndef IMCONVERT_HASHES_H
#define IMCONVERT_HASHES_H

#include "columns.h"
#include "direct.h"

typedef struct Hashes Hashes;

/* For functions of bytes: 128 bits of a key, 64 bits of content, 64 bits of content with sorted keys; all are held. The
first two are shown bytes only while they are called. NULL with an exception set. */
Hashes *hashes_new(PyObject *key, PyObject *content, PyObject *sorted);

void hashes_free(Hashes *hashes);

int hashes_traverse(Hashes *hashes, visitproc visit, void *arg);

/* Let go of the functions. */
void hashes_clear(Hashes *hashes);

/* These two leave KEY_SIZE and DIGEST_SIZE bytes in `found`; 0 with an exception set. With `sorted` 1 the keys are sorted
here, with 2 the target's own function does it. */
int hashes_key(Hashes *hashes, const Out *key, char *found);
int hashes_content(Hashes *hashes, const Out *line, int sorted, char *found);

/* What hashes content, or NULL where only Python does. */
Narrowly *hashes_narrow(const Hashes *hashes);

#endif
