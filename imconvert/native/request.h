/* The steps of a form that only lines of requests need: whose conversation, the app's own members, names with suffixes.

Promise: a step that would have to change what it writes in another way than the Python it stands for refuses.
*/
#ifndef IMCONVERT_REQUEST_H
#define IMCONVERT_REQUEST_H

#include "columns.h"
#include "shape.h"

/* All of these give 1 if it's done, 0 if the record is refused, -1 with an exception set. */

/* The sender and the receiver, the lower one first, with `between` between them. */
int request_pair(const Fields *fields, Span between, Out *out);

/* The members of an object, each with a comma behind it; none of them may be called `taken`. With `as_text` it must be
a text instead, which becomes the one member "ext". With `inside` all of it stands in a string. */
int request_members(const Field *object, int as_text, int inside, Span taken, Out *out);

/* The suffix of a file name or URL if it has a plausible one, else nothing; see values.suffix_of. */
Span request_suffix(Span name);

/* A quoted file name: the field NAME, or without it the last part of the URL. It must end with the suffix if there is
one; with `append` it must not, and gets it. */
int request_name(const Fields *fields, int append, Out *out);

/* How milliseconds become seconds. */
enum { WHOLE_ONES, ROUNDED_UP, ROUNDED_DOWN };

/* Milliseconds as seconds: only whole ones; only others, rounded up; or any, rounded down. */
int request_seconds(const Field *number, int how, Out *out);

/* What is left of milliseconds without the seconds, so many times. */
int request_rest(const Field *number, size_t times, Out *out);

/* A text of plain digits as a number with a decimal point. */
int request_degrees(const Field *text, Out *out);

/* A whole number. */
int request_number(uint64_t value, Out *out);

/* Whether the suffix, or that of the name or the URL, is among words parted by commas. */
int request_among(const Fields *fields, Span words);

/* Whether there is no suffix, or one that the name or the URL tells, as the Python compares them. */
int request_told(const Fields *fields);

/* Whether the text stands somewhere in the field, as it is written. */
int request_holds(const Field *field, Span text);

/* Whether the field begins with one of some words parted by commas. */
int request_begins(const Field *field, Span words);

/* An object of at most `most` members, none called "v", with all its values as strings; with `mixed` some of them must
be none yet, else all must be. */
int request_strings(const Field *object, size_t most, int mixed, Out *out);

#endif
