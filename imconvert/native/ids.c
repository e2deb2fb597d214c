#include "ids.h"

#include <string.h>

#define SLOTS (1u << 16)

/* An id that is the same at the target, as nearly all are; an empty slot has size 0. One cache line. */
typedef struct {
    Id id;
    unsigned char spare;
} Entry;

struct Ids {
    PyObject *book;
    PyObject *learn;
    Entry entries[SLOTS];
};

Ids *ids_new(PyObject *book, PyObject *learn)
{
    Ids *ids = PyMem_Calloc(1, sizeof(Ids));
    if (!ids) {
        PyErr_NoMemory();
        return NULL;
    }
    ids->book = Py_NewRef(book);
    ids->learn = Py_NewRef(learn);
    return ids;
}

int ids_traverse(Ids *ids, visitproc visit, void *arg)
{
    Py_VISIT(ids->book);
    Py_VISIT(ids->learn);
    return 0;
}

void ids_clear(Ids *ids)
{
    Py_CLEAR(ids->book);
    Py_CLEAR(ids->learn);
}

void ids_free(Ids *ids)
{
    if (ids)
        ids_clear(ids);
    PyMem_Free(ids);
}

/* Where an id belongs in the table. */
static uint32_t slot_of(Span id)
{
    uint64_t hash = id.size * 0x9E3779B97F4A7C15u;
    for (size_t at = 0; at < id.size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, id.data + at, id.size - at < 8 ? id.size - at : 8);
        hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    return (uint32_t)(hash & (SLOTS - 1));
}

/* Whether an id has neither an app nor a resource around it. */
static int is_bare(Span id)
{
    return !memchr(id.data, '#', id.size) && !memchr(id.data, '@', id.size) && !memchr(id.data, '/', id.size);
}

static int is_same(const Id *id, Span source)
{
    return id->size == source.size && memcmp(id->data, source.data, source.size) == 0;
}

/* A target id as bytes; 0 if it can't be one, with or without an exception set. */
static int write_id(PyObject *target, Id *id)
{
    Py_ssize_t size;
    const char *text;
    if (PyLong_Check(target)) {
        long long number = PyLong_AsLongLong(target);
        if (number == -1 && PyErr_Occurred())
            return 0;
        id->size = (unsigned char)snprintf((char *)id->data, ID_SIZE, "%lld", number);
        id->layers = 0;
        return 1;
    }
    if (!(text = PyUnicode_AsUTF8AndSize(target, &size)) || size > ID_SIZE)
        return 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == '"' || text[i] == '\\')
            return 0;
    }
    memcpy(id->data, text, (size_t)size);
    id->size = (unsigned char)size;
    id->layers = 1;
    return 1;
}

/* The target of an id in the book or learned by it, as a new reference. */
static PyObject *ask(Ids *ids, Span source, int bare)
{
    PyObject *found, *name = PyUnicode_DecodeUTF8((const char *)source.data, (Py_ssize_t)source.size, NULL);
    if (!name)
        return NULL;
    found = Py_XNewRef(PyDict_GetItemWithError(ids->book, name));
    if (!found && !PyErr_Occurred() && (!bare || is_bare(source))) {
        found = PyObject_CallOneArg(ids->learn, name);
        if (!found && PyErr_ExceptionMatches(PyExc_KeyError))
            PyErr_Clear();
    }
    Py_DECREF(name);
    return found;
}

int ids_find(Ids *ids, Span source, int bare, Id *found)
{
    Entry *entry;
    PyObject *target;
    int done;
    if (!source.size || source.size > ID_SIZE || memchr(source.data, '\\', source.size))
        return 0;
    entry = &ids->entries[slot_of(source)];
    if (is_same(&entry->id, source)) {
        *found = entry->id;
        return 1;
    }
    if (!(target = ask(ids, source, bare)))
        return 0;
    done = write_id(target, found);
    Py_DECREF(target);
    if (done && is_same(found, source))
        entry->id = *found;
    return done;
}
