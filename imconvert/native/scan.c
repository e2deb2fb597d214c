#include "scan.h"

#include <string.h>

static const char HEX[] = "0123456789abcdef";

static int continues(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of the well-formed UTF-8 sequence of two to four bytes at `at`, or 0. */
static size_t sequence(const unsigned char *at, const unsigned char *end)
{
    size_t left = (size_t)(end - at);
    unsigned char first = at[0];
    if (first >= 0xC2 && first <= 0xDF)
        return left >= 2 && continues(at[1]) ? 2 : 0;
    if ((first & 0xF0) == 0xE0) {
        if (left < 3 || !continues(at[1]) || !continues(at[2]))
            return 0;
        if ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] >= 0xA0))
            return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (left < 4 || !continues(at[1]) || !continues(at[2]) || !continues(at[3]))
            return 0;
        if ((first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] >= 0x90))
            return 0;
        return 4;
    }
    return 0;
}

/* Whether three bytes, of at least four, are a well-formed sequence of the usual kind, as nearly all CJK is. */
static int usual_three(const unsigned char *at)
{
    uint32_t word;
    memcpy(&word, at, 4);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (word & 0xC0C0F0u) == 0x8080E0u && at[0] != 0xE0 && at[0] != 0xED;
#else
    return (at[0] & 0xF0) == 0xE0 && continues(at[1]) && continues(at[2]) && at[0] != 0xE0 && at[0] != 0xED;
#endif
}

/* Whether the first bytes of sequences, which stand where `leads` is 0xFF, are neither 0xE0 nor 0xED. */
static int usual_leads(uint64_t word, uint64_t leads)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t low = word & leads & (ones * 0x0F);
    return !(~((low + ones * 0x0F) & ((low ^ (ones * 0x0D)) + ones * 0x0F)) & leads & (ones * 0x10));
}

/* Whether twelve bytes are four well-formed sequences of the usual kind. */
static int usual_twelve(const unsigned char *at)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t one, other;
    memcpy(&one, at, 8);
    memcpy(&other, at + 4, 8);
    return (one & 0xC0F0C0C0F0C0C0F0u) == 0x80E08080E08080E0u && (other & 0xC0C0F0C0C0F0C0C0u) == 0x8080E08080E08080u &&
           usual_leads(one, 0x00FF0000FF0000FFu) && usual_leads(other, 0x0000FF0000FF0000u);
#else
    return usual_three(at) && usual_three(at + 3) && usual_three(at + 6) && usual_three(at + 9);
#endif
}

/* How many of eight bytes come before a quote, a backslash, a control character or one beyond ASCII; maybe fewer where
bytes lie the other way round. */
static size_t plain_of_eight(const unsigned char *at)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t word, quotes, slashes;
    memcpy(&word, at, 8);
    quotes = word ^ (ones * '"');
    slashes = word ^ (ones * '\\');
    word = (word | (word - ones * 0x20) | (quotes - ones) | (slashes - ones)) & highs;
    if (!word)
        return 8;
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(word) >> 3; /* beyond the first of them the marks may be wrong */
#else
    return 0;
#endif
}

/* Go on over characters that stand for themselves, up to a quote or a backslash. */
static int run_plain(Scan *scan)
{
    const unsigned char *at = scan->at, *end = scan->end;
    for (;;) {
        for (size_t plain = 8; plain == 8 && end - at >= 8; at += plain)
            plain = plain_of_eight(at);
        if (at == end)
            return 0;
        if (*at == '"' || *at == '\\')
            break;
        if (*at < 0x20)
            return 0;
        if (*at < 0x80) {
            at++;
            continue;
        }
        while (end - at >= 13 && usual_twelve(at))
            at += 12;
        while (at < end && *at >= 0x80) {
            size_t length = end - at >= 4 && usual_three(at) ? 3 : sequence(at, end);
            if (!length)
                return 0;
            at += length;
        }
    }
    scan->at = at;
    return 1;
}

