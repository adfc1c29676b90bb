/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/output-rules.h"

#include "base/cleanup.h"

struct output_rules output_rules_choose(const struct output_rules *agent,
                                        const struct output_choice *choice)
{
    struct output_rules rules = *agent;

    if (choice->cap > 0)
        rules.cap = choice->cap == OUTPUT_CAP_NONE ? 0 : choice->cap;
    if (rules.cap > 0) /* what is for the first bytes leaves half of a smaller cap for the last */
        rules.head = MIN(rules.head, rules.cap / 2);
    if (choice->policy != OUTPUT_POLICY_UNSPECIFIED)
        rules.stop_at_cap = choice->policy == OUTPUT_POLICY_STOP_JOB;
    return rules;
}
