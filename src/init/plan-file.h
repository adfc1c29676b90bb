/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

#include "wire/plan.h"

/* The plan that hoist-init was given at PLAN_FD_PLAN, mapped and checked. */

struct plan_file {
    struct plan plan; /* points into the mapping */
    void *mapping;
    size_t size;
};

/* 0 or a negative errno with a sentence; without success there is nothing to undo. */
int plan_file_map(struct plan_file *ret, struct error *err);

void plan_file_unmap(struct plan_file *file);
