#include "ids.h"

#include <string.h>

#define LINE 64
#define SETS (1u << 14)
#define WAYS 4
#define LONG_WAYS 2

/* Up to 15 bytes of an id that is the same at the target, as nearly all are; in the top byte of `high` its size and,
above that, its layers. One without size is empty. */
typedef struct {
    uint64_t low;
    uint64_t high;
} Short;

/* The same for a longer id. */
typedef struct {
    unsigned char size;
    unsigned char layers;
    unsigned char data[LINE - 2];
} Long;

#define SHORT_SIZE 15
#define LAYER_BIT 63
#define SIZE_SHIFT 56

/* The tables begin at the beginning of a cache line, so that a set of short ids is one. */
typedef struct {
    Short shorts[SETS][WAYS];
    Long longs[SETS][LONG_WAYS];
} Tables;

struct Ids {
    PyObject *book;
    PyObject *learn;
    unsigned char flags[256]; /* of each byte, what it takes from an id */
    size_t most;
    Narrowly *hash;
    Met met;
    void *memory;
    Tables *tables;
};

/* It is not sure to be its own target; it has an app or a resource around it. */
enum { NOT_PLAIN = 1, NOT_BARE = 2 };

Ids *ids_new(PyObject *book, PyObject *learn, Span allowed, size_t most, Narrowly *hash)
{
    Ids *ids = PyMem_Calloc(1, sizeof(Ids));
    if (!ids || !(ids->memory = PyMem_Calloc(1, sizeof(Tables) + LINE)) || !met_fill(&ids->met)) {
        PyErr_NoMemory();
        if (ids)
            PyMem_Free(ids->memory);
        PyMem_Free(ids);
        return NULL;
    }
    ids->hash = hash;
    ids->tables = (Tables *)(((uintptr_t)ids->memory + LINE - 1) & ~(uintptr_t)(LINE - 1));
    ids->book = Py_NewRef(book);
    ids->learn = Py_NewRef(learn);
    ids->most = most < ID_SIZE ? most : ID_SIZE;
    memset(ids->flags, NOT_PLAIN, sizeof ids->flags);
    for (size_t i = 0; i < allowed.size; i++)
        ids->flags[allowed.data[i]] &= (unsigned char)~NOT_PLAIN;
    for (const unsigned char *at = (const unsigned char *)"#@/"; *at; at++)
        ids->flags[*at] |= NOT_BARE;
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
    if (!ids)
        return;
    ids_clear(ids);
    met_clear(&ids->met);
    PyMem_Free(ids->memory);
    PyMem_Free(ids);
}

static uint64_t eight(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
    return word;
}

static uint64_t four(const unsigned char *at)
{
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}

static uint64_t mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 32;
}

/* Up to 15 bytes as two words; different ids of one size are different pairs. */
static Short short_of(Span id)
{
    const unsigned char *at = id.data;
    if (id.size >= 8)
        return (Short){eight(at), eight(at + id.size - 8) >> 8 | (uint64_t)id.size << SIZE_SHIFT};
    if (id.size >= 4)
        return (Short){four(at) | four(at + id.size - 4) << 32, (uint64_t)id.size << SIZE_SHIFT};
    return (Short){at[0] | (uint64_t)at[id.size / 2] << 8 | (uint64_t)at[id.size - 1] << 16,
                   (uint64_t)id.size << SIZE_SHIFT};
}

static uint32_t set_of_short(Short id)
{
    return (uint32_t)(mixed(mixed(0, id.low), id.high) & (SETS - 1));
}

static uint32_t set_of_long(Span id)
{
    uint64_t hash = id.size;
    for (size_t at = 0; at + 8 <= id.size; at += 8)
        hash = mixed(hash, eight(id.data + at));
    return (uint32_t)(mixed(hash, eight(id.data + id.size - 8)) & (SETS - 1));
}

/* What the bytes of an id take from it. */
static int flags_of(const Ids *ids, Span id)
{
    unsigned char found = 0;
    for (size_t i = 0; i < id.size; i++)
        found |= ids->flags[id.data[i]];
    return found;
}

