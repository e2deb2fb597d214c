#include "shape.h"

#include <string.h>

typedef struct {
    Span token;
    Span value;
} Choice;

typedef int (*Read)(const Node *node, Scan *scan, Fields *fields);

/* `count` children, with their keys if they are an object's; or choices; or a field with its scale. */
struct Node {
    Read read;
    PyObject *tuple; /* owns all bytes that keys and choices point to */
    int field;
    int scale;
    Py_ssize_t count;
    Node **children;
    Span *keys;
    Choice *choices;
};

static int keep(Fields *fields, int field, Span span, int layers)
{
    if (fields->seen & 1u << field)
        return 0;
    fields->seen |= 1u << field;
    fields->field[field].span = span;
    fields->field[field].layers = layers;
    return 1;
}

/* The child for a key, looked for from `hint` on, since records of one vendor keep their order; -1 if unknown. */
static Py_ssize_t child_of(const Node *node, Span key, Py_ssize_t hint)
{
    for (Py_ssize_t i = 0; i < node->count; i++) {
        Py_ssize_t at = hint + i < node->count ? hint + i : hint + i - node->count;
        if (node->keys[at].size == key.size && memcmp(node->keys[at].data, key.data, key.size) == 0)
            return at;
    }
    return -1;
}

/* An object's members; `all` says which of the children were there. */
static int read_members(const Node *node, Scan *scan, Fields *fields, uint64_t *all)
{
    uint64_t seen = 0;
    Py_ssize_t hint = 0;
    *all = 0;
    if (!scan_mark(scan, '{'))
        return 0;
    if (scan_mark(scan, '}'))
        return 1;
    do {
        Span key;
        Py_ssize_t child;
        if (!scan_string(scan, &key) || !scan_mark(scan, ':'))
            return 0;
        child = child_of(node, key, hint);
        if (child < 0 || seen & (uint64_t)1 << child)
            return 0;
        seen |= (uint64_t)1 << child;
        if (!node->children[child]->read(node->children[child], scan, fields))
            return 0;
        hint = child + 1 < node->count ? child + 1 : 0;
    } while (scan_mark(scan, ','));
    *all = seen;
    return scan_mark(scan, '}');
}

static int read_object(const Node *node, Scan *scan, Fields *fields)
{
    uint64_t seen;
    return read_members(node, scan, fields, &seen);
}

static int read_whole(const Node *node, Scan *scan, Fields *fields)
{
    uint64_t seen;
    return read_members(node, scan, fields, &seen) && seen == ((uint64_t)1 << node->count) - 1;
}

static int read_only(const Node *node, Scan *scan, Fields *fields)
{
    return scan_mark(scan, '[') && node->children[0]->read(node->children[0], scan, fields) && scan_mark(scan, ']');
}

static int read_text(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    return scan_string(scan, &text) && keep(fields, node->field, text, 1);
}

/* A text that says nothing if it's empty. */
static int read_some_text(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    return scan_string(scan, &text) && (!text.size || keep(fields, node->field, text, 1));
}

static int visible(unsigned char byte)
{
    return byte > ' ' && byte < 0x7F;
}

/* A text whose ends are visible ASCII, with nothing escaped in it: it stays as it is when it is trimmed. */
static int read_word(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    if (!scan_string(scan, &text) || !text.size)
        return 0;
    if (!visible(text.data[0]) || !visible(text.data[text.size - 1]) || memchr(text.data, '\\', text.size))
        return 0;
    return keep(fields, node->field, text, 1);
}

static int read_number(const Node *node, Scan *scan, Fields *fields)
{
    Span digits;
    if (!scan_number(scan, &digits))
        return 0;
    if (node->scale && digits.data[0] != '0') {
        if (digits.size + (size_t)node->scale > 18)
            return 0;
        memcpy(scan->room, digits.data, digits.size);
        memset(scan->room + digits.size, '0', (size_t)node->scale);
        digits.data = scan->room;
        digits.size += (size_t)node->scale;
        scan->room += digits.size;
    }
    return keep(fields, node->field, digits, 0);
}

static int read_digits(const Node *node, Scan *scan, Fields *fields)
{
    Span digits;
    return scan_digits(scan, &digits) && keep(fields, node->field, digits, 0);
}

