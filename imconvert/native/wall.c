#include "nodes.h"

#define DIGITS "dddd-dd-dd dd:dd:dd.ddd"

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

/* A wall clock with milliseconds, such as "2022-01-21 15:40:28.920", from 1970 on; the field is what it shows in ms, as if
it were UTC. */
int read_wall(const Node *node, Scan *scan, Fields *fields)
{
    Span text;
    const unsigned char *at;
    int year, month, day, hour, minute, second;
    if (!scan_string(scan, &text) || text.size != sizeof DIGITS - 1)
        return 0;
    at = text.data;
    for (size_t i = 0; i < text.size; i++) {
        if (DIGITS[i] == 'd' ? !is_digit(at[i]) : at[i] != (unsigned char)DIGITS[i])
            return 0;
    }
    year = number_in(at, 4), month = number_in(at + 5, 2), day = number_in(at + 8, 2);
    hour = number_in(at + 11, 2), minute = number_in(at + 14, 2), second = number_in(at + 17, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return 0;
    if (hour > 23 || minute > 59 || second > 59)
        return 0;
    second += minute * 60 + hour * 3600;
    text = scan_put_number(scan, (uint64_t)((days_to(year, month, day) * 86400 + second) * 1000 + number_in(at + 20, 3)));
    return keep(fields, node->field, text, 0);
}
