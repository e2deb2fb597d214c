/* Make one line of several that follow each other in a conversation: calls that take more than one message.

Plan: marks say where in a line stand its name, what it has in common with others, and the item of its own. Whole
conversations are bundled one after the other; one in which a line is not sure to need nothing else is refused, and
leaves nothing.
Promise: gives what the target's finisher would give; tests/convert/test_bundles.py compares the two. Nothing beyond a line is
read.
*/
#ifndef IMCONVERT_BUNDLE_H
#define IMCONVERT_BUNDLE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Functions for the module. */
extern PyMethodDef bundle_methods[];

#endif
