/* Write one line from the fields of a record, by a form: the steps that a target's line of one kind consists of.

Promise: a record whose fields are not exactly those that the form asks for and allows is refused.
*/
#ifndef IMCONVERT_FORM_H
#define IMCONVERT_FORM_H

#include "columns.h"
#include "hashes.h"
#include "shape.h"

typedef struct Form Form;

/* From a tuple (kind, chat, required, allowed, filled, remarks, sorted, names, limits, steps); see vendors/shapes.py. */
Form *form_new(PyObject *tuple);

void form_free(Form *form);

/* Whether the form is for this kind in this chat. */
int form_is_for(const Form *form, unsigned char kind, int chat);

/* Which of the fields are to be remarked upon. */
Set form_remarks(const Form *form, const Fields *fields);

/* Whether what has no name is called by its URL. */
int form_names(const Form *form);

/* Whether the content's digest is taken with sorted keys: 1 here, 2 by the target's own function. */
int form_sorted(const Form *form);

/* Whether a line can't be without the field. */
int form_wants(const Form *form, int field);

/* 1 if no field is longer than the form allows, else 0; what is not compact yet is not looked at. */
int form_is_within(const Form *form, const Fields *fields);

/* 1 if the fields are those of the form, else 0. */
int form_fits(const Form *form, const Fields *fields);

/* Write the line, of a record with this hash of its key; 1 if it's done, 0 if it breaks a limit, -1 with an exception
set. */
int form_write(const Form *form, const Fields *fields, Hashes *hashes, const char *key, Out *out);

#endif
