/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/limit-choice.h"

#include <stdio.h>

#include "api/error.h"

/* Weights have no "more is worse" that a ceiling could hold; rlimits have no 0 for "none". */
static bool has_ceiling(enum limit limit)
{
    return limit != LIMIT_CPU_WEIGHT;
}

static bool is_unlimited(enum limit limit, uint64_t value)
{
    return value == 0 && limit != LIMIT_SWAP_MAX && limit != LIMIT_OPEN_FILES &&
           limit != LIMIT_CORE_SIZE;
}

static bool is_over(const struct limits *ceilings, enum limit limit, uint64_t value)
{
    if (!has_ceiling(limit) || !limit_is_given(ceilings, limit) ||
        is_unlimited(limit, ceilings->value[limit]))
        return false;
    return is_unlimited(limit, value) || value > ceilings->value[limit];
}

static int refuse(enum limit limit, uint64_t value, uint64_t ceiling, const char *set_by,
                  struct api_error *error)
{
    int r = api_error_set(error, HOIST__V1__REASON__REASON_OVER_CEILING,
                          "%s %llu is above the ceiling %llu set by %s; ask for at most that much "
                          "or choose another class",
                          limit_name(limit), (unsigned long long)value, (unsigned long long)ceiling,
                          set_by);

    api_error_add(error, "limit", "%s", limit_name(limit));
    api_error_add(error, "ceiling", "%llu", (unsigned long long)ceiling);
    api_error_add(error, "set_by", "%s", set_by);
    return r;
}

int limits_choose(const struct class *class, const struct limits *asked,
                  const struct limits *launcher, struct limits *ret, struct api_error *error)
{
    struct limits chosen = class->limits;
    char set_by[CLASS_NAME_MAX + 16];

    snprintf(set_by, sizeof(set_by), "the class \"%s\"", class->name);
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++) {
        if (!limit_is_given(asked, limit))
            continue;
        if (is_over(&class->limits, limit, asked->value[limit]))
            return refuse(limit, asked->value[limit], class->limits.value[limit], set_by, error);
        limit_set(&chosen, limit, asked->value[limit]);
    }
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++)
        if (limit_is_given(&chosen, limit) && is_over(launcher, limit, chosen.value[limit]))
            return refuse(limit, chosen.value[limit], launcher->value[limit], "the launcher",
                          error);
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
            is_unlimited(limit, limits->value[limit]) || enforceable & LIMIT_BIT(limit))
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
