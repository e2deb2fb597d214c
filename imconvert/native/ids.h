/* Look ids up in a book of ids, with the recent ones at hand.

Plan: a table of fixed size in front of the dictionary holds ids that don't change, a few to a set, the newer win. What
a book has told once stays true for the book's life.
*/
#ifndef IMCONVERT_IDS_H
#define IMCONVERT_IDS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "scan.h"

/* The longest id in bytes that is taken. */
#define ID_SIZE 61

/* An id of the target: text that needs no escaping, in `layers` strings; 0 for a number. */
typedef struct {
    unsigned char size;
    unsigned char layers;
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

/* The target id of a source id; 0, with or without an exception set, if there is none. `bare` refuses to learn ids
that have an app or a resource around them. */
int ids_find(Ids *ids, Span source, int bare, Id *found);

#endif
