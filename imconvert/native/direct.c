#include "direct.h"

#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>

/* What a name stands for in the library that holds a built-in function, or NULL. */
static void *exported(PyObject *function, const char *name)
{
    PyObject *module = PyObject_GetAttrString(function, "__self__");
    PyObject *path = module ? PyObject_GetAttrString(module, "__file__") : NULL;
    const char *text = path && PyUnicode_Check(path) ? PyUnicode_AsUTF8(path) : NULL;
    void *library = text ? dlopen(text, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    void *found = library ? dlsym(library, name) : NULL;
    if (library)
        dlclose(library); /* Python never lets go of its own hold */
    Py_XDECREF(path);
    Py_XDECREF(module);
    PyErr_Clear();
    return found;
}
#else
static void *exported(PyObject *function, const char *name)
{
    (void)function;
    (void)name;
    return NULL;
}
#endif

/* Each way in which the hash treats a text depends on its length. */
static const Py_ssize_t LENGTHS[] = {0, 1, 3, 4, 8, 9, 16, 17, 32, 33, 64, 65, 96, 97, 128, 129, 240, 241, 256, 1024, 1025, 3000};
#define LONGEST 3000

typedef void Ask(void *exported, const char *text, size_t size, char *found);

static void ask_narrow(void *exported, const char *text, size_t size, char *found)
{
    direct_put(((Narrowly *)exported)(text, size), found);
}

static void ask_wide(void *exported, const char *text, size_t size, char *found)
{
    Wide wide = ((Widely *)exported)(text, size);
    direct_put(wide.high, found);
    direct_put(wide.low, found + 8);
}

/* Whether both say the same of texts of all these lengths. */
static int agree(PyObject *function, void *exported, Ask *ask, Py_ssize_t size)
{
    char text[LONGEST], found[sizeof(Wide)];
    size_t same = 0, count = sizeof LENGTHS / sizeof *LENGTHS;
    for (int i = 0; i < LONGEST; i++)
        text[i] = (char)(i * 131 >> 3);
    for (size_t i = 0; i < count; i++) {
        PyObject *digest = PyObject_CallFunction(function, "y#", text, LENGTHS[i]);
        ask(exported, text, (size_t)LENGTHS[i], found);
        same += digest && PyBytes_Check(digest) && PyBytes_GET_SIZE(digest) == size &&
                !memcmp(PyBytes_AS_STRING(digest), found, (size_t)size);
        Py_XDECREF(digest);
    }
    PyErr_Clear();
    return same == count;
}

Narrowly *direct_narrow(PyObject *function)
{
    void *found = exported(function, "XXH3_64bits");
    return found && agree(function, found, ask_narrow, 8) ? (Narrowly *)found : NULL;
}

Widely *direct_wide(PyObject *function)
{
    void *found = exported(function, "XXH3_128bits");
    return found && agree(function, found, ask_wide, 16) ? (Widely *)found : NULL;
}
