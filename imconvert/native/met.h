/* The ids that were met and are their own targets, as hashes: all that is asked about them later.

Plan: a table of hashes with open addresses, at most half full; there is no hash of 0.
*/
#ifndef IMCONVERT_MET_H
#define IMCONVERT_MET_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

typedef struct {
    uint64_t *slots;
    size_t room;
    size_t count;
} Met;

/* Make an empty one; 0 with an exception set. It may be cleared in any case. */
int met_fill(Met *met);

void met_clear(Met *met);

/* Make more room; 0 with an exception set. */
int met_grow(Met *met);

/* The slot that holds a hash, or the one where it would be. */
static inline uint64_t *met_slot(const Met *met, uint64_t hash)
{
    size_t at = (size_t)hash & (met->room - 1);
    while (met->slots[at] && met->slots[at] != hash)
        at = (at + 1) & (met->room - 1);
    return met->slots + at;
}

/* Say that a hash will soon be added. */
static inline void met_expect(const Met *met, uint64_t hash)
{
#ifdef __GNUC__
    __builtin_prefetch(met->slots + ((size_t)hash & (met->room - 1)));
#endif
}

/* 0 with an exception set. */
static inline int met_add(Met *met, uint64_t hash)
{
    uint64_t *slot = met_slot(met, hash);
    if (*slot)
        return 1;
    *slot = hash;
    return ++met->count * 2 <= met->room || met_grow(met);
}

/* All of them as u8, in no particular order, or NULL with an exception set. */
PyObject *met_all(const Met *met);

#endif
