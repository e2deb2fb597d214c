#include "opening.h"

#define STAMP "dddd/dd/dd dd:dd:dd"
#define STAMP_SIZE (sizeof STAMP - 1)

static int hex_digit(unsigned char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Add a byte of a text to a JSON string; there is room. */
static void add_byte(Out *out, unsigned char byte)
{
    static const char HEX[] = "0123456789abcdef";
    unsigned char *to = out->data + out->size;
    if (byte >= 0x20 && byte != '"' && byte != '\\') {
        *to = byte;
        out->size++;
    } else if (byte >= 0x20) {
        to[0] = '\\';
        to[1] = byte;
        out->size += 2;
    } else {
        memcpy(to, "\\u00", 4);
        to[4] = (unsigned char)HEX[byte >> 4];
        to[5] = (unsigned char)HEX[byte & 15];
        out->size += 6;
    }
}

/* What is behind the time and blanks; all of it where there is no such time. */
static Span without_stamp(Span raw)
{
    size_t end = STAMP_SIZE;
    if (raw.size <= STAMP_SIZE)
        return raw;
    for (size_t i = 0; i < STAMP_SIZE; i++) {
        if (STAMP[i] == 'd' ? raw.data[i] < '0' || raw.data[i] > '9' : raw.data[i] != (unsigned char)STAMP[i])
            return raw;
    }
    while (end < raw.size && (raw.data[end] == ' ' || raw.data[end] == '\t'))
        end++;
    return (Span){raw.data + end, raw.size - end};
}

/* A name or value of a form from `at` to `end`, as a JSON string; there is room. */
static int add_decoded(Out *out, const unsigned char *at, const unsigned char *end)
{
    out_add(out, "\"", 1);
    for (; at < end; at++) {
        if (*at == '%') {
            int high = end - at > 2 ? hex_digit(at[1]) : -1, low = high < 0 ? -1 : hex_digit(at[2]);
            if (low < 0)
                return 0;
            add_byte(out, (unsigned char)(high << 4 | low));
            at += 2;
        } else {
            add_byte(out, *at == '+' ? ' ' : *at);
        }
    }
    out_add(out, "\"", 1);
    return 1;
}

static int open_form(Span raw, Out *room)
{
    const unsigned char *at = raw.data, *end = raw.data + raw.size;
    out_add(room, "{", 1);
    for (;;) {
        const unsigned char *stop = memchr(at, '&', (size_t)(end - at)), *equals;
        stop = stop ? stop : end;
        if (!(equals = memchr(at, '=', (size_t)(stop - at))) || !add_decoded(room, at, equals))
            return 0;
        out_add(room, ":", 1);
        if (!add_decoded(room, equals + 1, stop))
            return 0;
        if (stop == end)
            break;
        out_add(room, ",", 1);
        at = stop + 1;
    }
    out_add(room, "}", 1);
    return 1;
}

int opening_open(int opening, Span raw, Out *room, Span *json)
{
    int done;
    *json = opening == OPEN_STAMPED ? without_stamp(raw) : raw;
    if (opening != OPEN_FORM)
        return 1;
    while (raw.size && (raw.data[raw.size - 1] == '\r' || raw.data[raw.size - 1] == ' ' || raw.data[raw.size - 1] == '\t'))
        raw.size--;
    if (raw.size > OPENED_SIZE)
        return 0;
    room->size = 0;
    if (!out_reserve(room, raw.size * 6 + 16))
        return -1;
    done = open_form(raw, room);
    *json = (Span){room->data, room->size};
    return done;
}
