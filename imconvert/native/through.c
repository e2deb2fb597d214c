/* The compiled inner loop: takes records of simple shape through to lines of a target, without Python in between.

Plan: for each record of a batch: its fields by the shape, its ids by the books, its line by the form for its kind and
chat, its key and digest by the hash functions given; all of it goes to the columns of its stream. What does not fit
is handed to `otherwise`, in its turn.
Promise: gives the same lines, keys and digests as the Python it stands for; tests/test_native.py compares the two.
Where this module can't be built, that Python does all the work.
*/
#include <string.h>

#include "form.h"

enum { LINES, KEYS, DIGESTS, MSGIDS, TIMES, SOURCES, COLUMNS };
static const char *const COLUMN_NAMES[] = {"lines", "keys", "digests", "msgids", "times", "sources"};

#define CHATS 2
#define MOST_GROUPS 256

/* What the books, the hash functions and the client of records that name none (or None) are kept as. */
enum { ACCOUNTS, LEARN_ACCOUNT, GROUPS, LEARN_GROUP, HASHED, DIGEST, SORTED_DIGEST, USUAL_CLIENT, HELD };

/* How often records of one form had one set of remarks, and the number of the first. */
typedef struct {
    Py_ssize_t form;
    uint32_t remarks;
    Py_ssize_t count;
    Py_ssize_t first;
} Taken;

typedef struct {
    PyObject_HEAD
    Node *shape;
    Py_ssize_t form_count;
    Form **forms;
    PyObject *held[HELD];
    long long earliest, latest;
    int bare;
    int find_suffix;
    Out line, key;
    unsigned char *room;
    size_t room_size;
    Taken taken[MOST_GROUPS];
    Py_ssize_t taken_count;
} Through;

/* What one record became. The digits are those of a target that is a number. */
typedef struct {
    Fields fields;
    int chat;
    Py_ssize_t form;
    long long msgid, time;
    PyObject *sender, *target;
    char digits[24];
} Record;

static int has(const Fields *fields, int field)
{
    return (fields->seen >> field) & 1;
}

/* Which chat a record is of: by its own word, else by the ends that it names; -1 if they contradict each other. */
static int chat_of(const Fields *fields)
{
    int people = has(fields, SENDER) + has(fields, RECEIVER), team = has(fields, MEMBER) + has(fields, GROUP);
    if (has(fields, CHAT))
        return people == 2 && !team ? fields->field[CHAT].span.data[0] : -1;
    if (people == 2 && !team)
        return 0;
    return team == 2 && !people ? 1 : -1;
}

/* Whether an id has neither an app nor a resource around it. */
static int is_bare(Span id)
{
    return !memchr(id.data, '#', id.size) && !memchr(id.data, '@', id.size) && !memchr(id.data, '/', id.size);
}

/* The target id of a source id, as a new reference; NULL with or without an exception set if there is none. */
static PyObject *look_up(PyObject *book, PyObject *learn, Span source, int bare)
{
    PyObject *found, *name;
    if (!source.size || memchr(source.data, '\\', source.size))
        return NULL;
    if (!(name = PyUnicode_DecodeUTF8((const char *)source.data, (Py_ssize_t)source.size, NULL)))
        return NULL;
    found = Py_XNewRef(PyDict_GetItemWithError(book, name));
    if (!found && !PyErr_Occurred() && (!bare || is_bare(source))) {
        found = PyObject_CallOneArg(learn, name);
        if (!found && PyErr_ExceptionMatches(PyExc_KeyError))
            PyErr_Clear();
    }
    Py_DECREF(name);
    return found;
}

/* Whether a text is the same within a JSON string. */
static int is_unescaped(Span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < ' ' || text.data[i] == '"' || text.data[i] == '\\')
            return 0;
    }
    return 1;
}

/* Put an id of the target into a field; 0 if it can't be, with or without an exception set. */
static int field_of(PyObject *id, Field *field, char *digits)
{
    Py_ssize_t size;
    const char *text;
    if (PyLong_Check(id)) {
        long long number = PyLong_AsLongLong(id);
        if (number == -1 && PyErr_Occurred())
            return 0;
        field->span.size = (size_t)snprintf(digits, 24, "%lld", number);
        field->span.data = (const unsigned char *)digits;
        field->layers = 0;
        return 1;
    }
    if (!(text = PyUnicode_AsUTF8AndSize(id, &size)))
        return 0;
    field->span.data = (const unsigned char *)text;
    field->span.size = (size_t)size;
    field->layers = 1;
    return is_unescaped(field->span);
}

