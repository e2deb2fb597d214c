/* Cut whole records out of a block: the elements of an array, and the rows of a document that is laid out in lines.

Promise: what is cut here is what sources/documents.py and sources/layout.py cut; whatever is not plainly a whole
record ends the cutting, and they go on from there. Reads never go beyond the block.
*/
#ifndef IMCONVERT_CUT_H
#define IMCONVERT_CUT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Functions for the module. */
extern PyMethodDef cut_methods[];

#endif
