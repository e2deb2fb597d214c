#include "naming.h"

#include "steps.h"

#define CHATS 2

typedef struct {
    int field;
    Steps steps;
} Check;

struct Naming {
    PyObject *tuple; /* owns the name space */
    Span space;
    int alone;
    Steps steps[CHATS];
    Py_ssize_t check_count;
    Check *checks;
    Out echo;
};

/* Whether a field that is there says what it has to. */
static int says_the_same(Naming *naming, const Check *check, const Fields *fields)
{
    Span found = fields->field[check->field].span;
    int done;
    if (!has(fields, check->field))
        return 1;
    naming->echo.size = 0;
    done = steps_write(&check->steps, fields, &naming->echo);
    if (done > 0)
        done = naming->echo.size == found.size && memcmp(naming->echo.data, found.data, found.size) == 0;
    return done;
}

int naming_write(const Naming *naming, const Fields *fields, int chat, Out *out, size_t *name)
{
    int done;
    out->size = 0;
    for (Py_ssize_t i = 0; i < naming->check_count; i++) {
        if ((done = says_the_same((Naming *)naming, &naming->checks[i], fields)) <= 0)
            return done;
    }
    if (!out_reserve(out, naming->space.size + 1))
        return -1;
    out_add(out, naming->space.data, naming->space.size);
    out_add(out, "", 1);
    *name = out->size;
    done = steps_write(&naming->steps[chat], fields, out);
    return done > 0 && out->size == *name ? 0 : done;
}

int naming_alone(const Naming *naming)
{
    return naming->alone;
}

static int add_checks(Naming *naming, PyObject *checks)
{
    if (!(naming->checks = PyMem_Calloc((size_t)PyTuple_GET_SIZE(checks) + 1, sizeof(Check)))) {
        PyErr_NoMemory();
        return 0;
    }
    for (; naming->check_count < PyTuple_GET_SIZE(checks); naming->check_count++) {
        Check *found = &naming->checks[naming->check_count];
        PyObject *pair = PyTuple_GET_ITEM(checks, naming->check_count), *steps;
        if (!PyTuple_Check(pair) || !PyArg_ParseTuple(pair, "iO", &found->field, &steps))
            return 0;
        if (found->field < 0 || found->field >= FIELDS) {
            PyErr_SetString(PyExc_ValueError, "a field of a name is out of range");
            return 0;
        }
        if (!steps_fill(&found->steps, steps, STEPS_GUARDED))
            return 0;
    }
    return 1;
}

static int fill(Naming *naming)
{
    const char *space, *guarded;
    Py_ssize_t space_size, guarded_size;
    PyObject *steps[CHATS], *checks;
    if (!PyTuple_Check(naming->tuple)) {
        PyErr_SetString(PyExc_TypeError, "a naming is a tuple");
        return 0;
    }
    if (!PyArg_ParseTuple(naming->tuple, "y#py#(OO)O!", &space, &space_size, &naming->alone, &guarded, &guarded_size,
                          &steps[0], &steps[1], &PyTuple_Type, &checks))
        return 0;
    naming->space = (Span){(const unsigned char *)space, (size_t)space_size};
    for (int chat = 0; chat < CHATS; chat++) {
        if (!steps_fill(&naming->steps[chat], steps[chat], guarded, (size_t)guarded_size))
            return 0;
    }
    return add_checks(naming, checks);
}

Naming *naming_new(PyObject *tuple)
{
    Naming *naming = PyMem_Calloc(1, sizeof(Naming));
    if (!naming) {
        PyErr_NoMemory();
        return NULL;
    }
    naming->tuple = Py_NewRef(tuple);
    if (fill(naming))
        return naming;
    naming_free(naming);
    return NULL;
}

void naming_free(Naming *naming)
{
    if (!naming)
        return;
    for (int chat = 0; chat < CHATS; chat++)
        steps_clear(&naming->steps[chat]);
    for (Py_ssize_t i = 0; naming->checks && i <= naming->check_count; i++)
        steps_clear(&naming->checks[i].steps);
    PyMem_Free(naming->checks);
    PyMem_Free(naming->echo.data);
    Py_DECREF(naming->tuple);
    PyMem_Free(naming);
}
