/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * hoist-init's other use: it makes a root for many jobs and hands its mount namespace over
 * (wire/plan.h: PLAN_MAKES_ROOT). Still root with all capabilities, it meets nobody but whoever
 * started it, and reads nothing but the plan.
 *
 * Returns main()'s status; what was wrong is told through PLAN_FD_ANSWER.
 */
int root_maker_run(void);
