#include "memory.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Blocks of a megabyte come and go all the time; given back to the system, they would be cleared anew each time. */
static PyObject *keep_memory(PyObject *module, PyObject *args)
{
    int bytes;
    (void)module;
    if (!PyArg_ParseTuple(args, "i", &bytes))
        return NULL;
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, bytes);
    mallopt(M_TRIM_THRESHOLD, bytes);
#endif
    Py_RETURN_NONE;
}

PyMethodDef memory_methods[] = {
    {"keep_memory", keep_memory, METH_VARARGS, "Let up to so many bytes that were freed stay with the process."},
    {NULL, NULL, 0, NULL},
};
