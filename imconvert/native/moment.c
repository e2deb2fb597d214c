#include "moment.h"

static int within_second(const Moment *moment, const Fields *fields, int64_t *ms)
{
    uint64_t counter = 0;
    *ms = 0;
    if (moment->order == ORDER_NONE)
        return 1;
    if (!has(fields, COUNTER))
        return 0;
    counter = digits_value(fields->field[COUNTER].span);
    *ms = (int64_t)(moment->order == ORDER_IMPORTED && counter < 1000000000u ? counter / 1000000u : counter % 1000u);
    return 1;
}

static int fits_clock(const Moment *moment, const Fields *fields, int64_t time)
{
    int64_t wall;
    if (!has(fields, WALL))
        return time >= moment->first && time < moment->stop;
    wall = (int64_t)digits_value(fields->field[WALL].span);
    return wall >= moment->first && wall < moment->stop && wall - time == moment->offset;
}

int moment_find(const Moment *moment, Fields *fields, Scan *scan, int64_t *time)
{
    int64_t ms;
    if (!has(fields, TIME) || fields->field[TIME].span.size > 18)
        return 0;
    *time = (int64_t)digits_value(fields->field[TIME].span);
    if (!fits_clock(moment, fields, *time))
        return 0;
    if (moment->order != ORDER_MS) {
        if (*time > moment->latest / 1000 || !within_second(moment, fields, &ms))
            return 0;
        *time = *time * 1000 + ms;
        fields->field[TIME].span = scan_put_number(scan, (uint64_t)*time);
    }
    return *time >= moment->earliest && *time <= moment->latest;
}
