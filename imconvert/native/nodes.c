#include "nodes.h"

#include "suffix.h"

#include <string.h>

/* The child for a key, looked for from `hint` on, since records of one vendor keep their order; -1 if unknown. */
static Py_ssize_t child_of(const Node *node, Span key, Py_ssize_t hint)
{
    for (Py_ssize_t i = 0; i < node->count; i++) {
        Py_ssize_t at = hint + i < node->count ? hint + i : hint + i - node->count;
        if (same_span(node->keys[at], key))
            return at;
    }
    return -1;
}

/* The child whose key follows as it is usually written; -1 if another one, or one written otherwise, follows. */
static Py_ssize_t usual_child(const Node *node, Scan *scan, Py_ssize_t hint)
{
    size_t left = (size_t)(scan->end - scan->at);
    for (Py_ssize_t i = 0; i < node->count; i++) {
        Py_ssize_t at = hint + i < node->count ? hint + i : hint + i - node->count;
        Span key = node->keys[at];
        if (left > key.size + 2 && same_bytes(scan->at + 1, key.data, key.size) && scan->at[key.size + 1] == '"' &&
            scan->at[key.size + 2] == ':') {
            scan->at += key.size + 3;
            return at;
        }
    }
    return -1;
}

/* Read a key and the colon behind it; -1 if there is no such key, or no key. */
static Py_ssize_t read_key(const Node *node, Scan *scan, Py_ssize_t hint)
{
    Py_ssize_t found = -1;
    Span key;
    if (scan_sees(scan, '"'))
        found = usual_child(node, scan, hint);
    if (found < 0 && scan_string(scan, &key) && scan_mark(scan, ':'))
        found = child_of(node, key, hint);
    return found;
}

int skip_value(Scan *scan)
{
    Span value;
    Scan inner = *scan;
    if (!scan_compact(&inner, &value))
        return 0;
    scan->at = inner.at;
    return 1;
}

int read_or_wait(const Node *child, Scan *scan, Fields *fields, Later *later, int *waiting)
{
    if (child->read != read_by_kind || has(fields, KIND))
        return child->read(child, scan, fields);
    if (*waiting == MOST_LATER)
        return 0;
    later[(*waiting)++] = (Later){child, scan->at};
    return skip_value(scan);
}

int read_later(const Later *later, int count, Scan *scan, Fields *fields)
{
    for (int i = 0; i < count; i++) {
        Scan inner = {later[i].at, scan->end, scan->room};
        if (!later[i].child->read(later[i].child, &inner, fields))
            return 0;
        scan->room = inner.room;
    }
    return 1;
}

/* An object's members; `all` says which of the children were there. */
static int read_members(const Node *node, Scan *scan, Fields *fields, uint64_t *all)
{
    uint64_t seen = 0;
    Py_ssize_t hint = 0;
    Later later[MOST_LATER];
    int waiting = 0;
    *all = 0;
    if (!scan_mark(scan, '{'))
        return 0;
    if (scan_mark(scan, '}'))
        return 1;
    do {
        Py_ssize_t child = read_key(node, scan, hint);
        if (child < 0 || seen & (uint64_t)1 << child)
            return 0;
        seen |= (uint64_t)1 << child;
        if (!read_or_wait(node->children[child], scan, fields, later, &waiting))
            return 0;
        hint = child + 1 < node->count ? child + 1 : 0;
    } while (scan_mark(scan, ','));
    *all = seen;
    return scan_mark(scan, '}') && read_later(later, waiting, scan, fields);
}

int read_object(const Node *node, Scan *scan, Fields *fields)
{
    uint64_t seen;
    return read_members(node, scan, fields, &seen);
}

int read_whole(const Node *node, Scan *scan, Fields *fields)
{
    uint64_t seen;
    return read_members(node, scan, fields, &seen) && seen == ((uint64_t)1 << node->count) - 1;
}

