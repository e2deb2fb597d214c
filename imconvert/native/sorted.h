/* Write compact JSON again with the keys of its objects sorted.

Promise: gives the bytes that msgspec's encoder with order="sorted" gives for the same value. Keys with escapes, very
many members or very deep nesting are refused.
*/
#ifndef IMCONVERT_SORTED_H
#define IMCONVERT_SORTED_H

#include "columns.h"

/* Add the sorted form of a value that form_write made; 1 if it's done, 0 if it is refused, -1 with an exception set. */
int sorted_write(Span value, Out *out);

#endif
