#include "nodes.h"

#include <string.h>

int shape_compact(Fields *fields, int field, Scan *scan)
{
    Field *found = &fields->field[field];
    Scan inner = {found->span.data, found->span.data + found->span.size, scan->room};
    if (found->layers != AS_IT_CAME)
        return 1;
    if (!scan_compact(&inner, &found->span))
        return 0;
    scan->room = inner.room;
    found->layers = 0;
    return 1;
}

int shape_read(const Node *node, Scan *scan, Fields *fields)
{
    return node->read(node, scan, fields);
}

void shape_free(Node *node)
{
    if (!node)
        return;
    for (Py_ssize_t i = 0; node->children && i < node->count; i++)
        shape_free(node->children[i]);
    PyMem_Free(node->children);
    PyMem_Free(node->keys);
    PyMem_Free(node->choices);
    Py_XDECREF(node->tuple);
    PyMem_Free(node);
}

static int span_of(PyObject *bytes, Span *span)
{
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0)
        return 0;
    span->data = (const unsigned char *)data;
    span->size = (size_t)size;
    return 1;
}

static int number_at(PyObject *tuple, Py_ssize_t at, long most, int *number)
{
    long found;
    if (at >= PyTuple_GET_SIZE(tuple)) {
        PyErr_SetString(PyExc_ValueError, "a shape lacks a number");
        return 0;
    }
    found = PyLong_AsLong(PyTuple_GET_ITEM(tuple, at));
    if (found < 0 || found > most) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a number in a shape is out of range");
        return 0;
    }
    *number = (int)found;
    return 1;
}

static int with_field(Node *node)
{
    return number_at(node->tuple, 1, FIELDS - 1, &node->field);
}

static int with_scale(Node *node)
{
    return with_field(node) && number_at(node->tuple, 2, 9, &node->scale);
}

static int with_refused(Node *node)
{
    if (PyTuple_GET_SIZE(node->tuple) == 3)
        return with_field(node) && span_of(PyTuple_GET_ITEM(node->tuple, 2), &node->refused);
    PyErr_SetString(PyExc_ValueError, "this shape has a field and bytes");
    return 0;
}

static int with_children(Node *node)
{
    node->children = PyMem_Calloc((size_t)node->count, sizeof(Node *));
    if (!node->children) {
        PyErr_NoMemory();
        return 0;
    }
    for (Py_ssize_t i = 0; i < node->count; i++) {
        if (!(node->children[i] = shape_new(PyTuple_GET_ITEM(node->tuple, i + 1))))
            return 0;
    }
    return 1;
}

static int with_one(Node *node)
{
    node->count = 1;
    if (PyTuple_GET_SIZE(node->tuple) == 2)
        return with_children(node);
    PyErr_SetString(PyExc_ValueError, "this shape has one child");
    return 0;
}

static int with_field_and_one(Node *node)
{
    PyObject *child;
    if (PyTuple_GET_SIZE(node->tuple) != 3) {
        PyErr_SetString(PyExc_ValueError, "this shape has a field and a child");
        return 0;
    }
    if (!with_field(node))
        return 0;
    if (!(node->children = PyMem_Calloc(1, sizeof(Node *)))) {
        PyErr_NoMemory();
        return 0;
    }
    child = PyTuple_GET_ITEM(node->tuple, 2);
    node->count = 1;
    return (node->children[0] = shape_new(child)) != NULL;
}

static int with_two(Node *node)
{
    node->count = 2;
    if (PyTuple_GET_SIZE(node->tuple) == 3)
        return with_children(node);
    PyErr_SetString(PyExc_ValueError, "this shape has two children");
    return 0;
}

#define MOST_MEMBERS 63

/* The pairs behind the first `skip` items, at most as many as `seen` of read_members has bits. */
static int pairs_of(Node *node, Py_ssize_t skip)
{
    node->count = PyTuple_GET_SIZE(node->tuple) - skip;
    for (Py_ssize_t i = 0; i < node->count; i++) {
        PyObject *pair = PyTuple_GET_ITEM(node->tuple, i + skip);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_ValueError, "a shape lacks a pair");
            node->count = 0;
            return 0;
        }
    }
    if (node->count > 0 && node->count <= MOST_MEMBERS)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a shape has 1 to 63 members");
    node->count = 0;
    return 0;
}

