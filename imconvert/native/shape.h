/* Read the fields of one record by a shape: a tree that says which key holds which field, and in which form.

Promise: a record either fits the shape whole, every key known and none twice, or is refused.
*/
#ifndef IMCONVERT_SHAPE_H
#define IMCONVERT_SHAPE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "scan.h"

/* The fields that a record of any vendor can have; vendors/shapes.py names them in this order. */
enum {
    KIND, CHAT, MSGID, TIME, CLIENT, SENDER, RECEIVER, MEMBER, GROUP, SOURCE, COUNTER, RANDOM, WALL, ECHO_ID, ECHO_NAME,
    EXT, OTHER, TEXT, URL, NAME, SUFFIX, MD5, DURATION, WIDTH, HEIGHT, SIZE, TITLE, LONGITUDE, LATITUDE, CONTENT, EXTRA,
    FIELDS = EXTRA + 16
};

typedef struct {
    Span span;
    int layers; /* how many strings it is escaped for, or AS_IT_CAME */
} Field;

/* A JSON value that is not compact yet. */
#define AS_IT_CAME (-1)

/* What had to be mended in a record; vendors/shapes.py names them in this order. */
enum { MARKED, LABELLED, NUMBER_IN_STRING, TIME_SCALED, NAMED_BY_URL };

/* Fields as bits. */
typedef uint64_t Set;

/* A record's fields; bit n of `seen` says that field n is there, bit n of `mended` that mending n was needed. */
typedef struct {
    Set seen;
    uint32_t mended;
    Field field[FIELDS];
} Fields;

static inline int has(const Fields *fields, int field)
{
    return (fields->seen >> field) & 1;
}

typedef struct Node Node;

/* A tree from nested tuples (word, ...); NULL with an exception set if they are none. */
Node *shape_new(PyObject *tuple);

void shape_free(Node *node);

/* Read one value by `node`; 1 if it fits, else 0. */
int shape_read(const Node *node, Scan *scan, Fields *fields);

/* Make a field that was kept as it came compact; 1 if it can be, or if there was nothing to do. */
int shape_compact(Fields *fields, int field, Scan *scan);

#endif