int read_only(const Node *node, Scan *scan, Fields *fields)
{
    return scan_mark(scan, '[') && node->children[0]->read(node->children[0], scan, fields) && scan_mark(scan, ']');
}

int read_text(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    return scan_string(scan, &text) && keep(fields, node->field, text, 1);
}

/* A text that says nothing if it's empty. */
int read_some_text(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    return scan_string(scan, &text) && (!text.size || keep(fields, node->field, text, 1));
}

static int visible(unsigned char byte)
{
    return byte > ' ' && byte < 0x7F;
}

/* A text whose ends are visible ASCII, with nothing escaped in it: it stays as it is when it is trimmed. */
int read_word(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    if (!scan_string(scan, &text) || !text.size)
        return 0;
    if (!visible(text.data[0]) || !visible(text.data[text.size - 1]) || memchr(text.data, '\\', text.size))
        return 0;
    return keep(fields, node->field, text, 1);
}

int read_number(const Node *node, Scan *scan, Fields *fields)
{
    Span digits;
    if (!scan_number(scan, &digits))
        return 0;
    if (node->scale && digits.data[0] != '0') {
        if (digits.size + (size_t)node->scale > 18)
            return 0;
        memcpy(scan->room, digits.data, digits.size);
        memset(scan->room + digits.size, '0', (size_t)node->scale);
        digits.data = scan->room;
        digits.size += (size_t)node->scale;
        scan->room += digits.size;
    }
    return keep(fields, node->field, digits, 0);
}

/* A number that says nothing if it is 0. */
int read_some_number(const Node *node, Scan *scan, Fields *fields)
{
    Span digits;
    return scan_number(scan, &digits) && (digits.data[0] == '0' || keep(fields, node->field, digits, 0));
}

/* A text that has none of some bytes, and nothing escaped, in it. */
int read_without(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    if (!scan_string(scan, &text) || memchr(text.data, '\\', text.size))
        return 0;
    for (size_t i = 0; i < node->refused.size; i++) {
        if (memchr(text.data, node->refused.data[i], text.size))
            return 0;
    }
    return keep(fields, node->field, text, 1);
}

int read_suffix(const Node *node, Scan *scan, Fields *fields)
{
    Span text, suffix;
    return scan_string(scan, &text) && suffix_from(text.data, text.data + text.size, scan, &suffix) &&
           keep(fields, node->field, suffix, 1);
}

/* A value that is read by the child for the kind of the record, which stands before it or in the same object. */
int read_by_kind(const Node *node, Scan *scan, Fields *fields)
{
    if (!has(fields, KIND))
        return 0;
    for (Py_ssize_t i = 0; i < node->count; i++) {
        if (node->keys[i].size == 1 && node->keys[i].data[0] == fields->field[KIND].span.data[0])
            return node->children[i]->read(node->children[i], scan, fields);
    }
    return 0;
}

int read_digits(const Node *node, Scan *scan, Fields *fields)
{
    Span digits;
    return scan_digits(scan, &digits) && keep(fields, node->field, digits, 0);
}

/* A number that is written as a string. */
int read_decimal(const Node *node, Scan *scan, Fields *fields)
{
    Span digits;
    return scan_decimal(scan, &digits) && keep(fields, node->field, digits, 1);
}

int read_choice(const Node *node, Scan *scan, Fields *fields)
{
    Span token;
    if (!scan_token(scan, &token))
        return 0;
    for (Py_ssize_t i = 0; i < node->count; i++) {
        const Choice *choice = &node->choices[i];
        if (same_span(choice->token, token))
            return node->field < 0 || !choice->value.data || keep(fields, node->field, choice->value, 0);
    }
    return 0;
}

