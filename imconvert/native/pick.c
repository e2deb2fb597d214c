#include "nodes.h"

#define MOST_ELEMENTS 8

/* Read an element into fields of its own; its kind says whether it is the one: 1 it is, 0 it is not, -1 unfit. */
static int read_element(const Node *child, Scan *scan, Fields *found)
{
    found->seen = 0;
    if (!child->read(child, scan, found) || !has(found, KIND))
        return -1;
    return found->field[KIND].span.data[0] != 0;
}

static int merge(Fields *fields, const Fields *found)
{
    for (int field = 0; field < FIELDS; field++) {
        if (field != KIND && has(found, field) && !keep(fields, field, found->field[field].span, found->field[field].layers))
            return 0;
    }
    return 1;
}

/* The elements but the one, as a compact array. */
static int keep_rest(const Node *node, const Span *elements, int count, Scan *scan, Fields *fields)
{
    Span rest = {scan->room, 0};
    if (!count)
        return 1;
    *scan->room++ = '[';
    for (int i = 0; i < count; i++) {
        Scan inner = {elements[i].data, elements[i].data + elements[i].size, scan->room};
        Span value;
        if (i)
            *inner.room++ = ',';
        if (!scan_compact(&inner, &value))
            return 0;
        scan->room = inner.room;
    }
    *scan->room++ = ']';
    rest.size = (size_t)(scan->room - rest.data);
    return keep(fields, node->field, rest, 0);
}

/* An array of objects of which exactly one is of kind 1: its fields are the record's, the others are kept together. */
int read_pick(const Node *node, Scan *scan, Fields *fields)
{
    Span others[MOST_ELEMENTS];
    int count = 0, picked = 0;
    if (!scan_mark(scan, '['))
        return 0;
    do {
        Fields found;
        Span element;
        int which;
        if (scan_done(scan))
            return 0;
        element.data = scan->at;
        if ((which = read_element(node->children[0], scan, &found)) < 0)
            return 0;
        element.size = (size_t)(scan->at - element.data);
        if (which ? picked++ || !merge(fields, &found) : count == MOST_ELEMENTS)
            return 0;
        if (!which)
            others[count++] = element;
    } while (scan_mark(scan, ','));
    return picked && scan_mark(scan, ']') && keep_rest(node, others, count, scan, fields);
}
