/* The compiled inner loop: takes records of simple shape through to lines of a target, without Python in between.

Plan: for each record of a batch: its fields by the shape, its ids by the books, its line by the form for its kind and
chat, its key and digest by the hash functions given; all of it goes to the columns of its stream. What does not fit
is handed to `otherwise`, in its turn.
Promise: gives the same lines, keys and digests as the Python it stands for; tests/convert/test_native.py compares the two.
Where this module can't be built, that Python does all the work.
*/
#include <string.h>

#include "bundle.h"
#include "columns.h"
#include "cut.h"
#include "form.h"
#include "hashes.h"
#include "ids.h"
#include "lines.h"
#include "memory.h"
#include "moment.h"
#include "naming.h"
#include "opening.h"
#include "rows.h"
#include "steps.h"
#include "suffix.h"

#define CHATS 2
#define MOST_GROUPS 256
#define ROOM_MORE 4096

/* By which of them is there; a group comes before the receiver in a team's record, and means nothing in another's; the
same, and a team's record has to have one. */
enum { TARGETS_AS_THEY_ARE, TARGETS_GROUP_FIRST, TARGETS_APART };

/* How often records of one form had one set of remarks and mendings, and the number of the first. */
typedef struct {
    Py_ssize_t form;
    Set remarks;
    uint32_t mended;
    Py_ssize_t count;
    Py_ssize_t first;
} Taken;

typedef struct {
    PyObject_HEAD
    Node *shape;
    Py_ssize_t form_count;
    Form **forms;
    Ids *accounts, *groups;
    Hashes *hashes;
    PyObject *group;  /* that of records that name neither a group nor a receiver, as bytes, or None or NULL */
    PyObject *defaults; /* a tuple of (field, layers, bytes) for fields that a record may lack */
    Moment moment;
    Steps wrapping; /* how content that is wrapped is told; none where it stays as it is */
    Naming *naming; /* or NULL for records with numbers of their own */
    int bare;
    int find_suffix;
    int strict;
    PyObject *label; /* a word that may stand glued before a record, as bytes; None where nothing is mended */
    Opening opening;
    int targets; /* how RECEIVER and GROUP are told apart: one of TARGETS_... */
    int turned;  /* the kind whose sender and other are told the other way round; -1 if there is none */
    Out line, key, name, opened, wrapped;
    unsigned char *room;
    size_t room_size;
    Taken taken[MOST_GROUPS];
    Py_ssize_t taken_count;
} Through;

/* What one record became. */
typedef struct {
    Fields fields;
    int chat;
    Py_ssize_t form;
    uint64_t msgid;
    int64_t time;
    size_t name; /* where it begins in the shortcut's `name` */
    Id sender, target, other; /* room for ids that change */
    uint64_t sender_hash, target_hash;
    char key[KEY_SIZE];       /* the hash of its key */
} Record;

/* Which chat a record is of: by its own word, else by the ends that it names; -1 if they contradict each other. */
static int chat_of(const Fields *fields)
{
    int people = has(fields, SENDER) + has(fields, RECEIVER), team = has(fields, MEMBER) + has(fields, GROUP);
    int to_group = has(fields, SENDER) && has(fields, GROUP) && !has(fields, MEMBER);
    if (has(fields, CHAT)) {
        int chat = fields->field[CHAT].span.data[0];
        return (people == 2 && !team) || (chat && to_group) ? chat : -1;
    }
    if (people == 2 && !team)
        return 0;
    return (team == 2 && !people) || (to_group && people == 1) ? 1 : -1;
}

static Span span_of_sender(const Fields *fields)
{
    return fields->field[has(fields, MEMBER) ? MEMBER : SENDER].span;
}

static Span span_of_target(const Fields *fields)
{
    return fields->field[has(fields, GROUP) ? GROUP : RECEIVER].span;
}

static Ids *ids_of_targets(const Through *self, const Record *record)
{
    return record->chat ? self->groups : self->accounts;
}