static int find_ends(Through *self, Record *record)
{
    Fields *fields = &record->fields;
    Field *sender = &fields->field[SENDER], *target = &fields->field[RECEIVER];
    Span from = fields->field[has(fields, MEMBER) ? MEMBER : SENDER].span;
    Span to = fields->field[has(fields, GROUP) ? GROUP : RECEIVER].span;
    if (!(record->sender = look_up(self->held[ACCOUNTS], self->held[LEARN_ACCOUNT], from, self->bare)))
        return 0;
    if (record->chat == 0)
        record->target = look_up(self->held[ACCOUNTS], self->held[LEARN_ACCOUNT], to, self->bare);
    else
        record->target = look_up(self->held[GROUPS], self->held[LEARN_GROUP], to, self->bare);
    if (!record->target)
        return 0;
    return field_of(record->sender, sender, record->digits) && field_of(record->target, target, record->digits);
}

static int letter_or_digit(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

/* The suffix of a file name or URL, in lower case, if it has a plausible one; see values.suffix_of. */
static int suffix_in(Span name, Scan *scan, Span *suffix)
{
    size_t end = 0, begin, dot;
    while (end < name.size && name.data[end] != '?' && name.data[end] != '#')
        end++;
    for (begin = end; begin && name.data[begin - 1] != '/'; begin--)
        ;
    for (dot = end; dot > begin && name.data[dot - 1] != '.'; dot--)
        ;
    if (dot < begin + 2 || end == dot || end - dot > 8)
        return 0;
    suffix->data = scan->room;
    suffix->size = end - dot;
    for (; dot < end; dot++) {
        unsigned char byte = name.data[dot];
        if (!letter_or_digit(byte))
            return 0;
        *scan->room++ = byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
    }
    return 1;
}

static void add_suffix(Fields *fields, Scan *scan)
{
    Field *suffix = &fields->field[SUFFIX];
    if (!has(fields, URL) || has(fields, SUFFIX))
        return;
    if ((has(fields, NAME) && suffix_in(fields->field[NAME].span, scan, &suffix->span)) ||
        suffix_in(fields->field[URL].span, scan, &suffix->span)) {
        suffix->layers = 1;
        fields->seen |= 1u << SUFFIX;
    }
}

static int make_room(Through *self, size_t size)
{
    unsigned char *room;
    if (self->room_size >= size)
        return 1;
    if (!(room = PyMem_Realloc(self->room, size))) {
        PyErr_NoMemory();
        return 0;
    }
    self->room = room;
    self->room_size = size;
    return 1;
}

static int number_of(const Fields *fields, int field, long long *number)
{
    if (!has(fields, field))
        return 0;
    *number = (long long)digits_value(fields->field[field].span);
    return 1;
}

static int find_form(const Through *self, const Record *record)
{
    unsigned char kind = record->fields.field[KIND].span.data[0];
    for (Py_ssize_t i = 0; i < self->form_count; i++) {
        if (form_is_for(self->forms[i], kind, record->chat))
            return (int)i;
    }
    return -1;
}

/* Read a record and find all that its line needs. Like the next ones: 1 done, 0 unfit, or with an exception set. */
static int read_record(Through *self, Span raw, Record *record)
{
    Fields *fields = &record->fields;
    Scan scan = {raw.data, raw.data + raw.size, NULL};
    fields->seen = 0;
    /* a nested text is unescaped, then its strings rewritten; numbers can gain some zeros each */
    if (!make_room(self, raw.size * 3 + 1024))
        return 0;
    scan.room = self->room;
    if (!shape_read(self->shape, &scan, fields) || !scan_done(&scan))
        return 0;
    if (!number_of(fields, MSGID, &record->msgid) || record->msgid < 1 || !number_of(fields, TIME, &record->time))
        return 0;
    if (record->time < self->earliest || record->time > self->latest || !has(fields, KIND))
        return 0;
    if ((record->chat = chat_of(fields)) < 0 || (record->form = find_form(self, record)) < 0)
        return 0;
    if (!has(fields, CLIENT)) {
        if (self->held[USUAL_CLIENT] == Py_None)
            return 0;
        fields->seen |= 1u << CLIENT;
        fields->field[CLIENT].span.data = (const unsigned char *)PyBytes_AS_STRING(self->held[USUAL_CLIENT]);
        fields->field[CLIENT].span.size = (size_t)PyBytes_GET_SIZE(self->held[USUAL_CLIENT]);
        fields->field[CLIENT].layers = 0;
    }
    if (self->find_suffix)
        add_suffix(fields, &scan);
    return form_fits(self->forms[record->form], fields) && find_ends(self, record);
}

static int add_key_field(Out *key, const Field *field)
{
    if (!out_reserve(key, field->span.size + 4))
        return 0;
    out_add(key, ",\"", 1 + (size_t)field->layers);
    out_add(key, field->span.data, field->span.size);
    out_add(key, "\"", (size_t)field->layers);
    return 1;
}

/* The key's JSON array; see model.key_of. */
static int write_key(Through *self, const Record *record)
{
    const Field *field = record->fields.field;
    Out *key = &self->key;
    key->size = 0;
    if (!out_reserve(key, field[MSGID].span.size + 1))
        return 0;
    out_add(key, "[", 1);
    out_add(key, field[MSGID].span.data, field[MSGID].span.size);
    if (!add_key_field(key, &field[SENDER]) || !add_key_field(key, &field[RECEIVER]) || !add_key_field(key, &field[TIME]))
        return 0;
    if (!out_reserve(key, 1))
        return 0;
    out_add(key, "]", 1);
    return 1;
}

/* Append to a list and let go of the item. */
static int append(PyObject *list, PyObject *item)
{
    int failed = !item || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return !failed;
}

static PyObject *bytes_of(const Out *out)
{
    return PyBytes_FromStringAndSize((const char *)out->data, (Py_ssize_t)out->size);
}

/* The hash of bytes, which are let go of. */
static PyObject *hash_of(PyObject *hash, PyObject *bytes)
{
    PyObject *found = bytes ? PyObject_CallOneArg(hash, bytes) : NULL;
    Py_XDECREF(bytes);
    return found;
}

static int add_row(Through *self, PyObject **column, const Record *record, Py_ssize_t source)
{
    PyObject *digest = self->held[form_sorted(self->forms[record->form]) ? SORTED_DIGEST : DIGEST];
    PyObject *line = bytes_of(&self->line);
    return append(column[DIGESTS], hash_of(digest, Py_XNewRef(line))) && append(column[LINES], line) &&
           append(column[KEYS], hash_of(self->held[HASHED], bytes_of(&self->key))) &&
           append(column[MSGIDS], PyLong_FromLongLong(record->msgid)) &&
           append(column[TIMES], PyLong_FromLongLong(record->time)) &&
           append(column[SOURCES], PyLong_FromSsize_t(source));
}

/* Count a record; 0 if there is no more room for another set of remarks. */
static int count(Through *self, const Record *record, Py_ssize_t source)
{
    uint32_t remarks = form_remarks(self->forms[record->form], &record->fields);
    Taken *taken = self->taken, *end = self->taken + self->taken_count;
    for (; taken < end; taken++) {
        if (taken->form == record->form && taken->remarks == remarks) {
            taken->count++;
            return 1;
        }
    }
    if (self->taken_count == MOST_GROUPS)
        return 0;
    self->taken_count++;
    *taken = (Taken){record->form, remarks, 1, source};
    return 1;
}

static int take(Through *self, PyObject *columns[CHATS][COLUMNS], Span raw, Py_ssize_t source)
{
    Record record;
    int done;
    record.sender = record.target = NULL;
    done = read_record(self, raw, &record);
    if (done) {
        self->line.size = 0;
        done = form_write(self->forms[record.form], &record.fields, &self->line) > 0 && write_key(self, &record) &&
               count(self, &record, source) && add_row(self, columns[record.chat], &record, source);
    }
    Py_XDECREF(record.sender);
    Py_XDECREF(record.target);
    return done;
}

static void forget_columns(PyObject *columns[CHATS][COLUMNS])
{
    for (int chat = 0; chat < CHATS; chat++) {
        for (int name = 0; name < COLUMNS; name++)
            Py_CLEAR(columns[chat][name]);
    }
}

static int find_columns(PyObject *streams, PyObject *columns[CHATS][COLUMNS])
{
    for (int chat = 0; chat < CHATS; chat++) {
        PyObject *stream = PySequence_GetItem(streams, chat);
        if (!stream)
            return 0;
        for (int name = 0; name < COLUMNS; name++) {
            PyObject *list = columns[chat][name] = PyObject_GetAttrString(stream, COLUMN_NAMES[name]);
            if (!list || !PyList_Check(list)) {
                if (!PyErr_Occurred())
                    PyErr_SetString(PyExc_TypeError, "columns are lists");
                Py_DECREF(stream);
                return 0;
            }
        }
        Py_DECREF(stream);
    }
    return 1;
}

static int pass_on(PyObject *otherwise, Py_ssize_t source, PyObject *raw)
{
    PyObject *number = PyLong_FromSsize_t(source);
    PyObject *done = number ? PyObject_CallFunctionObjArgs(otherwise, number, raw, NULL) : NULL;
    Py_XDECREF(number);
    Py_XDECREF(done);
    return done != NULL;
}

static int each(Through *self, PyObject *records, PyObject *columns[CHATS][COLUMNS], PyObject *otherwise)
{
    for (Py_ssize_t source = 0; source < PyList_GET_SIZE(records); source++) {
        PyObject *raw = Py_NewRef(PyList_GET_ITEM(records, source));
        Span text = {NULL, 0};
        int done;
        if (PyBytes_Check(raw)) {
            text.data = (const unsigned char *)PyBytes_AS_STRING(raw);
            text.size = (size_t)PyBytes_GET_SIZE(raw);
        }
        done = text.size && take(self, columns, text, source);
        if (!done && !PyErr_Occurred())
            done = pass_on(otherwise, source, raw);
        Py_DECREF(raw);
        if (!done)
            return 0;
    }
    return 1;
}

static PyObject *taken_list(const Through *self)
{
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < self->taken_count; i++) {
        const Taken *taken = &self->taken[i];
        if (!append(list, Py_BuildValue("nInn", taken->form, taken->remarks, taken->count, taken->first)))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *through_take(Through *self, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *columns[CHATS][COLUMNS] = {{NULL}};
    PyObject *found = NULL;
    if (count != 3 || !PyList_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "take(records: list, streams, otherwise)");
        return NULL;
    }
    self->taken_count = 0;
    if (find_columns(arguments[1], columns) && each(self, arguments[0], columns, arguments[2]))
        found = taken_list(self);
    forget_columns(columns);
    return found;
}

static int through_traverse(Through *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (int i = 0; i < HELD; i++)
        Py_VISIT(self->held[i]);
    return 0;
}

static int through_clear(Through *self)
{
    for (int i = 0; i < HELD; i++)
        Py_CLEAR(self->held[i]);
    return 0;
}

static void through_dealloc(Through *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    through_clear(self);
    shape_free(self->shape);
    for (Py_ssize_t i = 0; self->forms && i < self->form_count; i++)
        form_free(self->forms[i]);
    PyMem_Free(self->forms);
    PyMem_Free(self->line.data);
    PyMem_Free(self->key.data);
    PyMem_Free(self->room);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static int add_forms(Through *self, PyObject *forms)
{
    if (!(self->forms = PyMem_Calloc((size_t)PyTuple_GET_SIZE(forms) + 1, sizeof(Form *)))) {
        PyErr_NoMemory();
        return 0;
    }
    for (; self->form_count < PyTuple_GET_SIZE(forms); self->form_count++) {
        if (!(self->forms[self->form_count] = form_new(PyTuple_GET_ITEM(forms, self->form_count))))
            return 0;
    }
    return 1;
}

static PyObject *through_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"shape", "forms", "accounts", "learn_account", "groups", "learn_group", "hashed", "digest",
                            "sorted_digest", "client", "earliest", "latest", "bare", "find_suffix", NULL};
    PyObject *shape, *forms, *objects[HELD];
    long long earliest, latest;
    int bare, find_suffix;
    Through *self;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "$OO!O!OO!OOOOOLLpp", names, &shape, &PyTuple_Type, &forms,
                                     &PyDict_Type, &objects[0], &objects[1], &PyDict_Type, &objects[2], &objects[3],
                                     &objects[4], &objects[5], &objects[6], &objects[7], &earliest, &latest, &bare,
                                     &find_suffix))
        return NULL;
    if (objects[USUAL_CLIENT] != Py_None && !PyBytes_Check(objects[USUAL_CLIENT])) {
        PyErr_SetString(PyExc_TypeError, "a client is bytes or None");
        return NULL;
    }
    if (!(self = (Through *)type->tp_alloc(type, 0)))
        return NULL;
    for (int i = 0; i < HELD; i++)
        self->held[i] = Py_NewRef(objects[i]);
    self->earliest = earliest;
    self->latest = latest;
    self->bare = bare;
    self->find_suffix = find_suffix;
    if ((self->shape = shape_new(shape)) && add_forms(self, forms))
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static PyMethodDef METHODS[] = {
    {"take", (PyCFunction)(void (*)(void))through_take, METH_FASTCALL,
     "take(records, streams, otherwise): see contract.Shortcut; gives (form, remarks, count, first) each."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot SLOTS[] = {
    {Py_tp_new, through_new},
    {Py_tp_dealloc, through_dealloc},
    {Py_tp_traverse, through_traverse},
    {Py_tp_clear, through_clear},
    {Py_tp_methods, METHODS},
    {Py_tp_doc, "Takes records of one shape through to the lines of one target."},
    {0, NULL},
};

static PyType_Spec SPEC = {"imconvert.native.through.Through", sizeof(Through), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, SLOTS};

static int add_type(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&SPEC);
    int failed = !type || PyModule_AddObjectRef(module, "Through", type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot MODULE_SLOTS[] = {{Py_mod_exec, add_type}, {0, NULL}};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "imconvert.native.through", "The compiled inner loop.", 0, NULL, MODULE_SLOTS, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_through(void)
{
    return PyModuleDef_Init(&MODULE);
}
