/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

void notify_manager(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET"); // NOLINT(concurrency-mt-unsafe): one thread
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = FD_NONE;
    size_t length = name ? strlen(name) : 0;
    socklen_t size;

    if (length < 2 || length >= sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@'))
        return;
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = 0; /* the abstract namespace, unix(7) */
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                         (const struct sockaddr *)&address, size) < 0)
        log_debug("can't tell the service manager: %s", strerror(errno));
}

/* A plain number, or 0. */
static uint64_t number_from_env(const char *name)
{
    const char *text = getenv(name); // NOLINT(concurrency-mt-unsafe): one thread
    char *end = NULL;
    uint64_t number;

    if (!text || text[0] < '0' || text[0] > '9')
        return 0;
    number = strtoull(text, &end, 10);
    return *end ? 0 : number;
}

usec_t notify_watchdog_interval(void)
{
    uint64_t pid = number_from_env("WATCHDOG_PID");

    return pid == 0 || pid == (uint64_t)getpid() ? number_from_env("WATCHDOG_USEC") / 2 : 0;
}
