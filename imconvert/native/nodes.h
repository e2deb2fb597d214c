/* How the nodes of a shape read: a function for each word that a tree may have; vendors/shapes.py says what they mean. */
#ifndef IMCONVERT_NODES_H
#define IMCONVERT_NODES_H

#include "shape.h"

/* A token, and what it means: nothing where there is no value. */
typedef struct {
    Span token;
    Span value;
} Choice;

typedef int Read(const Node *node, Scan *scan, Fields *fields);

/* `count` children, with their keys if they are an object's; or choices; or a field with its scale. */
struct Node {
    Read *read;
    PyObject *tuple; /* owns all bytes that keys and choices point to */
    int field;
    int scale;
    Py_ssize_t count;
    Node **children;
    Span *keys;
    Choice *choices;
    Span refused;
};


/* Keep what was read as a field; 0 if there is one already. */
static inline int keep(Fields *fields, int field, Span span, int layers)
{
    if (fields->seen & (Set)1 << field)
        return 0;
    fields->seen |= (Set)1 << field;
    fields->field[field].span = span;
    fields->field[field].layers = layers;
    return 1;
}

Read read_object, read_whole, read_only, read_text, read_some_text, read_word, read_number, read_digits, read_decimal,
    read_choice, read_json, read_object_as_it_is, read_extension, read_kept, read_anything, read_unread, read_refused,
    read_either, read_ignored, read_some_number, read_without, read_suffix, read_wall, read_by_kind, read_pick, read_class, read_opened,
    read_mended;

#endif
