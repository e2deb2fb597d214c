#include "form.h"
#include "request.h"

#include "sorted.h"

#include <string.h>

enum {
    STEP_LITERAL, STEP_PUT, STEP_MAYBE, STEP_OPEN, STEP_MEMBER, STEP_CLOSE,
    STEP_PAIR, STEP_MEMBERS, STEP_NAME, STEP_SECONDS, STEP_AMONG, STEP_OTHER, STEP_STRINGS, STEP_MOST, STEP_ABOVE,
    STEP_TOLD, STEP_LACKS, STEP_BEGINS, STEP_HASH, STEP_REST, STEP_KEY, STEP_DEGREES,
    STEPS
};

typedef struct {
    int what;
    Span text;
    int field;
    int layers;
    size_t most;
} Step;

typedef struct {
    int field;
    size_t most;
} Limit;

struct Form {
    PyObject *tuple; /* owns all bytes that steps point to */
    int kind;
    int chat;
    Set required;
    Set allowed;
    Set filled;
    Set remarks;
    int sorted;
    int names;
    Py_ssize_t limit_count;
    Limit *limits;
    Py_ssize_t step_count;
    Step *steps;
    Out sorted_text;
};

/* The fields that forms allow or forbid; those before are the same for all lines. */
#define CONTENT_FIELDS (~(((Set)1 << EXT) - 1))

/* Text with its quotes and backslashes escaped once more. */
static void add_escaped(Out *out, Span text)
{
    unsigned char *to = out->data + out->size;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            *to++ = '\\';
        *to++ = text.data[i];
    }
    out->size = (size_t)(to - out->data);
}

/* A JSON value within a string, whatever the field is: with the keys of objects in it sorted, or as they stand. */
enum { SORTED_VALUE = 3, VALUE_AS_IT_IS };

/* A field as it stands, or as a string within `layers` - 1 others. */
static int add_field(Out *out, const Field *field, int layers)
{
    if (!out_reserve(out, field->span.size * 2 + 4))
        return 0;
    if (layers)
        out_mark(out, "\\\"" + (layers == 1), layers);
    if (layers > field->layers)
        add_escaped(out, field->span);
    else
        out_add(out, field->span.data, field->span.size);
    if (layers)
        out_mark(out, "\\\"" + (layers == 1), layers);
    return 1;
}

/* A JSON value within a string; like form_write. */
static int add_value(Form *form, Out *out, const Field *field, int layers)
{
    Span value = field->span;
    int done;
    if (field->layers)
        return add_field(out, field, 2) ? 1 : -1;
    if (layers == SORTED_VALUE) {
        form->sorted_text.size = 0;
        if ((done = sorted_write(value, &form->sorted_text)) <= 0)
            return done;
        value = (Span){form->sorted_text.data, form->sorted_text.size};
    }
    if (!out_reserve(out, value.size * 2))
        return -1;
    add_escaped(out, value);
    return 1;
}

static int add_span(Out *out, Span text)
{
    if (!out_reserve(out, text.size))
        return 0;
    out_add(out, text.data, text.size);
    return 1;
}

int form_is_for(const Form *form, unsigned char kind, int chat)
{
    return form->kind == kind && form->chat == chat;
}

Set form_remarks(const Form *form, const Fields *fields)
{
    return form->remarks & fields->seen;
}

int form_names(const Form *form)
{
    return form->names;
}

int form_sorted(const Form *form)
{
    return form->sorted;
}

int form_wants(const Form *form, int field)
{
    return (form->required >> field) & 1;
}

int form_is_within(const Form *form, const Fields *fields)
{
    for (Py_ssize_t i = 0; i < form->limit_count; i++) {
        const Limit *limit = &form->limits[i];
        const Field *field = &fields->field[limit->field];
        if (!has(fields, limit->field) || field->layers == AS_IT_CAME || field->span.size <= limit->most)
            continue;
        if (span_characters(field->span) > limit->most)
            return 0;
    }
    return 1;
}

