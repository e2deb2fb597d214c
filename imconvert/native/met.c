#include "met.h"

#define FIRST_ROOM ((size_t)1 << 12)

int met_fill(Met *met)
{
    *met = (Met){PyMem_Calloc(FIRST_ROOM, sizeof(uint64_t)), FIRST_ROOM, 0};
    if (!met->slots)
        PyErr_NoMemory();
    return met->slots != NULL;
}

void met_clear(Met *met)
{
    PyMem_Free(met->slots);
    *met = (Met){NULL, 0, 0};
}

int met_grow(Met *met)
{
    Met larger = {PyMem_Calloc(met->room * 2, sizeof(uint64_t)), met->room * 2, met->count};
    if (!larger.slots) {
        PyErr_NoMemory();
        return 0;
    }
    for (size_t i = 0; i < met->room; i++) {
        if (met->slots[i])
            *met_slot(&larger, met->slots[i]) = met->slots[i];
    }
    PyMem_Free(met->slots);
    *met = larger;
    return 1;
}

PyObject *met_all(const Met *met)
{
    PyObject *found = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(met->count * sizeof(uint64_t)));
    uint64_t *to = found ? (uint64_t *)PyBytes_AS_STRING(found) : NULL;
    for (size_t i = 0; found && i < met->room; i++) {
        if (met->slots[i])
            *to++ = met->slots[i];
    }
    return found;
}
