/* Look ids up in a book of ids, with the recent ones at hand.

Plan: an id that the target takes as it is, whatever else it is told, is its own target without a look; that it was met
is kept as its hash. Of the others, tables of fixed size in front of the dictionary hold those that don't change, a few
to a set, the newer win; one of usual length is found with one look at memory. What a book has told once stays true for
the book's life.
*/
#ifndef IMCONVERT_IDS_H
#define IMCONVERT_IDS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "direct.h"
#include "met.h"
#include "shape.h"

/* The longest id in bytes that is taken. */
#define ID_SIZE 61

/* Room for an id of the target that is another one than the source's. */
typedef struct {
    unsigned char data[ID_SIZE];
} Id;

typedef struct Ids Ids;

/* For a book (a dict) and its `learn`; both are held. Ids of up to `most` of the `allowed` bytes are their own targets;
with `hash` they never come into the book. NULL with an exception set. */
Ids *ids_new(PyObject *book, PyObject *learn, Span allowed, size_t most, Narrowly *hash);

void ids_free(Ids *ids);

int ids_traverse(Ids *ids, visitproc visit, void *arg);

/* Let go of the book. */
void ids_clear(Ids *ids);

/* Say that an id will soon be asked for; where it may be known is fetched meanwhile. Gives its hash if it is its own
target, else 0. */
uint64_t ids_expect(const Ids *ids, Span source, int bare);

/* The hashes of the ids that never came into the book, as u8, or NULL with an exception set. */
PyObject *ids_met(const Ids *ids);

/* The target id of a source id as a field: the source's own bytes, or others in `room`, which need no escaping; in one
string, or none for a number. 0, with or without an exception set, if there is none. `hash` is what `ids_expect` gave;
`bare` refuses to learn ids that have an app or a resource around them. */
int ids_find(Ids *ids, Span source, uint64_t hash, int bare, Id *room, Field *found);

#endif