/* The name of a kind of content: one of the choices behind the first, or the first one's kind for names that do not begin
with what is refused, if it has a kind. */
int read_class(const Node *node, Scan *scan, Fields *fields)
{
    Span name, kind = node->choices[0].value;
    Py_ssize_t i;
    if (!scan_string(scan, &name) || !name.size)
        return 0;
    for (i = 1; i < node->count; i++) {
        if (node->choices[i].token.size == name.size && memcmp(node->choices[i].token.data, name.data, name.size) == 0)
            break;
    }
    if (i < node->count)
        kind = node->choices[i].value;
    else if (name.size >= node->refused.size && memcmp(name.data, node->refused.data, node->refused.size) == 0)
        return 0;
    return kind.size == 1 && keep(fields, KIND, kind, 0) && keep(fields, node->field, name, 1);
}

/* A string that holds JSON, which is read by the child; an empty one says nothing. */
int read_json(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    Scan inner;
    if (!scan_meaning(scan, &text))
        return 0;
    if (!text.size)
        return 1;
    inner.at = text.data;
    inner.end = text.data + text.size;
    inner.room = scan->room;
    if (!node->children[0]->read(node->children[0], &inner, fields) || !scan_done(&inner))
        return 0;
    scan->room = inner.room;
    return 1;
}

int read_object_as_it_is(const Node *node, Scan *scan, Fields *fields)
{
    Span value;
    return scan_sees(scan, '{') && scan_compact(scan, &value) && keep(fields, node->field, value, 0);
}

/* An object of the app's own; none, or an empty one, says nothing. */
int read_extension(const Node *node, Scan *scan, Fields *fields)
{
    Span value;
    if (!scan_sees(scan, '{') && !scan_sees(scan, 'n'))
        return 0;
    if (!scan_compact(scan, &value))
        return 0;
    if (value.data[0] == 'n' || value.size == 2)
        return 1;
    return keep(fields, node->field, value, 0);
}

/* A value that is read by the child, and kept as it came beside that. */
int read_kept(const Node *node, Scan *scan, Fields *fields)
{
    Span raw;
    if (scan_done(scan))
        return 0;
    raw.data = scan->at;
    if (!node->children[0]->read(node->children[0], scan, fields))
        return 0;
    raw.size = (size_t)(scan->at - raw.data);
    return keep(fields, node->field, raw, AS_IT_CAME);
}

/* A string that holds an object of the app's own, which it is from here on, or else any text that plainly is none. */
int read_opened(const Node *node, Scan *scan, Fields *fields)
{
    Scan before = *scan;
    Span text;
    if (!scan_meaning(scan, &text))
        return 0;
    if (!text.size)
        return 1;
    if (text.data[0] == '{') {
        Scan inner = {text.data, text.data + text.size, scan->room};
        if (!scan_compact(&inner, &text) || !scan_done(&inner))
            return 0;
        scan->room = inner.room;
        return keep(fields, node->field, text, 0);
    }
    if (!visible(text.data[0]))
        return 0;
    scan->at = before.at;
    return scan_string(scan, &text) && keep(fields, node->field, text, 1);
}

/* A value that had to be mended to be read by the child. */
int read_mended(const Node *node, Scan *scan, Fields *fields)
{
    fields->mended |= 1u << node->field;
    return node->children[0]->read(node->children[0], scan, fields);
}

int read_anything(const Node *node, Scan *scan, Fields *fields)
{
    Span value;
    return scan_compact(scan, &value) && keep(fields, node->field, value, 0);
}

/* Any value; it says nothing. */
int read_unread(const Node *node, Scan *scan, Fields *fields)
{
    (void)node;
    (void)fields;
    return skip_value(scan);
}

int read_refused(const Node *node, Scan *scan, Fields *fields)
{
    (void)node;
    (void)scan;
    (void)fields;
    return 0;
}

int read_either(const Node *node, Scan *scan, Fields *fields)
{
    const Node *child = node->children[scan_sees(scan, '"') ? 0 : 1];
    return child->read(child, scan, fields);
}

int read_ignored(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    (void)node;
    (void)fields;
    return scan_string(scan, &text);
}

