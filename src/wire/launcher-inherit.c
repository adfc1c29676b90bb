/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/quantity.h"
#include "wire/launcher-client.h"
#include "wire/packet.h"

/* How hoistd comes to the socket that the launcher has left it. */

int launcher_client_fd_from_env(int *ret, struct error *err)
{
    const char *text = getenv(LAUNCHER_CLIENT_ENV);
    _cleanup_close_ int fd = FD_NONE;
    uint64_t number;
    int r;

    if (!text)
        return error_set(err, -ENOENT,
                         "not started by hoist-launcher (no " LAUNCHER_CLIENT_ENV
                         " in the environment)");
    r = quantity_parse_unsigned(text, INT32_MAX, &number, err);
    if (r < 0)
        return error_prefix(err, LAUNCHER_CLIENT_ENV);
    r = packet_check_socket((int)number, err);
    if (r < 0)
        return r;
    /* What was inherited has no close-on-exec: a duplicate has, and the original goes. */
    fd = fd_duplicate((int)number);
    if (fd < 0)
        return error_set(err, fd, "can't duplicate the launcher's socket: %s", strerror(-fd));
    r = fd_set_nonblocking(fd, 1);
    if (r < 0)
        return error_set(err, r, "can't make the launcher's socket nonblocking: %s", strerror(-r));
    fd_close((int)number);
    unsetenv(LAUNCHER_CLIENT_ENV);
    *ret = TAKE_FD(fd);
    return 0;
}