static void expect_ends(const Through *self, Record *record)
{
    record->sender_hash = ids_expect(self->accounts, span_of_sender(&record->fields), self->bare);
    record->target_hash = ids_expect(ids_of_targets(self, record), span_of_target(&record->fields), self->bare);
}

static int find_other(Through *self, Record *record)
{
    Field *other = &record->fields.field[OTHER];
    uint64_t hash;
    if (!has(&record->fields, OTHER))
        return 1;
    hash = ids_expect(self->accounts, other->span, self->bare);
    return ids_find(self->accounts, other->span, hash, self->bare, &record->other, other);
}

static int find_ends(Through *self, Record *record)
{
    Fields *fields = &record->fields;
    Field *field = fields->field;
    Span from = span_of_sender(fields), to = span_of_target(fields);
    Ids *targets = ids_of_targets(self, record);
    fields->seen |= (Set)1 << SENDER | (Set)1 << RECEIVER;
    return ids_find(self->accounts, from, record->sender_hash, self->bare, &record->sender, &field[SENDER]) &&
           ids_find(targets, to, record->target_hash, self->bare, &record->target, &field[RECEIVER]) &&
           find_other(self, record);
}

/* A file without a name is called by the last part of its URL, as the targets call it. */
static void name_by_url(Fields *fields)
{
    Field *name = &fields->field[NAME];
    Span url = fields->field[URL].span, found = {url.data, 0};
    if (has(fields, NAME) || !has(fields, URL))
        return;
    for (size_t i = 0; i < url.size && url.data[i] != '?'; i++) {
        if (url.data[i] == '/')
            found = (Span){url.data + i + 1, 0};
        else
            found.size++;
    }
    *name = (Field){found.size ? found : (Span){(const unsigned char *)"file", 4}, 1};
    fields->seen |= (Set)1 << NAME;
    fields->mended |= 1u << NAMED_BY_URL;
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

static int number_of(const Fields *fields, int field, uint64_t *number)
{
    if (!has(fields, field))
        return 0;
    *number = digits_value(fields->field[field].span);
    return 1;
}

/* Leave the target of a record whose vendor tells a team's beside, or instead of, the receiver. */
static void choose_target(Fields *fields, int targets)
{
    Set receiver = (Set)1 << RECEIVER, group = (Set)1 << GROUP;
    int team = has(fields, CHAT) && fields->field[CHAT].span.data[0];
    if (!team)
        fields->seen &= ~group;
    else if (has(fields, GROUP) || targets == TARGETS_APART)
        fields->seen &= ~receiver;
}

/* Exchange the sender and the other where a record tells them the other way round. */
static void turn_round(Fields *fields, int turned)
{
    Field *sender = &fields->field[has(fields, MEMBER) ? MEMBER : SENDER], *other = &fields->field[OTHER], kept = *sender;
    if (!has(fields, KIND) || fields->field[KIND].span.data[0] != turned || !has(fields, OTHER))
        return;
    *sender = *other;
    *other = kept;
}

/* Name a record, and make its number of the name, unless it has one. */
static int find_name(Through *self, Record *record, Scan *scan)
{
    Field *number = &record->fields.field[MSGID];
    unsigned char hash[DIGEST_SIZE];
    int done;
    if (naming_is_number(self->naming, &record->fields)) {
        record->fields.seen |= (Set)1 << MSGID;
        *number = (Field){record->fields.field[SOURCE].span, 0};
        record->msgid = digits_value(number->span);
        return 1;
    }
    done = naming_write(self->naming, &record->fields, record->chat, &self->name, &record->name);
    if (done <= 0 || !hashes_content(self->hashes, &self->name, 0, (char *)hash))
        return 0;
    record->msgid = 0;
    for (int i = 0; i < DIGEST_SIZE; i++)
        record->msgid = record->msgid << 8 | hash[i];
    record->msgid &= INT64_MAX;
    record->msgid += !record->msgid;
    number->span = scan_put_number(scan, record->msgid);
    number->layers = 0;
    record->fields.seen |= (Set)1 << MSGID | (Set)1 << DERIVED;
    return 1;
}

/* Whether what has no name is called by its URL in the lines for a record. */
static int names_by_url(const Through *self, const Record *record)
{
    unsigned char kind = record->fields.field[KIND].span.data[0];
    for (Py_ssize_t i = 0; i < self->form_count; i++) {
        if (form_is_for(self->forms[i], kind, record->chat))
            return form_names(self->forms[i]);
    }
    return 0;
}

/* The first form from `first` on for the kind and chat whose fields are those of the record, or -1. */
static Py_ssize_t find_form(const Through *self, const Record *record, Py_ssize_t first)
{
    unsigned char kind = record->fields.field[KIND].span.data[0];
    for (Py_ssize_t i = first; i < self->form_count; i++) {
        if (form_is_for(self->forms[i], kind, record->chat) && form_fits(self->forms[i], &record->fields))
            return i;
    }
    return -1;
}

/* Skip a byte order mark and the word that may stand glued before a record. */
static void skip_glued(const Through *self, Scan *scan, Fields *fields)
{
    const char *label = PyBytes_AS_STRING(self->label);
    size_t size = (size_t)PyBytes_GET_SIZE(self->label);
    scan_blanks(scan);
    if (scan->end - scan->at > 3 && memcmp(scan->at, "\xEF\xBB\xBF", 3) == 0) {
        scan->at += 3;
        scan_blanks(scan);
        fields->mended |= 1u << MARKED;
    }
    if (size && (size_t)(scan->end - scan->at) > size && memcmp(scan->at, label, size) == 0) {
        scan->at += size;
        fields->mended |= 1u << LABELLED;
    }
}

/* Make milliseconds of a time that is seconds or microseconds; see values.milliseconds. */
static void scale_time(const Through *self, Fields *fields, Scan *scan)
{
    Span *digits = &fields->field[TIME].span;
    int64_t time, scaled;
    int seconds = digits->size == 10;
    if (!has(fields, TIME) || !(seconds || digits->size == 16) || digits->data[0] == '0')
        return;
    time = (int64_t)digits_value(*digits);
    scaled = seconds ? time * 1000 : time / 1000;
    if ((time >= self->moment.earliest && time <= self->moment.latest) || scaled < self->moment.earliest ||
        scaled > self->moment.latest)
        return;
    memcpy(scan->room, digits->data, digits->size);
    memcpy(scan->room + digits->size, "000", 3);
    *digits = (Span){scan->room, 13};
    scan->room += 19;
    fields->mended |= 1u << TIME_SCALED;
}

/* Make content compact, and wrap it. */
static int make_content(Through *self, Fields *fields, Scan *scan)
{
    if (!shape_compact(fields, CONTENT, scan))
        return 0;
    if (!self->wrapping.count)
        return 1;
    self->wrapped.size = 0;
    if (steps_write(&self->wrapping, fields, &self->wrapped) <= 0)
        return 0;
    fields->field[CONTENT].span = (Span){self->wrapped.data, self->wrapped.size};
    return 1;
}

static void keep_bytes(Fields *fields, int field, PyObject *bytes, int layers)
{
    Span span = {(const unsigned char *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
    fields->seen |= (Set)1 << field;
    fields->field[field] = (Field){span, layers};
}

/* Give a record the fields that it lacks. */
static void fill_in(const Through *self, Fields *fields)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->defaults); i++) {
        PyObject *given = PyTuple_GET_ITEM(self->defaults, i);
        int field = (int)PyLong_AsLong(PyTuple_GET_ITEM(given, 0));
        if (!has(fields, field))
            keep_bytes(fields, field, PyTuple_GET_ITEM(given, 2), (int)PyLong_AsLong(PyTuple_GET_ITEM(given, 1)));
    }
}

