/* SPDX-License-Identifier: Apache-2.0 */
/* The plan as hoist-init reads it: refused, or safe to walk. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *aligned = size > 0 && size <= 65536 ? malloc(size) : NULL;
    struct plan plan;

    if (!aligned)
        return 0;
    memcpy(aligned, data, size);
    if (plan_read(aligned, size, &plan, NULL) == 0) {
        char *list[PLAN_ARGUMENTS_MAX + 1];

        plan_list_strings(plan.arguments, plan.argument_count, list);
        plan_list_strings(plan.env, plan.env_count, list);
        for (uint32_t i = 0; i < plan.step_count; i++)
            if (strlen(plan_step_at(&plan, i).target) > size)
                abort();
    }
    free(aligned);
    return 0;
}
