#include "nodes.h"

#include <string.h>

#define SECONDS "dddd-dd-ddsdd:dd:dd"
#define SECONDS_SIZE (sizeof SECONDS - 1)

static int is_digit(unsigned char byte)
{
    return byte >= '0' && byte <= '9';
}

static int number_in(const unsigned char *at, int count)
{
    int number = 0;
    while (count--)
        number = number * 10 + (*at++ - '0');
    return number;
}

static int days_in(int year, int month)
{
    static const unsigned char DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01 to a date from then on; years are taken to begin in March. */
static int64_t days_to(int year, int month, int day)
{
    int64_t from_march = month > 2 ? month - 3 : month + 9, years = year - (month <= 2);
    return years * 365 + years / 4 - years / 100 + years / 400 + (153 * from_march + 2) / 5 + day - 1 - 719468;
}

/* Whether bytes look like a pattern, in which "d" is a digit and "s" is `sign`. */
static int looks_like(const unsigned char *at, const char *pattern, unsigned char sign)
{
    for (; *pattern; pattern++, at++) {
        if (*pattern == 'd' ? !is_digit(*at) : *at != (*pattern == 's' ? sign : (unsigned char)*pattern))
            return 0;
    }
    return 1;
}

/* What a clock shows to the second, from 1970 on, in ms as if it were UTC; -1 if there is no such moment. */
static int64_t shown(const unsigned char *at, unsigned char sign)
{
    int year, month, day, hour, minute, second;
    if (!looks_like(at, SECONDS, sign))
        return -1;
    year = number_in(at, 4), month = number_in(at + 5, 2), day = number_in(at + 8, 2);
    hour = number_in(at + 11, 2), minute = number_in(at + 14, 2), second = number_in(at + 17, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return -1;
    if (hour > 23 || minute > 59 || second > 59)
        return -1;
    return (days_to(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) * 1000;
}

/* A wall clock with milliseconds, such as "2022-01-21 15:40:28.920", from 1970 on; the field is what it shows in ms, as if
it were UTC. */
int read_wall(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    int64_t wall;
    if (!scan_string(scan, &text) || text.size != SECONDS_SIZE + 4 || !looks_like(text.data + SECONDS_SIZE, ".ddd", 0))
        return 0;
    if ((wall = shown(text.data, ' ')) < 0)
        return 0;
    return keep(fields, node->field, scan_put_number(scan, (uint64_t)(wall + number_in(text.data + SECONDS_SIZE + 1, 3))), 0);
}

/* The fraction of a second behind a clock, cut to ms, and how long it is; -1 if it has neither 3 nor 6 digits. */
static int fraction(const unsigned char *at, const unsigned char *end, int *ms)
{
    *ms = 0;
    if (at == end || *at != '.')
        return 0;
    if (end - at < 4 || !looks_like(at, ".ddd", 0))
        return -1;
    *ms = number_in(at + 1, 3);
    if (end - at >= 7 && looks_like(at + 4, "ddd", 0))
        return end - at == 7 || !is_digit(at[7]) ? 7 : -1;
    return end - at == 4 || !is_digit(at[4]) ? 4 : -1;
}

/* The offset that a clock tells itself, such as "Z" or "+08:00", in ms; 0 if what is there is none. */
static int own_offset(const unsigned char *at, const unsigned char *end, int64_t *offset)
{
    *offset = 0;
    if (end - at == 1 && *at == 'Z')
        return 1;
    if (end - at != 6 || (*at != '+' && *at != '-') || !looks_like(at + 1, "dd:dd", 0))
        return 0;
    *offset = (number_in(at + 1, 2) * 60 + number_in(at + 4, 2)) * 60000;
    if (*offset >= 86400000 || number_in(at + 4, 2) > 59)
        return 0;
    *offset = *at == '-' ? -*offset : *offset;
    return 1;
}

/* The offset of the zone at a wall clock; 0 where none, or more than one, is right. */
static int zone_offset(const Node *node, int64_t wall, int64_t *offset)
{
    for (int i = 0; i < node->scale; i++) {
        if (wall >= node->intervals[i].first && wall < node->intervals[i].stop) {
            *offset = node->intervals[i].offset;
            return 1;
        }
    }
    return 0;
}

/* A clock, with one of some signs between date and time, that may tell its own offset if it may; it becomes ms since 1970. */
int read_clock(const Node *node, Scan *scan, Fields *fields)
{
    Span text, signs = node->refused;
    const unsigned char *at, *end;
    int64_t wall, offset;
    int ms, length, own;
    if (!scan_string(scan, &text) || text.size < SECONDS_SIZE || !memchr(signs.data + 1, text.data[10], signs.size - 1))
        return 0;
    at = text.data + SECONDS_SIZE;
    end = text.data + text.size;
    if ((wall = shown(text.data, text.data[10])) < 0 || (length = fraction(at, end, &ms)) < 0)
        return 0;
    at += length;
    own = signs.data[0] == '1' && at < end;
    if (own ? !own_offset(at, end, &offset) : at < end || !zone_offset(node, wall, &offset))
        return 0;
    if (wall + ms < offset)
        return 0;
    return keep(fields, node->field, scan_put_number(scan, (uint64_t)(wall + ms - offset)), 0);
}