/* Read a record and find all that its line needs. Like the next ones: 1 done, 0 unfit, or with an exception set. */
static int read_record(Through *self, Span raw, Record *record)
{
    Fields *fields = &record->fields;
    Scan scan;
    fields->seen = 0;
    fields->mended = 0;
    if (opening_open(&self->opening, raw, &self->opened, &raw) <= 0)
        return 0;
    /* a nested text is unescaped, then its strings rewritten; a value can be kept twice; numbers gain some zeros */
    if (!make_room(self, raw.size * 4 + ROOM_MORE))
        return 0;
    scan = (Scan){raw.data, raw.data + raw.size, self->room};
    if (self->label != Py_None)
        skip_glued(self, &scan, fields);
    if (!shape_read(self->shape, &scan, fields) || !scan_done(&scan))
        return 0;
    if (self->targets)
        choose_target(fields, self->targets);
    if (self->group && self->group != Py_None && !has(fields, RECEIVER) && !has(fields, GROUP))
        keep_bytes(fields, GROUP, self->group, 1);
    fill_in(self, fields);
    if (!has(fields, KIND) || !has(fields, CLIENT) || (record->chat = chat_of(fields)) < 0)
        return 0;
    turn_round(fields, self->turned);
    expect_ends(self, record);
    if (names_by_url(self, record))
        name_by_url(fields);
    if (self->find_suffix)
        suffix_find(fields, &scan);
    if ((record->form = find_form(self, record, 0)) < 0)
        return 0;
    if (!(self->naming ? find_name(self, record, &scan) : number_of(fields, MSGID, &record->msgid)) || record->msgid < 1)
        return 0;
    if (self->label != Py_None)
        scale_time(self, fields, &scan);
    if (!moment_find(&self->moment, fields, &scan, &record->time))
        return 0;
    if (has(fields, CONTENT) && form_wants(self->forms[record->form], CONTENT)) {
        if (!make_content(self, fields, &scan) || (record->form = find_form(self, record, 0)) < 0)
            return 0;
    }
    return !(self->strict && fields->mended) && find_ends(self, record);
}

