/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/command.h"

int cmd_version(struct session *session)
{
    (void)session;
    printf("hoist %s\n", HOIST_VERSION);
    return EXIT_OK;
}