int form_fits(const Form *form, const Fields *fields)
{
    Set filled = form->filled & fields->seen;
    if (form->required & ~fields->seen || fields->seen & CONTENT_FIELDS & ~form->allowed)
        return 0;
    for (int field = 0; filled; field++, filled >>= 1) {
        if (filled & 1 && !fields->field[field].span.size)
            return 0;
    }
    return form_is_within(form, fields);
}

/* The hash of a field in hexadecimal digits. */
static int add_hash(const Field *field, Hashes *hashes, Out *out)
{
    static const char DIGITS[] = "0123456789abcdef";
    char found[KEY_SIZE];
    Out text = {(unsigned char *)field->span.data, field->span.size, field->span.size};
    if (!hashes_key(hashes, &text, found) || !out_reserve(out, 2 * KEY_SIZE))
        return -1;
    for (size_t i = 0; i < KEY_SIZE; i++) {
        unsigned char byte = (unsigned char)found[i];
        out_add(out, &DIGITS[byte >> 4], 1);
        out_add(out, &DIGITS[byte & 15], 1);
    }
    return 1;
}

/* The first 32 bits of a hash. */
static uint32_t first_bits(const char *hash)
{
    const unsigned char *at = (const unsigned char *)hash;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* A step that only lines of requests have; 1 if it's done, 0 if the record is refused, -1 with an exception set. */
static int request_step(const Step *step, const Fields *fields, Hashes *hashes, const char *key, Out *out)
{
    const Field *field = &fields->field[step->field];
    int there = (fields->seen >> step->field) & 1;
    switch (step->what) {
    case STEP_PAIR: return request_pair(fields, step->text, out);
    case STEP_MEMBERS: return there ? request_members(field, step->layers, step->most != 0, step->text, out) : 1;
    case STEP_NAME: return request_name(fields, step->layers, out);
    case STEP_SECONDS: return request_seconds(field, step->layers, out);
    case STEP_AMONG: return request_among(fields, step->text);
    case STEP_OTHER: return !request_among(fields, step->text);
    case STEP_STRINGS: return request_strings(field, step->most, step->layers, out);
    case STEP_MOST: return !there || digits_value(field->span) <= step->most;
    case STEP_ABOVE: return there && digits_value(field->span) > step->most;
    case STEP_TOLD: return request_told(fields) == step->layers;
    case STEP_LACKS: return !there || !request_holds(field, step->text);
    case STEP_BEGINS: return there && request_begins(field, step->text);
    case STEP_HASH: return add_hash(field, hashes, out);
    case STEP_DEGREES: return there ? request_degrees(field, out) : 0;
    case STEP_REST: return request_rest(field, step->most, out);
    default: return request_number(first_bits(key), out);
    }
}

int form_write(const Form *form, const Fields *fields, Hashes *hashes, const char *key, Out *out)
{
    size_t opened = 0;
    int first = 1, done;
    for (Py_ssize_t i = 0; i < form->step_count; i++) {
        const Step *step = &form->steps[i];
        const Field *field = &fields->field[step->field];
        int there = step->what == STEP_PUT || (has(fields, step->field) && (field->span.size || step->what == STEP_MEMBER));
        switch (step->what) {
        case STEP_CLOSE:
            if (out->size + 1 - opened > step->most)
                return 0;
            /* fall through */
        case STEP_LITERAL:
            if (!add_span(out, step->text))
                return -1;
            break;
        case STEP_OPEN:
            if (!add_span(out, step->text))
                return -1;
            opened = out->size - 1;
            first = 1;
            break;
        case STEP_MEMBER:
            if (there && !first && !add_span(out, (Span){(const unsigned char *)",", 1}))
                return -1;
            first &= !there;
            /* fall through */
        case STEP_MAYBE:
        case STEP_PUT:
            if (there && !add_span(out, step->text))
                return -1;
            if (there && step->layers >= SORTED_VALUE) {
                if ((done = add_value((Form *)form, out, field, step->layers)) <= 0)
                    return done;
            } else if (there && !add_field(out, field, step->layers)) {
                return -1;
            }
            break;
        default:
            if ((done = request_step(step, fields, hashes, key, out)) <= 0)
                return done;
        }
    }
    return 1;
}

static const char *const WORDS[] = {
    "literal", "put", "maybe", "open", "member", "close",
    "pair", "members", "name", "seconds", "among", "other", "strings", "most", "above",
    "told", "lacks", "begins", "hash", "rest", "key", "degrees",
};

/* Whether this is a tuple; else an exception is set. */
static int is_tuple(PyObject *object)
{
    if (PyTuple_Check(object))
        return 1;
    PyErr_SetString(PyExc_TypeError, "a form consists of tuples");
    return 0;
}

static int step_new(PyObject *tuple, Step *step)
{
    const char *word, *text;
    Py_ssize_t size, most = 0;
    if (!is_tuple(tuple) || !PyArg_ParseTuple(tuple, "sy#iin", &word, &text, &size, &step->field, &step->layers, &most))
        return 0;
    step->text.data = (const unsigned char *)text;
    step->text.size = (size_t)size;
    step->most = (size_t)most;
    for (step->what = 0; step->what < STEPS; step->what++) {
        if (strcmp(WORDS[step->what], word) == 0)
            break;
    }
    if (step->what < STEPS && step->field >= 0 && step->field < FIELDS && step->layers >= 0 && step->layers <= VALUE_AS_IT_IS)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a step of a form is not known");
    return 0;
}

static int limit_new(PyObject *tuple, Limit *limit)
{
    Py_ssize_t most;
    if (!is_tuple(tuple) || !PyArg_ParseTuple(tuple, "in", &limit->field, &most))
        return 0;
    limit->most = (size_t)most;
    if (limit->field >= 0 && limit->field < FIELDS && most >= 0)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a limit of a form is out of range");
    return 0;
}

static int fill(Form *form)
{
    PyObject *limits, *steps;
    if (!PyArg_ParseTuple(form->tuple, "iiKKKKipO!O!", &form->kind, &form->chat, &form->required, &form->allowed,
                          &form->filled, &form->remarks, &form->sorted, &form->names, &PyTuple_Type, &limits,
                          &PyTuple_Type, &steps))
        return 0;
    form->limit_count = PyTuple_GET_SIZE(limits);
    form->step_count = PyTuple_GET_SIZE(steps);
    form->limits = PyMem_Calloc((size_t)form->limit_count + 1, sizeof(Limit));
    form->steps = PyMem_Calloc((size_t)form->step_count + 1, sizeof(Step));
    if (!form->limits || !form->steps) {
        PyErr_NoMemory();
        return 0;
    }
    for (Py_ssize_t i = 0; i < form->limit_count; i++) {
        if (!limit_new(PyTuple_GET_ITEM(limits, i), &form->limits[i]))
            return 0;
    }
    for (Py_ssize_t i = 0; i < form->step_count; i++) {
        if (!step_new(PyTuple_GET_ITEM(steps, i), &form->steps[i]))
            return 0;
    }
    return 1;
}

Form *form_new(PyObject *tuple)
{
    Form *form;
    if (!is_tuple(tuple))
        return NULL;
    if (!(form = PyMem_Calloc(1, sizeof(Form)))) {
        PyErr_NoMemory();
        return NULL;
    }
    form->tuple = Py_NewRef(tuple);
    if (fill(form))
        return form;
    form_free(form);
    return NULL;
}

void form_free(Form *form)
{
    if (!form)
        return;
    PyMem_Free(form->limits);
    PyMem_Free(form->steps);
    PyMem_Free(form->sorted_text.data);
    Py_DECREF(form->tuple);
    PyMem_Free(form);
}
