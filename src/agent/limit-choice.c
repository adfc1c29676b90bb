/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/limit-choice.h"

#include <stdio.h>

#include "api/error.h"
#include "base/cleanup.h"

/* A choice, of which neither side is more: what a class says of it is no ceiling. */
static bool is_choice(enum limit limit)
{
    return limit == LIMIT_CPU_PERIOD || limit == LIMIT_OOM_GROUP;
}

/* Of what the class gives there is a value, so that "no such limit" passes the launcher's alone. */
static bool is_over(const struct limits *ceilings, const struct limits *chosen, enum limit limit)
{
    uint64_t ceiling, value;

    if (is_choice(limit) || !limit_is_given(ceilings, limit) ||
        !limits_hold(ceilings, limit, &ceiling))
        return false;
    return !limits_hold(chosen, limit, &value) || value > ceiling;
}

/* "none" is more than any other value. */
static bool is_less(enum limit limit, uint64_t a, uint64_t b)
{
    if (limit_is_reserve(limit))
        return a < b;
    return !limit_is_none(limit, a) && (limit_is_none(limit, b) || a < b);
}

static int refuse(const struct limits *chosen, enum limit limit, uint64_t ceiling,
                  const char *set_by, struct api_error *error)
{
    char asked[24] = "none";
    uint64_t value;
    int r;

    if (limits_hold(chosen, limit, &value))
        snprintf(asked, sizeof(asked), "%llu", (unsigned long long)value);
    r = api_error_set(error, HOIST__V1__REASON__REASON_OVER_CEILING,
                      "%s %s is above the ceiling %llu set by %s; ask for at most that much or "
                      "choose another class",
                      limit_name(limit), asked, (unsigned long long)ceiling, set_by);
    api_error_add(error, "limit", "%s", limit_name(limit));
    api_error_add(error, "asked", "%s", asked);
    api_error_add(error, "ceiling", "%llu", (unsigned long long)ceiling);
    api_error_add(error, "set_by", "%s", set_by);
    return r;
}

struct ceiling {
    const struct limits *limits;
    const char *set_by;
};

/* Of those that a value lies above the smallest is named: less than that fits under all. */
static int check_ceilings(const struct ceiling *ceilings, size_t count, const struct limits *chosen,
                          enum limit limit, struct api_error *error)
{
    const struct ceiling *smallest = NULL;

    for (size_t i = 0; i < count; i++)
        if (is_over(ceilings[i].limits, chosen, limit) &&
            (!smallest ||
             is_less(limit, ceilings[i].limits->value[limit], smallest->limits->value[limit])))
            smallest = &ceilings[i];
    if (!smallest)
        return 0;
    return refuse(chosen, limit, smallest->limits->value[limit], smallest->set_by, error);
}

/* What a class keeps for a job that asks for less than its class gives: that much, no more. */
static void fit_reserve(struct limits *chosen, enum limit kept, enum limit most)
{
    if (limit_is_given(chosen, kept) && limit_is_given(chosen, most) &&
        !limit_is_none(most, chosen->value[most]) && chosen->value[kept] > chosen->value[most])
        chosen->value[kept] = chosen->value[most];
}

int limits_choose(const struct class *class, const struct limits *asked,
                  const struct limits *launcher, struct limits *ret, struct api_error *error)
{
    struct limits chosen = class->limits, of_class_at_most = class->limits;
    char of_class[CLASS_NAME_MAX + 16];
    const struct ceiling ceilings[] = {
        {&of_class_at_most, of_class},
        {launcher, "the launcher"},
    };

    snprintf(of_class, sizeof(of_class), "the class \"%s\"", class->name);
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++) {
        if (limit_is_given(asked, limit))
            limit_set(&chosen, limit, asked->value[limit]);
        if (limit_is_reserve(limit) && !limit_is_given(&of_class_at_most, limit))
            limit_set(&of_class_at_most, limit, 0);
    }
    fit_reserve(&chosen, LIMIT_MEMORY_LOW, LIMIT_MEMORY_MAX);
    fit_reserve(&chosen, LIMIT_MEMORY_RESERVED, LIMIT_MEMORY_MAX);
    fit_reserve(&chosen, LIMIT_CPU_RESERVED, LIMIT_CPU_MILLIS);
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++) {
        int r = check_ceilings(ceilings, ARRAY_SIZE(ceilings), &chosen, limit, error);

        if (r < 0)
            return r;
    }
    *ret = chosen;
    return 0;
}

int limits_check_enforceable(const struct limits *limits, uint32_t enforceable,
                             struct api_error *error)
{
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++) {
        const char *controller = limit_controller(limit);
        int r;

        if (!limit_is_given(limits, limit) || !controller ||
            limit_is_none(limit, limits->value[limit]) || enforceable & LIMIT_BIT(limit))
            continue;
        r = api_error_set(error, HOIST__V1__REASON__REASON_LIMIT_NOT_ENFORCEABLE,
                          "%s can't be enforced: there is no controller \"%s\" for cgroup v2 on "
                          "this host",
                          limit_name(limit), controller);
        api_error_add(error, "limit", "%s", limit_name(limit));
        api_error_add(error, "controller", "%s", controller);
        return r;
    }
    return 0;
}
