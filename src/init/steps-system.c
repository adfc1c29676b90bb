/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "init/step.h"
#include "init/syscalls.h"

int step_hostname(struct step_state *state, const struct plan_step *step)
{
    (void)state;
    return sethostname(step->source, strlen(step->source)) < 0 ? -errno : 0;
}

/* netdevice(7) */
int step_loopback_up(struct step_state *state, const struct plan_step *step)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};

    (void)state;
    (void)step;
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return -errno;
    request.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/* ENOSYS: a kernel without keyrings, so there is none to be shared either. */
int step_session_keyring(struct step_state *state, const struct plan_step *step)
{
    int r = sys_join_session_keyring();

    (void)state;
    (void)step;
    return r < 0 && r != -ENOSYS ? r : 0;
}
