/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

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
