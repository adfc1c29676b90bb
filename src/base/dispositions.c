/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dispositions.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's struct sigaction on every architecture: the handler, flags, restorer and mask. All
 * zero it is SIG_DFL. */
struct kernel_action {
    unsigned long handler, flags, restorer;
    uint64_t mask;
};

void dispositions_reset(void)
{
    const struct kernel_action plain = {0};

    for (int signal = 1; signal < _NSIG; signal++) /* all but SIGKILL and SIGSTOP can be set */
        (void)syscall(SYS_rt_sigaction, signal, &plain, NULL, sizeof(plain.mask));
}
