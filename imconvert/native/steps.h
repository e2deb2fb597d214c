/* Write a text from the fields of a record, step by step: what names and comparisons consist of. */
#ifndef IMCONVERT_STEPS_H
#define IMCONVERT_STEPS_H

#include "columns.h"
#include "shape.h"

typedef struct Step Step;

typedef struct {
    PyObject *tuple; /* owns all bytes that steps point to */
    Py_ssize_t count;
    Step *step;
    unsigned char guarded[256]; /* bytes that no text may have */
} Steps;

/* From a tuple of (word, text, field, other); `guarded` are bytes that no text of the fields may have. 0 with an
exception set; `steps` may be cleared in any case. */
int steps_fill(Steps *steps, PyObject *tuple, const char *guarded, size_t size);

/* What steps for names guard: a text with a backslash is not just its bytes. */
#define STEPS_GUARDED "\\", 1

void steps_clear(Steps *steps);

/* Add the text; 1 if it's done, 0 where a field lacks or is not just its bytes, -1 with an exception set. */
int steps_write(const Steps *steps, const Fields *fields, Out *out);

#endif