/* A target id as a field; 0 if it can't be one, with or without an exception set. */
static int write_id(PyObject *target, Id *room, Field *found)
{
    Py_ssize_t size;
    const char *text;
    found->span.data = room->data;
    if (PyLong_Check(target)) {
        long long number = PyLong_AsLongLong(target);
        if (number == -1 && PyErr_Occurred())
            return 0;
        found->span.size = (size_t)snprintf((char *)room->data, ID_SIZE, "%lld", number);
        found->layers = 0;
        return 1;
    }
    if (!(text = PyUnicode_AsUTF8AndSize(target, &size)) || size > ID_SIZE)
        return 0;
    for (Py_ssize_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == '"' || text[i] == '\\')
            return 0;
    }
    memcpy(room->data, text, (size_t)size);
    found->span.size = (size_t)size;
    found->layers = 1;
    return 1;
}

/* Whether an id is its own target, whatever else the book holds. */
static int is_plain(const Ids *ids, Span id)
{
    return id.size <= ids->most && !(flags_of(ids, id) & NOT_PLAIN);
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
    if (!found && !PyErr_Occurred() && !(bare && flags_of(ids, source) & NOT_BARE))
        found = learned(ids, source, name);
    Py_DECREF(name);
    return found;
}

/* Ask the book; 1 if it says that the id is the same at the target, 2 if it is another one. */
static int from_book(Ids *ids, Span source, int bare, Id *room, Field *found)
{
    PyObject *target = ask(ids, source, bare);
    int done = target && write_id(target, room, found);
    Py_XDECREF(target);
    if (!done)
        return 0;
    if (found->span.size != source.size || memcmp(found->span.data, source.data, source.size) != 0)
        return 2;
    found->span = source;
    return 1;
}

/* A new id takes the place of the one that came first into its set. */
static int find_short(Ids *ids, Span source, int bare, Id *room, Field *found)
{
    const uint64_t layer = (uint64_t)1 << LAYER_BIT;
    Short id = short_of(source);
    Short *set = ids->tables->shorts[set_of_short(id)];
    int done;
    for (int way = 0; way < WAYS; way++) {
        if (set[way].low == id.low && (set[way].high & ~layer) == id.high) {
            *found = (Field){source, set[way].high >> LAYER_BIT};
            return 1;
        }
    }
    done = from_book(ids, source, bare, room, found);
    if (done == 1) {
        memmove(set + 1, set, (WAYS - 1) * sizeof *set);
        id.high |= found->layers ? layer : 0;
        set[0] = id;
    }
    return done;
}

static int find_long(Ids *ids, Span source, int bare, Id *room, Field *found)
{
    Long *set = ids->tables->longs[set_of_long(source)];
    int done;
    for (int way = 0; way < LONG_WAYS; way++) {
        if (set[way].size == source.size && memcmp(set[way].data, source.data, source.size) == 0) {
            *found = (Field){source, set[way].layers};
            return 1;
        }
    }
    done = from_book(ids, source, bare, room, found);
    if (done == 1) {
        memmove(set + 1, set, (LONG_WAYS - 1) * sizeof *set);
        set[0].size = (unsigned char)source.size;
        set[0].layers = (unsigned char)found->layers;
        memcpy(set[0].data, source.data, source.size);
    }
    return done;
}

uint64_t ids_expect(const Ids *ids, Span source, int bare)
{
    if (!source.size || source.size > ID_SIZE)
        return 0;
    if (ids->hash && source.size <= ids->most && !(flags_of(ids, source) & (NOT_PLAIN | (bare ? NOT_BARE : 0)))) {
        uint64_t hash = ids->hash(source.data, source.size);
        met_expect(&ids->met, hash);
        return hash;
    }
#ifdef __GNUC__
    if (source.size <= SHORT_SIZE)
        __builtin_prefetch(ids->tables->shorts[set_of_short(short_of(source))]);
    else
        __builtin_prefetch(ids->tables->longs[set_of_long(source)]);
#endif
    return 0;
}

PyObject *ids_met(const Ids *ids)
{
    return met_all(&ids->met);
}

int ids_find(Ids *ids, Span source, uint64_t hash, int bare, Id *room, Field *found)
{
    if (hash) {
        *found = (Field){source, 1};
        return met_add(&ids->met, hash);
    }
    if (!source.size || source.size > ID_SIZE || memchr(source.data, '\\', source.size))
        return 0;
    return (source.size <= SHORT_SIZE ? find_short : find_long)(ids, source, bare, room, found) != 0;
}
