#include "steps.h"

enum { STEP_LITERAL, STEP_FIELD, STEP_LOW, STEP_HIGH };

static const char *const WORDS[] = {"literal", "field", "low", "high"};

struct Step {
    int what;
    Span text;
    int field;
    int other;
};

/* Whether a field is there, with a text that is what its bytes are. */
static int is_plain(const Steps *steps, const Fields *fields, int field)
{
    Span text = fields->field[field].span;
    if (!has(fields, field) || fields->field[field].layers == AS_IT_CAME)
        return 0;
    for (size_t i = 0; i < text.size; i++) {
        if (steps->guarded[text.data[i]])
            return 0;
    }
    return 1;
}

/* Texts in the order of their bytes, which is that of their characters. */
static int compare(Span one, Span other)
{
    int found = memcmp(one.data, other.data, one.size < other.size ? one.size : other.size);
    return found ? found : one.size < other.size ? -1 : one.size > other.size;
}

static Span text_of(const Step *step, const Fields *fields)
{
    Span one = fields->field[step->field].span, other = fields->field[step->other].span;
    if (step->what == STEP_LITERAL)
        return step->text;
    if (step->what == STEP_FIELD)
        return one;
    return (compare(one, other) <= 0) == (step->what == STEP_LOW) ? one : other;
}

int steps_write(const Steps *steps, const Fields *fields, Out *out)
{
    for (Py_ssize_t i = 0; i < steps->count; i++) {
        const Step *step = &steps->step[i];
        Span text;
        if (step->what != STEP_LITERAL && !is_plain(steps, fields, step->field))
            return 0;
        if (step->what >= STEP_LOW && !is_plain(steps, fields, step->other))
            return 0;
        text = text_of(step, fields);
        if (!out_reserve(out, text.size))
            return -1;
        out_add(out, text.data, text.size);
    }
    return 1;
}

static int step_fill(Step *step, PyObject *tuple)
{
    const char *word, *text;
    Py_ssize_t size;
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "a step is a tuple");
        return 0;
    }
    if (!PyArg_ParseTuple(tuple, "sy#ii", &word, &text, &size, &step->field, &step->other))
        return 0;
    step->text = (Span){(const unsigned char *)text, (size_t)size};
    for (step->what = STEP_LITERAL; step->what <= STEP_HIGH; step->what++) {
        if (strcmp(WORDS[step->what], word) == 0)
            break;
    }
    if (step->what <= STEP_HIGH && step->field >= 0 && step->field < FIELDS && step->other >= 0 && step->other < FIELDS)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a step of a name is not known");
    return 0;
}

int steps_fill(Steps *steps, PyObject *tuple, const char *guarded, size_t size)
{
    if (!PyTuple_Check(tuple)) {
        PyErr_SetString(PyExc_TypeError, "steps are a tuple");
        return 0;
    }
    steps->tuple = Py_NewRef(tuple);
    for (size_t i = 0; i < size; i++)
        steps->guarded[(unsigned char)guarded[i]] = 1;
    if (!(steps->step = PyMem_Calloc((size_t)PyTuple_GET_SIZE(tuple) + 1, sizeof(Step)))) {
        PyErr_NoMemory();
        return 0;
    }
    for (; steps->count < PyTuple_GET_SIZE(tuple); steps->count++) {
        if (!step_fill(&steps->step[steps->count], PyTuple_GET_ITEM(tuple, steps->count)))
            return 0;
    }
    return 1;
}

void steps_clear(Steps *steps)
{
    PyMem_Free(steps->step);
    Py_CLEAR(steps->tuple);
    *steps = (Steps){0};
}