static int add_key_field(Out *key, const Field *field)
{
    if (!out_reserve(key, field->span.size + 4))
        return 0;
    out_mark(key, ",\"", 1 + field->layers);
    out_add(key, field->span.data, field->span.size);
    out_mark(key, "\"", field->layers);
    return 1;
}

/* The target; a group whose id is text stands in an array, so that it never equals a person. */
static int add_key_target(Out *key, const Field *field, int chat)
{
    int group = chat && field->layers;
    if (!group)
        return add_key_field(key, field);
    if (!out_reserve(key, field->span.size + 6))
        return 0;
    out_add(key, ",[\"", 3);
    out_add(key, field->span.data, field->span.size);
    out_add(key, "\"]", 2);
    return 1;
}

/* The rest of a key that is its number alone. */
#define NOTHING_MORE ",\"\",\"\",0]"

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
    if (self->naming && naming_alone(self->naming))
        return out_reserve(key, sizeof NOTHING_MORE) && (out_add(key, NOTHING_MORE, sizeof NOTHING_MORE - 1), 1);
    if (!add_key_field(key, &field[SENDER]) || !add_key_target(key, &field[RECEIVER], record->chat) ||
        !add_key_field(key, &field[TIME]))
        return 0;
    if (!out_reserve(key, 1))
        return 0;
    out_add(key, "]", 1);
    return 1;
}

static int add_name(Through *self, PyObject *columns, const Record *record)
{
    Out name = {self->name.data + record->name, self->name.size - record->name, 0};
    char hash[KEY_SIZE];
    return hashes_key(self->hashes, &name, hash) && columns_add_name(columns, hash);
}

static int add_row(Through *self, PyObject *columns, const Record *record, Py_ssize_t source)
{
    char content[DIGEST_SIZE];
    return hashes_content(self->hashes, &self->line, form_sorted(self->forms[record->form]), content) &&
           columns_add(columns, (Span){self->line.data, self->line.size}, record->key, content, record->msgid, record->time, source) &&
           (!has(&record->fields, DERIVED) || add_name(self, columns, record));
}

