#include "suffix.h"

static int letter_or_digit(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

int suffix_from(const unsigned char *at, const unsigned char *end, Scan *scan, Span *suffix)
{
    if (at == end || end - at > SUFFIX_SIZE)
        return 0;
    suffix->data = scan->room;
    suffix->size = (size_t)(end - at);
    for (; at < end; at++) {
        if (!letter_or_digit(*at))
            return 0;
        *scan->room++ = *at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at;
    }
    return 1;
}

/* The suffix of a file name or URL, if it has a plausible one. */
static int suffix_in(Span name, Scan *scan, Span *suffix)
{
    size_t end = 0, begin, dot;
    while (end < name.size && name.data[end] != '?' && name.data[end] != '#')
        end++;
    for (begin = end; begin && name.data[begin - 1] != '/'; begin--)
        ;
    for (dot = end; dot > begin && name.data[dot - 1] != '.'; dot--)
        ;
    return dot >= begin + 2 && suffix_from(name.data + dot, name.data + end, scan, suffix);
}

void suffix_find(Fields *fields, Scan *scan)
{
    Field *suffix = &fields->field[SUFFIX];
    if (!has(fields, URL) || has(fields, SUFFIX))
        return;
    if ((has(fields, NAME) && suffix_in(fields->field[NAME].span, scan, &suffix->span)) ||
        suffix_in(fields->field[URL].span, scan, &suffix->span)) {
        suffix->layers = 1;
        fields->seen |= (Set)1 << SUFFIX;
    }
}
