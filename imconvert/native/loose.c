/* Nodes for values that are written in more than one way, as self-built systems have them. */
#include "nodes.h"

#include <string.h>

/* A scalar as it stands; objects and arrays are none. */
static int scalar(Scan *scan, Span *token)
{
    return !scan_sees(scan, '{') && !scan_sees(scan, '[') && scan_token(scan, token);
}

static int is_choice(const Node *node, Span token)
{
    for (Py_ssize_t i = 0; i < node->count; i++) {
        if (node->choices[i].token.size == token.size && memcmp(node->choices[i].token.data, token.data, token.size) == 0)
            return 1;
    }
    return 0;
}

/* Whether a string with escapes may mean the same as one of the choices. */
static int may_be_choice(const Node *node, Span token)
{
    for (Py_ssize_t i = 0; i < node->count; i++) {
        if (token.size <= node->choices[i].token.size * 6 && node->choices[i].token.size > 2 &&
            memchr(token.data, '\\', token.size))
            return 1;
    }
    return 0;
}

/* One of the tokens says nothing; all else is read by the child. */
int read_unset(const Node *node, Scan *scan, Fields *fields)
{
    Scan before = *scan;
    Span token;
    if (scalar(scan, &token)) {
        if (is_choice(node, token))
            return 1;
        if (may_be_choice(node, token))
            return 0;
    }
    *scan = before;
    return node->child->read(node->child, scan, fields);
}

/* A text without escapes, or a whole number: none of the tokens. It says nothing. */
int read_unless(const Node *node, Scan *scan, Fields *fields)
{
    Scan before;
    Span token, number;
    (void)fields;
    if (scan_sees(scan, 'n'))
        return scan_token(scan, &token) && token.size == 4 && memcmp(token.data, "null", 4) == 0 && !is_choice(node, token);
    before = *scan;
    if (!scan_sees(&before, '"'))
        return scan_number(scan, &number) && !is_choice(node, number);
    return scan_token(scan, &token) && !memchr(token.data, '\\', token.size) && !is_choice(node, token);
}

/* A text, or a whole number as one; it is not empty. */
int read_id(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    int done = scan_sees(scan, '"') ? scan_string(scan, &text) : scan_number(scan, &text);
    return done && text.size && keep(fields, node->field, text, 1);
}

static int begins_with(Span text, Span beginning)
{
    return text.size >= beginning.size && memcmp(text.data, beginning.data, beginning.size) == 0;
}

static int has_scheme(Span text)
{
    for (size_t i = 0; i + 3 <= text.size; i++) {
        if (memcmp(text.data + i, "://", 3) == 0)
            return 1;
    }
    return 0;
}

static int is_visible(unsigned char byte)
{
    return byte > ' ' && byte < 0x7F;
}

/* An id, or a word, without the first of some beginnings that it has, and with another before it if it is no URL. */
int read_trimmed(const Node *node, Scan *scan, Fields *fields)
{
    Span text, before = node->refused;
    int done = scan_sees(scan, '"') ? scan_string(scan, &text) : scan_number(scan, &text);
    if (!done || memchr(text.data, '\\', text.size))
        return 0;
    for (Py_ssize_t i = 0; i < node->count; i++) {
        if (begins_with(text, node->choices[i].token)) {
            text.data += node->choices[i].token.size;
            text.size -= node->choices[i].token.size;
            break;
        }
    }
    if (!text.size || !is_visible(text.data[0]) || !is_visible(text.data[text.size - 1]))
        return 0;
    if (before.size && !has_scheme(text)) {
        memcpy(scan->room, before.data, before.size);
        memcpy(scan->room + before.size, text.data, text.size);
        text = (Span){scan->room, before.size + text.size};
        scan->room += text.size;
    }
    return keep(fields, node->field, text, 1);
}

/* The value of a decimal number from 0 without its point; `by` grows with each digit behind it. */
static uint64_t without_point(Span number, uint64_t *by)
{
    uint64_t value = 0;
    int behind = 0;
    for (size_t i = 0; i < number.size; i++) {
        if (number.data[i] == '.') {
            behind = 1;
            continue;
        }
        value = value * 10 + (uint64_t)(number.data[i] - '0');
        *by *= behind ? 10 : 1;
    }
    return value;
}

/* A number, times and by something: what a division leaves is cut off, but a fraction of the number has to come out even.
It may stand in a string if it is whole. */
int read_scaled(const Node *node, Scan *scan, Fields *fields)
{
    Span digits;
    uint64_t value, times = node->scaling[0], fraction = 1;
    int done = scan_sees(scan, '"') ? scan_digits(scan, &digits) : scan_decimal(scan, &digits);
    if (!done || digits.size > 17 || digits.data[0] == '-')
        return 0;
    value = without_point(digits, &fraction);
    if (value > (uint64_t)INT64_MAX / times || value * times % fraction)
        return 0;
    return keep(fields, node->field, scan_put_number(scan, value * times / fraction / node->scaling[1]), 0);
}

/* Degrees as a text: up to three digits and a fraction. */
int read_degrees(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    size_t at = 0, digits = 0, begin;
    if (!scan_string(scan, &text))
        return 0;
    if (text.size && text.data[0] == '-')
        at++;
    for (begin = at; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++)
        ;
    if (at == begin || at - begin > 3)
        return 0;
    if (at < text.size) {
        if (text.data[at++] != '.')
            return 0;
        for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++)
            digits++;
        if (!digits)
            return 0;
    }
    return at == text.size && keep(fields, node->field, text, 1);
}

/* The elements of an array, each by the child for its place; if `whole` there are just as many, else more say nothing. */
static int read_elements(const Node *node, Scan *scan, Fields *fields, int whole)
{
    Later later[MOST_LATER];
    Py_ssize_t place = 0;
    int waiting = 0;
    if (!scan_mark(scan, '['))
        return 0;
    if (!scan_sees(scan, ']')) {
        do {
            if (place < node->count ? !read_or_wait(node->children[place], scan, fields, later, &waiting)
                                    : whole || !skip_value(scan))
                return 0;
            place++;
        } while (scan_mark(scan, ','));
    }
    return scan_mark(scan, ']') && (!whole || place == node->count) && read_later(later, waiting, scan, fields);
}

int read_items(const Node *node, Scan *scan, Fields *fields)
{
    return read_elements(node, scan, fields, 0);
}

int read_row(const Node *node, Scan *scan, Fields *fields)
{
    return read_elements(node, scan, fields, 1);
}