/* Count a record; 0 if there is no more room for another set of remarks. */
static int count(Through *self, const Record *record, Py_ssize_t source)
{
    Set remarks = form_remarks(self->forms[record->form], &record->fields);
    Taken *taken = self->taken, *end = self->taken + self->taken_count;
    for (; taken < end; taken++) {
        if (taken->form == record->form && taken->remarks == remarks && taken->mended == record->fields.mended) {
            taken->count++;
            return 1;
        }
    }
    if (self->taken_count == MOST_GROUPS)
        return 0;
    self->taken_count++;
    *taken = (Taken){record->form, remarks, record->fields.mended, 1, source};
    return 1;
}

/* Write the line by the first form that takes the record, from the one on that it fits. */
static int write_line(Through *self, Record *record)
{
    for (;;) {
        int done;
        self->line.size = 0;
        done = form_write(self->forms[record->form], &record->fields, self->hashes, record->key, &self->line);
        if (done)
            return done > 0;
        if ((record->form = find_form(self, record, record->form + 1)) < 0)
            return 0;
    }
}

static int take(Through *self, PyObject *const *columns, Span raw, Py_ssize_t source)
{
    Record record;
    if (!raw.size || !read_record(self, raw, &record))
        return 0;
    return write_key(self, &record) && hashes_key(self->hashes, &self->key, record.key) && write_line(self, &record) &&
           count(self, &record, source) &&
           add_row(self, columns[record.chat], &record, source);
}

/* Hand a record that was not taken to Python; it is made an object of if it is none yet. */
static int pass_on(PyObject *otherwise, Py_ssize_t source, Span raw, PyObject *known)
{
    PyObject *number = PyLong_FromSsize_t(source), *done = NULL;
    PyObject *bytes = known ? Py_NewRef(known)
                            : PyBytes_FromStringAndSize((const char *)raw.data, (Py_ssize_t)raw.size);
    if (number && bytes)
        done = PyObject_CallFunctionObjArgs(otherwise, number, bytes, NULL);
    Py_XDECREF(number);
    Py_XDECREF(bytes);
    Py_XDECREF(done);
    return done != NULL;
}

static int take_or_pass_on(Through *self, PyObject *const *columns, PyObject *otherwise, Py_ssize_t source, Span raw,
                           PyObject *known)
{
    if (take(self, columns, raw, source))
        return 1;
    return !PyErr_Occurred() && pass_on(otherwise, source, raw, known);
}

static Span span_of(PyObject *bytes)
{
    return (Span){(const unsigned char *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

static int take_list(Through *self, PyObject *records, PyObject *const *columns, PyObject *otherwise)
{
    for (Py_ssize_t source = 0; source < PyList_GET_SIZE(records); source++) {
        PyObject *raw = Py_NewRef(PyList_GET_ITEM(records, source));
        int done = PyBytes_Check(raw) && take_or_pass_on(self, columns, otherwise, source, span_of(raw), raw);
        Py_DECREF(raw);
        if (!done) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "records are bytes");
            return 0;
        }
    }
    return 1;
}

static int take_lines(Through *self, PyObject *text, PyObject *const *columns, PyObject *otherwise)
{
    Span all = span_of(text);
    const unsigned char *at = all.data, *end = all.data + all.size;
    for (Py_ssize_t source = 0;; source++) {
        const unsigned char *newline = memchr(at, '\n', (size_t)(end - at));
        const unsigned char *stop = newline ? newline : end;
        for (int chat = 0; chat < CHATS; chat++)
            columns_stand_at(columns[chat], at - all.data);
        if (!take_or_pass_on(self, columns, otherwise, source, (Span){at, (size_t)(stop - at)}, NULL))
            return 0;
        if (!newline)
            return 1;
        at = newline + 1;
    }
}

static PyObject *taken_list(const Through *self)
{
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list && i < self->taken_count; i++) {
        const Taken *taken = &self->taken[i];
        PyObject *row = Py_BuildValue("nKInn", taken->form, (unsigned long long)taken->remarks, taken->mended, taken->count,
                                      taken->first);
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    return list;
}

static PyObject *through_take(Through *self, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *columns[CHATS];
    int done;
    if (count != 3 || !PyTuple_Check(arguments[1]) || PyTuple_GET_SIZE(arguments[1]) != CHATS) {
        PyErr_SetString(PyExc_TypeError, "take(records, streams: tuple, otherwise)");
        return NULL;
    }
    for (int chat = 0; chat < CHATS; chat++) {
        columns[chat] = PyTuple_GET_ITEM(arguments[1], chat);
        if (!columns_check(columns[chat])) {
            PyErr_SetString(PyExc_TypeError, "streams are Columns");
            return NULL;
        }
    }
    self->taken_count = 0;
    if (PyBytes_Check(arguments[0])) {
        done = take_lines(self, arguments[0], columns, arguments[2]);
    } else if (PyList_Check(arguments[0])) {
        done = take_list(self, arguments[0], columns, arguments[2]);
    } else {
        PyErr_SetString(PyExc_TypeError, "records are a list, or bytes whose lines they are");
        done = 0;
    }
    for (int chat = 0; chat < CHATS; chat++)
        columns_stand_at(columns[chat], NOWHERE);
    return done ? taken_list(self) : NULL;
}

static int through_traverse(Through *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->group);
    Py_VISIT(self->defaults);
    Py_VISIT(self->label);
    if (self->hashes && hashes_traverse(self->hashes, visit, arg))
        return -1;
    if (self->accounts && ids_traverse(self->accounts, visit, arg))
        return -1;
    return self->groups ? ids_traverse(self->groups, visit, arg) : 0;
}

