#include "ids.h"

#include <string.h>

#define WAYS 4
#define SETS (1u << 14)

/* An id that is the same at the target, as nearly all are; an empty one has size 0. One cache line. */
typedef struct {
    Id id;
    unsigned char spare;
} Entry;

/* Parts of the hashes of a set's entries, so that an entry is only looked at if it is most probably the one. */
typedef struct {
    uint16_t tag[WAYS];
} Tags;

struct Ids {
    PyObject *book;
    PyObject *learn;
    unsigned char allowed[256];
    size_t most;
    Tags tags[SETS];
    Entry entries[SETS][WAYS];
};

Ids *ids_new(PyObject *book, PyObject *learn, Span allowed, size_t most)
{
    Ids *ids = PyMem_Calloc(1, sizeof(Ids));
    if (!ids) {
        PyErr_NoMemory();
        return NULL;
    }
    ids->book = Py_NewRef(book);
    ids->learn = Py_NewRef(learn);
    ids->most = most < ID_SIZE ? most : ID_SIZE;
    for (size_t i = 0; i < allowed.size; i++)
        ids->allowed[allowed.data[i]] = 1;
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

static uint64_t hash_of(Span id)
{
    uint64_t hash = id.size * 0x9E3779B97F4A7C15u;
    for (size_t at = 0; at < id.size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, id.data + at, id.size - at < 8 ? id.size - at : 8);
        hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    return hash;
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

/* Whether an id is its own target, whatever else the book holds. */
static int is_plain(const Ids *ids, Span id)
{
    if (id.size > ids->most)
        return 0;
    for (size_t i = 0; i < id.size; i++) {
        if (!ids->allowed[id.data[i]])
            return 0;
    }
    return 1;
}

/* What the book makes of an id that it has not met, as a new reference. */
static PyObject *learned(Ids *ids, Span source, PyObject *name)
{
    PyObject *found;
    if (is_plain(ids, source))
        return PyDict_SetItem(ids->book, name, name) < 0 ? NULL : Py_NewRef(name);
    found = PyObject_CallOneArg(ids->learn, name);
    if (!found && PyErr_ExceptionMatches(PyExc_KeyError))
        PyErr_Clear();
    return found;
}

/* The target of an id in the book or learned by it, as a new reference. */
static PyObject *ask(Ids *ids, Span source, int bare)
{
    PyObject *found, *name = PyUnicode_DecodeUTF8((const char *)source.data, (Py_ssize_t)source.size, NULL);
    if (!name)
        return NULL;
    found = Py_XNewRef(PyDict_GetItemWithError(ids->book, name));
    if (!found && !PyErr_Occurred() && (!bare || is_bare(source)))
        found = learned(ids, source, name);
    Py_DECREF(name);
    return found;
}

/* The place in a set of an id whose hash has this tag; WAYS if it is not there. */
static int way_of(const Ids *ids, uint32_t set, uint16_t tag, Span source)
{
    int way = 0;
    while (way < WAYS && (ids->tags[set].tag[way] != tag || !is_same(&ids->entries[set][way].id, source)))
        way++;
    return way;
}

/* Put an id into a set, in place of the one that came into it first. */
static void put(Ids *ids, uint32_t set, uint16_t tag, const Id *id)
{
    Entry *entries = ids->entries[set];
    memmove(entries + 1, entries, (WAYS - 1) * sizeof *entries);
    memmove(ids->tags[set].tag + 1, ids->tags[set].tag, (WAYS - 1) * sizeof(uint16_t));
    entries->id = *id;
    ids->tags[set].tag[0] = tag;
}

int ids_find(Ids *ids, Span source, int bare, Id *found)
{
    uint64_t hash;
    uint32_t set;
    uint16_t tag;
    int way, done;
    PyObject *target;
    if (!source.size || source.size > ID_SIZE || memchr(source.data, '\\', source.size))
        return 0;
    hash = hash_of(source);
    set = (uint32_t)(hash & (SETS - 1));
    tag = (uint16_t)(hash >> 48);
    way = way_of(ids, set, tag, source);
    if (way < WAYS) {
        *found = ids->entries[set][way].id;
        return 1;
    }
    if (!(target = ask(ids, source, bare)))
        return 0;
    done = write_id(target, found);
    Py_DECREF(target);
    if (done && is_same(found, source))
        put(ids, set, tag, found);
    return done;
}
