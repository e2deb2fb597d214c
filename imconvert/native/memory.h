/* How the process holds on to memory that it freed. */
#ifndef IMCONVERT_MEMORY_H
#define IMCONVERT_MEMORY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyMethodDef memory_methods[];

#endif
