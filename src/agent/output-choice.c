/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/output-choice.h"

#include <stdio.h>

#include "api/error.h"

static int refuse(const struct class *class, uint64_t asked, uint64_t ceiling,
                  struct api_error *error)
{
    bool of_class = class->output.cap > 0;
    char cap[32] = "none", set_by[CLASS_NAME_MAX + 32] = "the agent (output.cap)";
    int r;

    if (asked != OUTPUT_CAP_NONE)
        snprintf(cap, sizeof(cap), "%llu", (unsigned long long)asked);
    if (of_class)
        snprintf(set_by, sizeof(set_by), "the class \"%s\"", class->name);
    r = api_error_set(error, HOIST__V1__REASON__REASON_OVER_CEILING,
                      "output_cap %s is above the ceiling %llu set by %s; ask for at most that "
                      "much%s",
                      cap, (unsigned long long)ceiling, set_by,
                      of_class ? " or choose another class" : "");
    api_error_add(error, "limit", "output_cap");
    api_error_add(error, "asked", "%s", cap);
    api_error_add(error, "ceiling", "%llu", (unsigned long long)ceiling);
    api_error_add(error, "set_by", "%s", set_by);
    return r;
}

int output_choose(const struct class *class, const struct config_output *agent,
                  const struct output_choice *asked, struct output_choice *ret,
                  struct api_error *error)
{
    struct output_choice choice = class->output;
    uint64_t ceiling = OUTPUT_CAP_NONE;

    if (class->output.cap > 0)
        ceiling = class->output.cap;
    else if (agent->cap > 0)
        ceiling = agent->cap;
    if (asked->cap > ceiling)
        return refuse(class, asked->cap, ceiling, error);
    if (asked->cap > 0)
        choice.cap = asked->cap;
    if (asked->policy != OUTPUT_POLICY_UNSPECIFIED)
        choice.policy = asked->policy;
    *ret = choice;
    return 0;
}
