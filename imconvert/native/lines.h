/* Lines that lie in one block of bytes: hash what they share, look whether they share it, bring them into an order.

Plan: a line is where it begins and how long it is; columns of these come as buffers, answers go as bytes.
Promise: gives what the Python in convert/blocks.py gives; tests/convert/test_blocks.py compares the two. Nothing beyond a line
is read.
*/
#ifndef IMCONVERT_LINES_H
#define IMCONVERT_LINES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Functions for the module. */
extern PyMethodDef lines_methods[];

#endif
