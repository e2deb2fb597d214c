/* Open a record that is not JSON as it stands: take off what is before it, or tell it as JSON.

Promise: what a form or a row says is told as JSON strings of the same text; what is not plainly one is refused.
*/
#ifndef IMCONVERT_OPENING_H
#define IMCONVERT_OPENING_H

#include "columns.h"

/* JSON; JSON that may have "2022/01/21 15:40:28" before it; a form. */
enum { OPEN_JSON, OPEN_STAMPED, OPEN_FORM, OPENINGS };

/* The longest record that is told as JSON, in bytes. */
#define OPENED_SIZE (1 << 20)

/* The JSON text of a record, in itself or in `room`; 1 done, 0 unfit, -1 with an exception set. */
int opening_open(int opening, Span raw, Out *room, Span *json);

#endif
