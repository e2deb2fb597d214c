#include "columns.h"

enum { LINES, LENGTHS, KEYS, DIGESTS, MSGIDS, TIMES, SOURCES, OFFSETS, NAMES, COLUMNS };

struct Columns {
    PyObject_HEAD
    Py_ssize_t count;
    int64_t offset;
    Out column[COLUMNS];
};

int out_grow(Out *out, size_t more)
{
    size_t room = (out->size + more) * 2;
    unsigned char *data = PyMem_Realloc(out->data, room);
    if (!data) {
        PyErr_NoMemory();
        return 0;
    }
    out->data = data;
    out->room = room;
    return 1;
}

static int add(Out *out, const void *data, size_t size)
{
    if (!out_reserve(out, size))
        return 0;
    out_add(out, data, size);
    return 1;
}

int columns_add(PyObject *object, Span line, const char *key, const char *digest, uint64_t msgid, int64_t time,
                int64_t source)
{
    Columns *self = (Columns *)object;
    uint32_t length = (uint32_t)line.size;
    Out *column = self->column;
    if (line.size >= UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "a line is longer than 4 GiB");
        return 0;
    }
    if (!out_reserve(&column[LINES], line.size + 1))
        return 0;
    out_add(&column[LINES], line.data, line.size);
    out_add(&column[LINES], "\n", 1);
    self->count++;
    return add(&column[LENGTHS], &length, sizeof length) && add(&column[KEYS], key, KEY_SIZE) &&
           add(&column[DIGESTS], digest, DIGEST_SIZE) && add(&column[MSGIDS], &msgid, sizeof msgid) &&
           add(&column[TIMES], &time, sizeof time) && add(&column[SOURCES], &source, sizeof source) &&
           (self->offset == NOWHERE || add(&column[OFFSETS], &self->offset, sizeof self->offset));
}

int columns_add_name(PyObject *object, const char *hash)
{
    Columns *self = (Columns *)object;
    int64_t row = self->count - 1;
    return add(&self->column[NAMES], &row, sizeof row) && add(&self->column[NAMES], hash, KEY_SIZE);
}

void columns_stand_at(PyObject *object, int64_t offset)
{
    ((Columns *)object)->offset = offset;
}

static PyObject *method_add(PyObject *self, PyObject *arguments)
{
    PyObject *stream;
    const char *key, *data, *digest;
    Py_ssize_t key_size, size, digest_size;
    unsigned long long msgid;
    long long time, source;
    if (!PyArg_ParseTuple(arguments, "(Oy#y#y#KL)L", &stream, &key, &key_size, &data, &size, &digest, &digest_size,
                          &msgid, &time, &source))
        return NULL;
    if (key_size != KEY_SIZE || digest_size != DIGEST_SIZE) {
        PyErr_SetString(PyExc_ValueError, "a key has 16 bytes, a digest 8");
        return NULL;
    }
    if (!columns_add(self, (Span){(const unsigned char *)data, (size_t)size}, key, digest, msgid, time, source))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *method_take(PyObject *object, PyObject *ignored)
{
    Columns *self = (Columns *)object;
    PyObject *taken = PyTuple_New(COLUMNS);
    (void)ignored;
    for (int i = 0; taken && i < COLUMNS; i++) {
        Out *out = &self->column[i];
        PyObject *bytes = PyBytes_FromStringAndSize((const char *)out->data, (Py_ssize_t)out->size);
        if (!bytes) {
            Py_CLEAR(taken);
            break;
        }
        PyTuple_SET_ITEM(taken, i, bytes);
    }
    for (int i = 0; taken && i < COLUMNS; i++)
        self->column[i].size = 0;
    if (taken)
        self->count = 0;
    return taken;
}

static Py_ssize_t length_of(PyObject *self)
{
    return ((Columns *)self)->count;
}

static PyObject *new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    Columns *self = (Columns *)type->tp_alloc(type, 0);
    (void)arguments;
    (void)keywords;
    if (self)
        self->offset = NOWHERE;
    return (PyObject *)self;
}

static void dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    for (int i = 0; i < COLUMNS; i++)
        PyMem_Free(((Columns *)object)->column[i].data);
    type->tp_free(object);
    Py_DECREF(type);
}

int columns_check(PyObject *object)
{
    return Py_TYPE(object)->tp_dealloc == dealloc;
}

static PyMethodDef METHODS[] = {
    {"add", method_add, METH_VARARGS, "add(line: Line, source: int)"},
    {"take", method_take, METH_NOARGS, "All columns as bytes; they are empty afterwards."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot SLOTS[] = {
    {Py_tp_new, new},
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, METHODS},
    {Py_sq_length, length_of},
    {Py_tp_doc, "The lines of one stream that gather from a batch; see contract.Columns."},
    {0, NULL},
};

static PyType_Spec SPEC = {"imconvert.native.through.Columns", sizeof(Columns), 0, Py_TPFLAGS_DEFAULT, SLOTS};

PyObject *columns_type(void)
{
    return PyType_FromSpec(&SPEC);
}