/* A number that is written as a string. */
static int read_decimal(const Node *node, Scan *scan, Fields *fields)
{
    Span digits;
    return scan_decimal(scan, &digits) && keep(fields, node->field, digits, 1);
}

static int read_choice(const Node *node, Scan *scan, Fields *fields)
{
    Span token;
    if (!scan_token(scan, &token))
        return 0;
    for (Py_ssize_t i = 0; i < node->count; i++) {
        const Choice *choice = &node->choices[i];
        if (choice->token.size == token.size && memcmp(choice->token.data, token.data, token.size) == 0)
            return node->field < 0 || keep(fields, node->field, choice->value, 0);
    }
    return 0;
}

/* A string that holds JSON, which is read by the child; an empty one says nothing. */
static int read_json(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    Scan inner;
    if (!scan_meaning(scan, &text))
        return 0;
    if (!text.size)
        return 1;
    inner.at = text.data;
    inner.end = text.data + text.size;
    inner.room = scan->room;
    if (!node->children[0]->read(node->children[0], &inner, fields) || !scan_done(&inner))
        return 0;
    scan->room = inner.room;
    return 1;
}

/* A string that holds an object of the app's own, which it is from here on, or else any text that plainly is none. */
static int read_opened(const Node *node, Scan *scan, Fields *fields)
{
    Scan before = *scan;
    Span text;
    if (!scan_meaning(scan, &text))
        return 0;
    if (!text.size)
        return 1;
    if (text.data[0] == '{') {
        Scan inner = {text.data, text.data + text.size, scan->room};
        if (!scan_compact(&inner, &text) || !scan_done(&inner))
            return 0;
        scan->room = inner.room;
        return keep(fields, node->field, text, 0);
    }
    if (!visible(text.data[0]))
        return 0;
    scan->at = before.at;
    return scan_string(scan, &text) && keep(fields, node->field, text, 1);
}

static int read_object_as_it_is(const Node *node, Scan *scan, Fields *fields)
{
    Span value;
    return scan_sees(scan, '{') && scan_compact(scan, &value) && keep(fields, node->field, value, 0);
}

/* An object of the app's own; none, or an empty one, says nothing. */
static int read_extension(const Node *node, Scan *scan, Fields *fields)
{
    Span value;
    if (!scan_sees(scan, '{') && !scan_sees(scan, 'n'))
        return 0;
    if (!scan_compact(scan, &value))
        return 0;
    if (value.data[0] == 'n' || value.size == 2)
        return 1;
    return keep(fields, node->field, value, 0);
}

/* A value that is read by the child, and kept as it came beside that. */
static int read_kept(const Node *node, Scan *scan, Fields *fields)
{
    Span raw;
    if (scan_done(scan))
        return 0;
    raw.data = scan->at;
    if (!node->children[0]->read(node->children[0], scan, fields))
        return 0;
    raw.size = (size_t)(scan->at - raw.data);
    return keep(fields, node->field, raw, AS_IT_CAME);
}

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

/* A value that had to be mended to be read by the child. */
static int read_mended(const Node *node, Scan *scan, Fields *fields)
{
    fields->mended |= 1u << node->field;
    return node->children[0]->read(node->children[0], scan, fields);
}

static int read_anything(const Node *node, Scan *scan, Fields *fields)
{
    Span value;
    return scan_compact(scan, &value) && keep(fields, node->field, value, 0);
}

/* Any value; it says nothing. */
static int read_unread(const Node *node, Scan *scan, Fields *fields)
{
    Span value;
    Scan inner = *scan;
    (void)node;
    (void)fields;
    if (!scan_compact(&inner, &value))
        return 0;
    scan->at = inner.at;
    return 1;
}

static int read_refused(const Node *node, Scan *scan, Fields *fields)
{
    (void)node;
    (void)scan;
    (void)fields;
    return 0;
}

static int read_either(const Node *node, Scan *scan, Fields *fields)
{
    const Node *child = node->children[scan_sees(scan, '"') ? 0 : 1];
    return child->read(child, scan, fields);
}

static int read_ignored(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    (void)node;
    (void)fields;
    return scan_string(scan, &text);
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
    if (node->count > 0 && node->count <= 32)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a shape has 1 to 32 members");
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
        if (!span_of(PyTuple_GET_ITEM(pair, 1), &node->choices[i].value))
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
    Read read;
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
