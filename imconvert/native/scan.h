/* Read the tokens of a JSON text, strictly, into the form in which they are written again.

Plan: one pass, byte by byte; a string without escapes is its own canonical form and is not copied.
Promise: what is taken here is what msgspec.json decodes and encodes to the same bytes; all else is refused, and
the caller leaves that record to Python. Reads never go beyond `end`.
*/
#ifndef IMCONVERT_SCAN_H
#define IMCONVERT_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const unsigned char *data;
    size_t size;
} Span;

/* A text being read, and room for what has to be rewritten: at least as many bytes as the text has left. */
typedef struct {
    const unsigned char *at;
    const unsigned char *end;
    unsigned char *room;
} Scan;

/* Deepest nesting that scan_compact takes. */
#define SCAN_DEPTH 32

/* Most members of one object that scan_compact takes. */
#define SCAN_MEMBERS 64

/* Whether `size` bytes are the same; for the few of a key or a token, that a call would cost more than to compare. */
static inline int same_bytes(const unsigned char *one, const unsigned char *other, size_t size)
{
    uint64_t a, b;
    for (; size >= 8; size -= 8, one += 8, other += 8) {
        memcpy(&a, one, 8);
        memcpy(&b, other, 8);
        if (a != b)
            return 0;
    }
    while (size && *one == *other)
        size--, one++, other++;
    return !size;
}

static inline int same_span(Span one, Span other)
{
    return one.size == other.size && same_bytes(one.data, other.data, one.size);
}

/* All of these give 1, or 0 for what they refuse. */

static inline void scan_blanks(Scan *scan)
{
    while (scan->at < scan->end && *scan->at <= ' ' &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

/* Skip blanks; whether the next byte is `mark`. */
static inline int scan_sees(Scan *scan, unsigned char mark)
{
    scan_blanks(scan);
    return scan->at < scan->end && *scan->at == mark;
}

/* Skip blanks, then the byte `mark`. */
static inline int scan_mark(Scan *scan, unsigned char mark)
{
    if (!scan_sees(scan, mark))
        return 0;
    scan->at++;
    return 1;
}

/* Skip blanks; whether that was all. */
static inline int scan_done(Scan *scan)
{
    scan_blanks(scan);
    return scan->at == scan->end;
}

/* A string; `text` is what stands between the quotes in canonical form, escaped once. */
int scan_string(Scan *scan, Span *text);

/* A string; `text` is what it means, as UTF-8. It may hold any character but a lone surrogate. */
int scan_meaning(Scan *scan, Span *text);

/* A whole number from 0 of at most 18 digits, or 19 up to 2^63-1. */
int scan_number(Scan *scan, Span *digits);

/* A string of such a number. */
int scan_digits(Scan *scan, Span *digits);

/* A number whose text is the shortest for its value, a minus and a fraction allowed. */
int scan_decimal(Scan *scan, Span *digits);

/* Any token or string as it stands, to be compared. */
int scan_token(Scan *scan, Span *token);

/* Any value in compact canonical form. */
int scan_compact(Scan *scan, Span *value);

/* The value of digits that scan_number took. */
uint64_t digits_value(Span digits);

/* The digits of a number, in the scan's room. */
Span scan_put_number(Scan *scan, uint64_t number);

/* How many characters UTF-8 bytes are; escapes count as they stand. */
size_t span_characters(Span text);

#endif