static int through_clear(Through *self)
{
    Py_CLEAR(self->group);
    Py_CLEAR(self->defaults);
    Py_CLEAR(self->label);
    if (self->hashes)
        hashes_clear(self->hashes);
    if (self->accounts)
        ids_clear(self->accounts);
    if (self->groups)
        ids_clear(self->groups);
    return 0;
}

static void through_dealloc(Through *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    through_clear(self);
    hashes_free(self->hashes);
    ids_free(self->accounts);
    ids_free(self->groups);
    shape_free(self->shape);
    for (Py_ssize_t i = 0; self->forms && i < self->form_count; i++)
        form_free(self->forms[i]);
    PyMem_Free(self->forms);
    PyMem_Free(self->line.data);
    PyMem_Free(self->key.data);
    PyMem_Free(self->name.data);
    PyMem_Free(self->opened.data);
    PyMem_Free(self->wrapped.data);
    steps_clear(&self->wrapping);
    opening_clear(&self->opening);
    PyMem_Free(self->room);
    naming_free(self->naming);
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

/* Whether these are fields with bytes; else an exception is set. */
static int are_defaults(PyObject *defaults)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(defaults); i++) {
        PyObject *bytes, *given = PyTuple_GET_ITEM(defaults, i);
        int field, layers;
        if (!PyTuple_Check(given) || !PyArg_ParseTuple(given, "iiS", &field, &layers, &bytes)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "a default is a tuple");
            return 0;
        }
        if (field < 0 || field >= FIELDS || !PyBytes_GET_SIZE(bytes)) {
            PyErr_SetString(PyExc_ValueError, "a default is out of range");
            return 0;
        }
    }
    return 1;
}

