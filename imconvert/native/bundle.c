#include "bundle.h"

#include "block.h"
#include "columns.h"

#include <stdlib.h>

/* What vendors/bundles.py's Bundle says, in its order. */
typedef struct {
    Py_ssize_t most;
    Span named, common, items, number, end, head_without, without;
} Marks;

/* A line, and where in it the name ends, and what is in common and the item begin. */
typedef struct {
    const char *text;
    Py_ssize_t size, named, common, item;
} Line;

typedef struct {
    Block block;
    Marks marks;
    Out lines, counts;
    uint32_t *numbers; /* of the conversation */
} Bundler;

static Py_ssize_t behind(const Line *line, Py_ssize_t from, Py_ssize_t stop, Span mark)
{
    Py_ssize_t found = block_behind(line->text + from, stop - from, (const char *)mark.data, (Py_ssize_t)mark.size);
    return found < 0 ? -1 : from + found;
}

static int put(Out *out, const char *data, Py_ssize_t size)
{
    if (!out_reserve(out, (size_t)size))
        return -1;
    out_add(out, data, (size_t)size);
    return 1;
}

/* The number that an item begins with; 0 if there is none. */
static int read_number(const Line *line, Span mark, uint32_t *number)
{
    Py_ssize_t at = line->item, begin;
    uint64_t value = 0;
    if (line->size - at < (Py_ssize_t)mark.size || memcmp(line->text + at, mark.data, mark.size))
        return 0;
    begin = at += (Py_ssize_t)mark.size;
    for (; at < line->size && line->text[at] >= '0' && line->text[at] <= '9'; at++) {
        if ((value = value * 10 + (uint64_t)(line->text[at] - '0')) > UINT32_MAX)
            return 0;
    }
    *number = (uint32_t)value;
    return at > begin && at < line->size && line->text[at] == ',';
}

/* Find the places of a line; 0 if it is refused. */
static int read_line(const Bundler *found, Py_ssize_t number, Line *line)
{
    const Marks *marks = &found->marks;
    *line = (Line){block_text(&found->block, number), (Py_ssize_t)block_length(&found->block, number), 0, 0, 0};
    Py_ssize_t tail = line->size - (Py_ssize_t)marks->end.size;
    Py_ssize_t body = behind(line, 0, line->size, marks->common);
    if (body < 0 || (line->item = behind(line, body, line->size, marks->items)) < 0 || tail < line->item)
        return 0;
    line->common = body - (Py_ssize_t)marks->common.size;
    if ((line->named = behind(line, 0, line->common, marks->named)) < 0)
        return 0;
    line->named -= (Py_ssize_t)marks->named.size;
    return !memcmp(line->text + tail, marks->end.data, marks->end.size) &&
           behind(line, 0, line->common, marks->head_without) < 0 && behind(line, 0, line->size, marks->without) < 0;
}

static int in_common(const Line *one, const Line *other)
{
    Py_ssize_t size = one->item - one->common;
    return size == other->item - other->common && !memcmp(one->text + one->common, other->text + other->common, (size_t)size);
}

/* Write one line of these; like request_step. */
static int write_lines(Bundler *found, const Line *lines, Py_ssize_t count)
{
    const Marks *marks = &found->marks;
    char more[24];
    const Line *first = lines;
    uint32_t told = (uint32_t)count;
    Py_ssize_t end = (Py_ssize_t)marks->end.size;
    int size = count > 1 ? snprintf(more, sizeof more, "+%zd", count - 1) : 0;
    if (put(&found->lines, first->text, first->named) < 0 || put(&found->lines, more, size) < 0 ||
        put(&found->lines, first->text + first->named, first->size - first->named - end) < 0)
        return -1;
    for (Py_ssize_t i = 1; i < count; i++) {
        if (put(&found->lines, ",", 1) < 0 ||
            put(&found->lines, lines[i].text + lines[i].item, lines[i].size - lines[i].item - end) < 0)
            return -1;
    }
    if (put(&found->lines, (const char *)marks->end.data, end) < 0 || put(&found->lines, "\n", 1) < 0)
        return -1;
    return put(&found->counts, (const char *)&told, sizeof told);
}

static int by_value(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static int distinct(uint32_t *numbers, Py_ssize_t count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, by_value);
    for (Py_ssize_t i = 1; i < count; i++) {
        if (numbers[i] == numbers[i - 1])
            return 0;
    }
    return 1;
}

