/* Bring the columns of lines into the rows that the work files hold.

Plan: columns come as buffers, rows go as bytes; convert/work.py says what a ROW and a KEY consist of.
Promise: gives what the NumPy in convert/map/part.py gives; tests/test_native.py compares the two.
*/
#ifndef IMCONVERT_ROWS_H
#define IMCONVERT_ROWS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Functions for the module. */
extern PyMethodDef rows_methods[];

#endif
