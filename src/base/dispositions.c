/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dispositions.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HANDLER_IGNORE 1UL /* SIG_IGN */

/* The kernel's struct sigaction on every architecture: the handler, flags, restorer and mask. All
 * zero it is SIG_DFL. */
struct kernel_action {
    unsigned long handler, flags, restorer;
    uint64_t mask;
};

void dispositions_reset(void)
{
    const struct kernel_action plain = {0};
    struct kernel_action now;

    for (int signal = 1; signal < _NSIG; signal++)
        if (syscall(SYS_rt_sigaction, signal, NULL, &now, sizeof(now.mask)) == 0 &&
            now.handler == HANDLER_IGNORE)
            (void)syscall(SYS_rt_sigaction, signal, &plain, NULL, sizeof(plain.mask));
}