/* Bundle the lines [start, stop), which are a conversation; 1 if it's done, 0 if it is refused, -1 with an exception. */
static int conversation(Bundler *found, Line *waiting, Py_ssize_t start, Py_ssize_t stop)
{
    Py_ssize_t count = 0;
    for (Py_ssize_t at = start; at < stop; at++) {
        Line line;
        if (!read_line(found, at, &line) || !read_number(&line, found->marks.number, &found->numbers[at - start]))
            return 0;
        if (count && (count == found->marks.most || !in_common(&waiting[0], &line))) {
            if (write_lines(found, waiting, count) < 0)
                return -1;
            count = 0;
        }
        waiting[count++] = line;
    }
    if (count && write_lines(found, waiting, count) < 0)
        return -1;
    return distinct(found->numbers, stop - start);
}

/* Bundle all conversations, which begin at the u8 `starts`, and say of each where its lines end and where its counts. */
static int all(Bundler *found, const Py_buffer *starts, Line *waiting, Out *ends)
{
    Py_ssize_t count = starts->len / 8;
    for (Py_ssize_t i = 0; i < count; i++) {
        uint64_t edges[2] = {0, (uint64_t)found->block.count};
        size_t lines = found->lines.size, counts = found->counts.size;
        int done;
        memcpy(edges, (const char *)starts->buf + i * 8, i + 1 < count ? 16 : 8);
        if (edges[0] > edges[1] || edges[1] > (uint64_t)found->block.count) {
            PyErr_SetString(PyExc_ValueError, "a conversation lies outside of the lines");
            return 0;
        }
        done = conversation(found, waiting, (Py_ssize_t)edges[0], (Py_ssize_t)edges[1]);
        if (done <= 0) {
            found->lines.size = lines;
            found->counts.size = counts;
        }
        edges[0] = found->lines.size;
        edges[1] = found->counts.size / 4;
        if (done < 0 || put(ends, (const char *)edges, sizeof edges) < 0)
            return 0;
    }
    return 1;
}

static PyObject *taken(const Out *out)
{
    return PyBytes_FromStringAndSize((const char *)out->data, (Py_ssize_t)out->size);
}

/* bundled(data, begins, lengths, starts, marks): the bundled lines, each with a newline behind it; u4 of how many each
is made; and for each conversation two u8, where its lines end and where its counts. */
static PyObject *bundled(PyObject *module, PyObject *arguments)
{
    Bundler found = {0};
    Py_buffer starts;
    Marks *marks = &found.marks;
    Out ends = {0};
    PyObject *told = NULL;
    Line *waiting = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*(ny#y#y#y#y#y#y#)", &found.block.data, &found.block.begins,
                          &found.block.lengths, &starts, &marks->most, &marks->named.data, &marks->named.size,
                          &marks->common.data, &marks->common.size, &marks->items.data, &marks->items.size,
                          &marks->number.data, &marks->number.size, &marks->end.data, &marks->end.size,
                          &marks->head_without.data, &marks->head_without.size, &marks->without.data,
                          &marks->without.size))
        return NULL;
    if (block_checked(&found.block)) {
        Py_ssize_t room = marks->most < found.block.count ? marks->most : found.block.count;
        waiting = PyMem_Calloc((size_t)room + 1, sizeof *waiting);
        found.numbers = PyMem_Calloc((size_t)found.block.count + 1, sizeof *found.numbers);
        if (marks->most < 1)
            PyErr_SetString(PyExc_ValueError, "a line is made of one at least");
        else if (!waiting || !found.numbers)
            PyErr_NoMemory();
        else if (all(&found, &starts, waiting, &ends))
            told = Py_BuildValue("NNN", taken(&found.lines), taken(&found.counts), taken(&ends));
    }
    PyMem_Free(found.lines.data);
    PyMem_Free(found.counts.data);
    PyMem_Free(ends.data);
    PyMem_Free(waiting);
    PyMem_Free(found.numbers);
    block_release(&found.block);
    PyBuffer_Release(&starts);
    return told;
}

PyMethodDef bundle_methods[] = {
    {"bundled", bundled, METH_VARARGS, "Lines of conversations, several as one where that is all there is to do."},
    {NULL, NULL, 0, NULL},
};
