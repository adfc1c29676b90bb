/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/session.h"

/* stdio forgets which error it was as soon as the bytes that didn't get out are dropped. */
static int first_failure;

int print_result(int r)
{
    if (r < 0 && first_failure == 0) {
        first_failure = r;
        if (r != -EPIPE)
            tell("the answer can't be written: %s", strerror(-r));
    }
    return r;
}

int print_flush(void)
{
    if (fflush(stdout) != 0)
        return print_result(-errno);
    if (first_failure == 0 && ferror(stdout))
        return print_result(-EIO);
    return first_failure;
}
