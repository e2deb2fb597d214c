/* Name a record that has no number of its own, by what its vendor tells messages apart by.

Plan: a name is written by steps from fields; the number is made of its hash, and later the name leads back to it.
Promise: the same name as the vendor's reader gives; a field whose text is not just its bytes is refused.
*/
#ifndef IMCONVERT_NAMING_H
#define IMCONVERT_NAMING_H

#include "columns.h"
#include "shape.h"

typedef struct Naming Naming;

/* From a tuple (space, alone, guarded, (steps, steps), checks); see vendors/shapes.py. NULL with an exception set. */
Naming *naming_new(PyObject *tuple);

void naming_free(Naming *naming);

/* Write the name space, a zero byte and the name of a record of this chat; `name` gets where the name begins. The fields
that have to say the same as others are compared on the way. 1 if it's done, 0 unfit, -1 with an exception set. */
int naming_write(const Naming *naming, const Fields *fields, int chat, Out *out, size_t *name);

/* Whether the number alone is the key of a line. */
int naming_alone(const Naming *naming);

#endif
