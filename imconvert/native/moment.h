/* Tell when a message was: seconds with an order inside of them, and wall clocks that have to fit.

Plan: what a file as a whole says about its times is set before its records; a record that doesn't fit is refused.
*/
#ifndef IMCONVERT_MOMENT_H
#define IMCONVERT_MOMENT_H

#include "shape.h"

/* What TIME is: ms; or seconds, to which COUNTER gives the ms in one of these ways, or none. */
enum { ORDER_MS, ORDER_COUNTER, ORDER_IMPORTED, ORDER_NONE, ORDERS };

/* The bounds are those of the wall clock where a record has one, else of TIME as it stands; `offset` is how many ms the
wall clock is ahead. */
typedef struct {
    int order;
    long long earliest, latest;
    long long first, stop, offset;
} Moment;

/* Find the time in ms; what TIME becomes lies in the scan's room. 1 if it fits, else 0. */
int moment_find(const Moment *moment, Fields *fields, Scan *scan, int64_t *time);

#endif
