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
a text instead, which becomes the one member "ext". */
int request_members(const Field *object, int as_text, Span taken, Out *out);

/* The suffix of a file name or URL if it has a plausible one, else nothing; see values.suffix_of. */
Span request_suffix(Span name);

/* A quoted file name: the field NAME, or without it the last part of the URL. It must end with the suffix if there is
one; with `append` it must not, and gets it. */
int request_name(const Fields *fields, int append, Out *out);

/* Milliseconds as seconds: whole ones, or with `rest` only such as are none, rounded up. */
int request_seconds(const Field *number, int rest, Out *out);

/* Whether the suffix, or that of the name or the URL, is among words parted by commas. */
int request_among(const Fields *fields, Span words);

/* An object of at most `most` members, none called "v", with all its values as strings; with `mixed` some of them must
be none yet, else all must be. */
int request_strings(const Field *object, size_t most, int mixed, Out *out);

#endif
