/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a process does with its signals (sigaction(2)); execve(2) hands on what is ignored.
 */

/*
 * Gives every signal that is ignored its default disposition, the two that the C library keeps for
 * its threads (32 and 33, nptl(7)) included: sigaction(3) refuses them, but a starter of another
 * kind may have left them ignored. Handlers stay; an execve(2) ends them.
 */
void dispositions_reset(void);