static int with_keys(Node *node)
{
    if (!pairs_of(node, 1))
        return 0;
    node->keys = PyMem_Calloc((size_t)node->count, sizeof(Span));
    node->children = PyMem_Calloc((size_t)node->count, sizeof(Node *));
    if (!node->keys || !node->children) {
        PyErr_NoMemory();
        return 0;
    }
    for (Py_ssize_t i = 0; i < node->count; i++) {
        PyObject *pair = PyTuple_GET_ITEM(node->tuple, i + 1);
        if (!span_of(PyTuple_GET_ITEM(pair, 0), &node->keys[i]))
            return 0;
        if (!(node->children[i] = shape_new(PyTuple_GET_ITEM(pair, 1))))
            return 0;
    }
    return 1;
}

static int fill_choices(Node *node, Py_ssize_t skip)
{
    if (!pairs_of(node, skip))
        return 0;
    node->choices = PyMem_Calloc((size_t)node->count, sizeof(Choice));
    if (!node->choices) {
        PyErr_NoMemory();
        return 0;
    }
    for (Py_ssize_t i = 0; i < node->count; i++) {
        PyObject *pair = PyTuple_GET_ITEM(node->tuple, i + skip);
        if (!span_of(PyTuple_GET_ITEM(pair, 0), &node->choices[i].token))
            return 0;
        if (PyTuple_GET_ITEM(pair, 1) != Py_None && !span_of(PyTuple_GET_ITEM(pair, 1), &node->choices[i].value))
            return 0;
        if ((node->field == KIND || node->field == CHAT) && node->choices[i].value.size != 1) {
            PyErr_SetString(PyExc_ValueError, "kinds and chats are single bytes");
            return 0;
        }
    }
    return 1;
}

static int with_choices(Node *node)
{
    return with_field(node) && fill_choices(node, 2);
}

/* A field, the beginning that names of no choice must not have, and choices. */
static int with_classes(Node *node)
{
    if (PyTuple_GET_SIZE(node->tuple) < 4) {
        PyErr_SetString(PyExc_ValueError, "this shape has a field, bytes and choices");
        return 0;
    }
    return with_field(node) && span_of(PyTuple_GET_ITEM(node->tuple, 2), &node->refused) && fill_choices(node, 3);
}

/* Choices that only have to be one of these. */
static int with_tokens(Node *node)
{
    node->field = -1;
    return fill_choices(node, 1);
}

static int with_nothing(Node *node)
{
    (void)node;
    return 1;
}

static const struct {
    const char *word;
    Read *read;
    int (*fill)(Node *node);
} WORDS[] = {
    {"object", read_object, with_keys},
    {"whole", read_whole, with_keys},
    {"only", read_only, with_one},
    {"text", read_text, with_field},
    {"some-text", read_some_text, with_field},
    {"word", read_word, with_field},
    {"number", read_number, with_scale},
    {"digits", read_digits, with_field},
    {"decimal", read_decimal, with_field},
    {"choice", read_choice, with_choices},
    {"among", read_choice, with_tokens},
    {"json", read_json, with_one},
    {"opened", read_opened, with_field},
    {"content", read_object_as_it_is, with_field},
    {"extension", read_extension, with_field},
    {"kept", read_kept, with_field_and_one},
    {"mended", read_mended, with_field_and_one},
    {"anything", read_anything, with_field},
    {"unread", read_unread, with_nothing},
    {"refused", read_refused, with_nothing},
    {"either", read_either, with_two},
    {"ignored", read_ignored, with_nothing},
    {"some-number", read_some_number, with_field},
    {"without", read_without, with_refused},
    {"suffix", read_suffix, with_field},
    {"wall", read_wall, with_field},
    {"by-kind", read_by_kind, with_keys},
    {"class", read_class, with_classes},
    {"pick", read_pick, with_field_and_one},
};

Node *shape_new(PyObject *tuple)
{
    const char *word;
    Node *node;
    if (!PyTuple_Check(tuple) || !PyTuple_GET_SIZE(tuple) || !(word = PyUnicode_AsUTF8(PyTuple_GET_ITEM(tuple, 0)))) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a shape is a tuple that begins with a word");
        return NULL;
    }
    if (!(node = PyMem_Calloc(1, sizeof(Node)))) {
        PyErr_NoMemory();
        return NULL;
    }
    node->tuple = Py_NewRef(tuple);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strcmp(WORDS[i].word, word) == 0) {
            node->read = WORDS[i].read;
            if (WORDS[i].fill(node))
                return node;
            shape_free(node);
            return NULL;
        }
    }
    PyErr_Format(PyExc_ValueError, "no shape is called %s", word);
    shape_free(node);
    return NULL;
}
