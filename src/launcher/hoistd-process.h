/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/pidref.h"

struct error;
struct launcher_config;

/*
 * Starting hoistd: an ordinary process of the agent's user with nothing inherited but what it is to
 * have: the launcher's socket, /dev/null as stdin, our stdout and stderr, the environment of the
 * configuration, and an open-files limit raised as far as it goes.
 */

/* The exit status by which hoistd says that starting it again would be of no use (sysexits.h's
 * EX_CONFIG): its configuration, certificates or state directory are not in order. */
#define HOISTD_EXIT_CONFIG 78

/*
 * Returns once the program was executed: it is our child. `socket` (borrowed) becomes its
 * descriptor 3, which LAUNCHER_CLIENT_ENV tells it. An error names the step that failed.
 */
int hoistd_process_start(const struct launcher_config *config, int socket, struct pidref *ret,
                         struct error *err);
