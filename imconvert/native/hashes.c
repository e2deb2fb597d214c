#include "hashes.h"

#include "sorted.h"

enum { OF_KEY, OF_CONTENT, OF_SORTED, FUNCTIONS };

/* Lends the bytes of one `Out` to whoever asks for a buffer. */
typedef struct {
    PyObject_HEAD
    const Out *out;
} Lender;

struct Hashes {
    PyObject *function[FUNCTIONS];
    Widely *wide;     /* what gives a key's hash, or NULL */
    Narrowly *narrow; /* what gives that of content, or NULL */
    Lender *lender;
    Out sorted;
};

static int lend(PyObject *self, Py_buffer *view, int flags)
{
    const Out *out = ((Lender *)self)->out;
    if (!out) {
        PyErr_SetString(PyExc_BufferError, "there are no bytes to lend");
        return -1;
    }
    return PyBuffer_FillInfo(view, self, out->data, (Py_ssize_t)out->size, 1, flags);
}

static void lender_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot SLOTS[] = {
    {Py_bf_getbuffer, lend},
    {Py_tp_dealloc, lender_dealloc},
    {Py_tp_doc, "Lends bytes for the time of a call."},
    {0, NULL},
};

static PyType_Spec SPEC = {"imconvert.native.through.Lender", sizeof(Lender), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, SLOTS};

static Lender *lender_new(void)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromSpec(&SPEC);
    Lender *lender = type ? (Lender *)type->tp_alloc(type, 0) : NULL;
    Py_XDECREF(type);
    return lender;
}

Hashes *hashes_new(PyObject *key, PyObject *content, PyObject *sorted)
{
    Hashes *hashes = PyMem_Calloc(1, sizeof(Hashes));
    if (!hashes) {
        PyErr_NoMemory();
        return NULL;
    }
    hashes->function[OF_KEY] = Py_NewRef(key);
    hashes->function[OF_CONTENT] = Py_NewRef(content);
    hashes->function[OF_SORTED] = Py_NewRef(sorted);
    hashes->wide = direct_wide(key);
    hashes->narrow = direct_narrow(content);
    if ((hashes->lender = lender_new()))
        return hashes;
    hashes_free(hashes);
    return NULL;
}

int hashes_traverse(Hashes *hashes, visitproc visit, void *arg)
{
    for (int i = 0; i < FUNCTIONS; i++)
        Py_VISIT(hashes->function[i]);
    return 0;
}

void hashes_clear(Hashes *hashes)
{
    for (int i = 0; i < FUNCTIONS; i++)
        Py_CLEAR(hashes->function[i]);
}

void hashes_free(Hashes *hashes)
{
    if (!hashes)
        return;
    hashes_clear(hashes);
    Py_XDECREF(hashes->lender);
    PyMem_Free(hashes->sorted.data);
    PyMem_Free(hashes);
}

static int keep_hash(PyObject *result, char *found, Py_ssize_t size)
{
    int done = result && PyBytes_Check(result) && PyBytes_GET_SIZE(result) == size;
    if (done)
        memcpy(found, PyBytes_AS_STRING(result), (size_t)size);
    else if (result)
        PyErr_SetString(PyExc_TypeError, "a hash is of another size");
    Py_XDECREF(result);
    return done;
}

static int hash_lent(Hashes *hashes, int function, const Out *bytes, char *found, Py_ssize_t size)
{
    PyObject *result;
    hashes->lender->out = bytes;
    result = PyObject_CallOneArg(hashes->function[function], (PyObject *)hashes->lender);
    hashes->lender->out = NULL;
    return keep_hash(result, found, size);
}

/* By the target's own digest, for content that could not be sorted here. */
static int hash_otherwise(Hashes *hashes, const Out *line, char *found)
{
    PyObject *result, *bytes = PyBytes_FromStringAndSize((const char *)line->data, (Py_ssize_t)line->size);
    if (!bytes)
        return 0;
    result = PyObject_CallOneArg(hashes->function[OF_SORTED], bytes);
    Py_DECREF(bytes);
    return keep_hash(result, found, DIGEST_SIZE);
}

int hashes_key(Hashes *hashes, const Out *key, char *found)
{
    Wide wide;
    if (!hashes->wide)
        return hash_lent(hashes, OF_KEY, key, found, KEY_SIZE);
    wide = hashes->wide(key->data, key->size);
    direct_put(wide.high, found);
    direct_put(wide.low, found + DIGEST_SIZE);
    return 1;
}

Narrowly *hashes_narrow(const Hashes *hashes)
{
    return hashes->narrow;
}

/* Of bytes whose order counts. */
static int hash_content(Hashes *hashes, const Out *bytes, char *found)
{
    if (!hashes->narrow)
        return hash_lent(hashes, OF_CONTENT, bytes, found, DIGEST_SIZE);
    direct_put(hashes->narrow(bytes->data, bytes->size), found);
    return 1;
}

int hashes_content(Hashes *hashes, const Out *line, int sorted, char *found)
{
    int done;
    if (!sorted)
        return hash_content(hashes, line, found);
    if (sorted > 1)
        return hash_otherwise(hashes, line, found);
    hashes->sorted.size = 0;
    done = sorted_write((Span){line->data, line->size}, &hashes->sorted);
    if (done > 0)
        return hash_content(hashes, &hashes->sorted, found);
    return done < 0 ? 0 : hash_otherwise(hashes, line, found);
}