static int hex_digit(unsigned char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int32_t hex_unit(Scan *scan)
{
    int32_t unit = 0;
    if (scan->end - scan->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*scan->at++);
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* The character that an escape stands for, or -1; `at` is behind the backslash. */
static int32_t escape(Scan *scan)
{
    int32_t high, low;
    if (scan->at == scan->end)
        return -1;
    switch (*scan->at++) {
    case '"': return '"';
    case '\\': return '\\';
    case '/': return '/';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'u': break;
    default: return -1;
    }
    high = hex_unit(scan);
    if (high < 0xD800 || high > 0xDFFF)
        return high;
    if (high > 0xDBFF || scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u')
        return -1;
    scan->at += 2;
    low = hex_unit(scan);
    if (low < 0xDC00 || low > 0xDFFF)
        return -1;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static unsigned char *put_utf8(unsigned char *to, int32_t point)
{
    if (point < 0x80) {
        *to++ = (unsigned char)point;
    } else if (point < 0x800) {
        *to++ = (unsigned char)(0xC0 | point >> 6);
        *to++ = (unsigned char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *to++ = (unsigned char)(0xE0 | point >> 12);
        *to++ = (unsigned char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (unsigned char)(0x80 | (point & 0x3F));
    } else {
        *to++ = (unsigned char)(0xF0 | point >> 18);
        *to++ = (unsigned char)(0x80 | (point >> 12 & 0x3F));
        *to++ = (unsigned char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (unsigned char)(0x80 | (point & 0x3F));
    }
    return to;
}

/* An escaped character in canonical form; never longer than the escape it came from. */
static unsigned char *put_escaped(unsigned char *to, int32_t point)
{
    static const char SHORT[] = "btn.fr";
    if (point >= 0x20 && point != '"' && point != '\\')
        return put_utf8(to, point);
    *to++ = '\\';
    if (point == '"' || point == '\\') {
        *to++ = (unsigned char)point;
    } else if (point >= '\b' && point <= '\r' && point != '\v') {
        *to++ = (unsigned char)SHORT[point - '\b'];
    } else {
        memcpy(to, "u00", 3);
        to[3] = (unsigned char)HEX[point >> 4];
        to[4] = (unsigned char)HEX[point & 15];
        to += 5;
    }
    return to;
}

typedef unsigned char *(*Put)(unsigned char *to, int32_t point);

static int string(Scan *scan, Span *text, Put put)
{
    const unsigned char *begin;
    unsigned char *to;
    if (!scan_mark(scan, '"'))
        return 0;
    begin = scan->at;
    if (!run_plain(scan))
        return 0;
    text->data = begin;
    text->size = (size_t)(scan->at - begin);
    if (*scan->at == '"') {
        scan->at++;
        return 1;
    }
    to = scan->room;
    text->data = to;
    while (*scan->at == '\\') {
        int32_t point;
        memcpy(to, begin, (size_t)(scan->at - begin));
        to += scan->at - begin;
        scan->at++;
        point = escape(scan);
        if (point < 0)
            return 0;
        to = put(to, point);
        begin = scan->at;
        if (!run_plain(scan))
            return 0;
    }
    memcpy(to, begin, (size_t)(scan->at - begin));
    to += scan->at - begin;
    scan->at++;
    text->size = (size_t)(to - text->data);
    scan->room = to;
    return 1;
}

int scan_string(Scan *scan, Span *text)
{
    return string(scan, text, put_escaped);
}

int scan_meaning(Scan *scan, Span *text)
{
    return string(scan, text, put_utf8);
}

static int digit_at(const Scan *scan, const unsigned char *at)
{
    return at < scan->end && *at >= '0' && *at <= '9';
}

uint64_t digits_value(Span digits)
{
    uint64_t value = 0;
    for (size_t i = 0; i < digits.size; i++)
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    return value;
}

/* Digits without leading zeros that fit a signed 64-bit integer, from where `scan` stands. */
static int whole(Scan *scan, Span *digits)
{
    digits->data = scan->at;
    while (digit_at(scan, scan->at))
        scan->at++;
    digits->size = (size_t)(scan->at - digits->data);
    if (!digits->size || digits->size > 19 || (digits->size > 1 && digits->data[0] == '0'))
        return 0;
    return digits->size < 19 || memcmp(digits->data, "9223372036854775807", 19) <= 0;
}

int scan_number(Scan *scan, Span *digits)
{
    scan_blanks(scan);
    if (!whole(scan, digits))
        return 0;
    return scan->at == scan->end || !(*scan->at == '.' || (*scan->at | 0x20) == 'e');
}

int scan_digits(Scan *scan, Span *digits)
{
    if (!scan_mark(scan, '"') || !whole(scan, digits) || scan->at == scan->end || *scan->at != '"')
        return 0;
    scan->at++;
    return 1;
}

static int literal(Scan *scan, const char *word, Span *value)
{
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0)
        return 0;
    value->data = scan->at;
    value->size = size;
    scan->at += size;
    return 1;
}

/* A decimal fraction that is the shortest form of its value: up to 15 digits, no exponent, no needless zero. */
static int shortest(Span number)
{
    size_t digits = 0, point = 0;
    const unsigned char *at = number.data;
    for (size_t i = 0; i < number.size; i++) {
        if (at[i] == '.')
            point = i;
        else
            digits++;
    }
    if (digits > 15)
        return 0;
    if (at[number.size - 1] == '0' && number.size - point != 2)
        return 0;
    return !(at[0] == '0' && point == 1 && number.size > 4 && at[2] == '0' && at[3] == '0' && at[4] == '0');
}

/* Any JSON number whose text is canonical as it stands. */
static int number(Scan *scan, Span *value)
{
    const unsigned char *begin = scan->at;
    int minus = *begin == '-';
    Span digits;
    scan->at += minus;
    if (!whole(scan, &digits) || digits.size == 19)
        return 0;
    if (scan->at < scan->end && *scan->at == '.') {
        const unsigned char *fraction = ++scan->at;
        while (digit_at(scan, scan->at))
            scan->at++;
        if (scan->at == fraction)
            return 0;
        digits.size = (size_t)(scan->at - digits.data);
        if (!shortest(digits))
            return 0;
    }
    if (scan->at < scan->end && (*scan->at | 0x20) == 'e')
        return 0;
    if (minus && digits.data[0] == '0')
        return 0;
    value->data = begin;
    value->size = (size_t)(scan->at - begin);
    return 1;
}

int scan_decimal(Scan *scan, Span *digits)
{
    scan_blanks(scan);
    return scan->at < scan->end && number(scan, digits);
}

static void copy(Scan *scan, Span bytes)
{
    memcpy(scan->room, bytes.data, bytes.size);
    scan->room += bytes.size;
}

static int compact(Scan *scan, int depth);

/* A string with its quotes, written to the room. */
static int quoted(Scan *scan, Span *text)
{
    unsigned char *open;
    scan_blanks(scan);
    open = scan->room++;
    if (!scan_string(scan, text))
        return 0;
    *open = '"';
    if (text->data != open + 1) {
        memcpy(open + 1, text->data, text->size);
        text->data = open + 1;
        scan->room = open + 1 + text->size;
    }
    *scan->room++ = '"';
    return 1;
}

static int among(const Span *keys, size_t count, Span key)
{
    for (size_t i = 0; i < count; i++) {
        if (same_span(keys[i], key))
            return 1;
    }
    return 0;
}

static int members(Scan *scan, int depth)
{
    Span keys[SCAN_MEMBERS];
    size_t count = 0;
    *scan->room++ = '{';
    scan->at++;
    if (!scan_sees(scan, '}')) {
        do {
            if (count == SCAN_MEMBERS)
                return 0;
            if (count)
                *scan->room++ = ',';
            if (!quoted(scan, &keys[count]) || among(keys, count, keys[count]) || !scan_mark(scan, ':'))
                return 0;
            count++;
            *scan->room++ = ':';
            if (!compact(scan, depth))
                return 0;
        } while (scan_mark(scan, ','));
    }
    *scan->room++ = '}';
    return scan_mark(scan, '}');
}

static int elements(Scan *scan, int depth)
{
    *scan->room++ = '[';
    scan->at++;
    if (!scan_sees(scan, ']')) {
        for (;;) {
            if (!compact(scan, depth))
                return 0;
            if (!scan_mark(scan, ','))
                break;
            *scan->room++ = ',';
        }
    }
    *scan->room++ = ']';
    return scan_mark(scan, ']');
}

static int compact(Scan *scan, int depth)
{
    Span value;
    int known;
    scan_blanks(scan);
    if (scan->at == scan->end || depth == 0)
        return 0;
    switch (*scan->at) {
    case '{': return members(scan, depth - 1);
    case '[': return elements(scan, depth - 1);
    case '"': return quoted(scan, &value);
    case 't': known = literal(scan, "true", &value); break;
    case 'f': known = literal(scan, "false", &value); break;
    case 'n': known = literal(scan, "null", &value); break;
    default: known = number(scan, &value);
    }
    if (known)
        copy(scan, value);
    return known;
}

int scan_compact(Scan *scan, Span *value)
{
    value->data = scan->room;
    if (!compact(scan, SCAN_DEPTH))
        return 0;
    value->size = (size_t)(scan->room - value->data);
    return 1;
}

int scan_token(Scan *scan, Span *token)
{
    Span text;
    scan_blanks(scan);
    token->data = scan->at;
    if (scan->at < scan->end && *scan->at == '"') {
        if (!scan_string(scan, &text))
            return 0;
    } else {
        while (scan->at < scan->end && *scan->at != ',' && *scan->at != '}' && *scan->at != ']' && *scan->at > ' ')
            scan->at++;
    }
    token->size = (size_t)(scan->at - token->data);
    return token->size > 0;
}

Span scan_put_number(Scan *scan, uint64_t number)
{
    unsigned char digits[20], *at = digits + sizeof digits;
    Span found;
    do
        *--at = (unsigned char)('0' + number % 10);
    while (number /= 10);
    found.data = scan->room;
    found.size = (size_t)(digits + sizeof digits - at);
    memcpy(scan->room, at, found.size);
    scan->room += found.size;
    return found;
}

size_t span_characters(Span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += !continues(text.data[i]);
    return count;
}