static PyObject *through_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"shape", "forms", "accounts", "learn_account", "groups", "learn_group", "hashed", "digest",
                            "sorted_digest", "defaults", "earliest", "latest", "bare", "find_suffix", "plain_account",
                            "longest_account", "label", "strict", "naming", "order", "opening", "targets", "wrapping",
                            "turned", NULL};
    PyObject *shape, *forms, *accounts, *learn_account, *groups, *learn_group;
    PyObject *hashed, *digest, *sorted, *defaults, *label, *naming, *opening, *wrapping;
    const char *plain;
    Py_ssize_t plain_size, longest;
    long long earliest, latest;
    int bare, find_suffix, strict, order, targets, turned;
    Through *self;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "$OO!O!OO!OOOOO!LLppy#nOpOiOiO!i", names, &shape, &PyTuple_Type,
                                     &forms, &PyDict_Type, &accounts, &learn_account, &PyDict_Type, &groups,
                                     &learn_group, &hashed, &digest, &sorted, &PyTuple_Type, &defaults, &earliest,
                                     &latest, &bare, &find_suffix, &plain, &plain_size, &longest, &label, &strict,
                                     &naming, &order, &opening, &targets, &PyTuple_Type, &wrapping, &turned))
        return NULL;
    if (order < 0 || order >= ORDERS) {
        PyErr_SetString(PyExc_ValueError, "an order is not known");
        return NULL;
    }
    if (label != Py_None && !PyBytes_Check(label)) {
        PyErr_SetString(PyExc_TypeError, "a label is bytes or None");
        return NULL;
    }
    if (!are_defaults(defaults))
        return NULL;
    if (!(self = (Through *)type->tp_alloc(type, 0)))
        return NULL;
    self->defaults = Py_NewRef(defaults);
    self->label = Py_NewRef(label);
    self->strict = strict;
    self->moment = (Moment){order, earliest, latest, INT64_MIN, INT64_MAX, 0};
    self->targets = targets;
    self->turned = turned;
    self->bare = bare;
    self->find_suffix = find_suffix;
    if ((self->hashes = hashes_new(hashed, digest, sorted)))
        self->accounts = ids_new(accounts, learn_account, (Span){(const unsigned char *)plain, (size_t)plain_size},
                                 longest < 0 ? 0 : (size_t)longest, hashes_narrow(self->hashes));
    if (self->accounts)
        self->groups = ids_new(groups, learn_group, (Span){NULL, 0}, 0, NULL);
    if (!self->groups || !opening_fill(&self->opening, opening) || !steps_fill(&self->wrapping, wrapping, NULL, 0) || (naming != Py_None && !(self->naming = naming_new(naming)))) {
        Py_DECREF(self);
        return NULL;
    }
    if ((self->shape = shape_new(shape)) && add_forms(self, forms))
        return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static PyObject *through_behind(Through *self, PyObject *arguments)
{
    Moment *moment = &self->moment;
    PyObject *group;
    if (!PyArg_ParseTuple(arguments, "LLLO", &moment->first, &moment->stop, &moment->offset, &group))
        return NULL;
    if (group != Py_None && !PyBytes_Check(group)) {
        PyErr_SetString(PyExc_TypeError, "a group is bytes or None");
        return NULL;
    }
    Py_XSETREF(self->group, Py_NewRef(group));
    Py_RETURN_NONE;
}

static PyObject *through_met(Through *self, PyObject *ignored)
{
    (void)ignored;
    return ids_met(self->accounts);
}

static PyMethodDef METHODS[] = {
    {"met", (PyCFunction)through_met, METH_NOARGS,
     "met(): xxh3-64, as u8, of the accounts that were met and never came into their book, being their own targets."},
    {"behind", (PyCFunction)through_behind, METH_VARARGS,
     "behind(first, stop, offset, group): what the head of the next records says about them; see Bounds."},
    {"take", (PyCFunction)(void (*)(void))through_take, METH_FASTCALL,
     "take(records, streams, otherwise): see contract.Shortcut; gives (form, remarks, mended, count, first) each."},
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

static int add_type(PyObject *module, const char *name, PyObject *type)
{
    int failed = !type || PyModule_AddObjectRef(module, name, type) < 0;
    Py_XDECREF(type);
    return !failed;
}

static int add_types(PyObject *module)
{
    if (!add_type(module, "Through", PyType_FromSpec(&SPEC)) || !add_type(module, "Columns", columns_type()))
        return -1;
    if (PyModule_AddFunctions(module, lines_methods) < 0 || PyModule_AddFunctions(module, memory_methods) < 0)
        return -1;
    return PyModule_AddFunctions(module, rows_methods) < 0 ? -1 : PyModule_AddFunctions(module, bundle_methods);
}

static PyModuleDef_Slot MODULE_SLOTS[] = {{Py_mod_exec, add_types}, {0, NULL}};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT, "imconvert.native.through", "The compiled inner loop.", 0, cut_methods, MODULE_SLOTS, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_through(void)
{
    return PyModuleDef_Init(&MODULE);
}
