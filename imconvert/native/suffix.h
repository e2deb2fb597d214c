/* Tell the suffix of a file by its name or URL; see vendors/values.py. */
#ifndef IMCONVERT_SUFFIX_H
#define IMCONVERT_SUFFIX_H

#include "shape.h"

/* The longest suffix that is taken for one. */
#define SUFFIX_SIZE 8

/* The bytes from `at` to `end` in lower case, in the scan's room, if they are 1 to SUFFIX_SIZE letters and digits of
ASCII; else 0. */
int suffix_from(const unsigned char *at, const unsigned char *end, Scan *scan, Span *suffix);

/* Give a file that has none its suffix, where its name or URL tells one. */
void suffix_find(Fields *fields, Scan *scan);

#endif
