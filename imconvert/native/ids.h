/* Look ids up in a book of ids, with the recent ones at hand.

Plan: tables of fixed size in front of the dictionary hold ids that don't change, a few to a set, the newer win; an id
of usual length is found with one look at memory. What a book has told once stays true for the book's life.
*/
#ifndef IMCONVERT_IDS_H
#define IMCONVERT_IDS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shape.h"

/* The longest id in bytes that is taken. */
#define ID_SIZE 61

/* Room for an id of the target that is another one than the source's. */
typedef struct {
    unsigned char data[ID_SIZE];
} Id;

typedef struct Ids Ids;

/* For a book (a dict) and its `learn`; both are held. Ids of up to `most` of the `allowed` bytes are their own targets
and are put into the book without asking. NULL with an exception set. */
Ids *ids_new(PyObject *book, PyObject *learn, Span allowed, size_t most);

void ids_free(Ids *ids);

int ids_traverse(Ids *ids, visitproc visit, void *arg);

/* Let go of the book. */
void ids_clear(Ids *ids);

/* Say that an id will soon be asked for; where it may be known is fetched meanwhile. */
void ids_expect(const Ids *ids, Span source);

/* The target id of a source id as a field: the source's own bytes, or others in `room`, which need no escaping; in one
string, or none for a number. 0, with or without an exception set, if there is none. `bare` refuses to learn ids that
have an app or a resource around them. */
int ids_find(Ids *ids, Span source, int bare, Id *room, Field *found);

#endif
