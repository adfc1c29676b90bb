/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/startup.h"

#include <errno.h>
#include <stdbool.h>

#include "agent/config.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "wire/launcher-client.h"

/* What a callback leaves for the function that waits for it. */
struct answer {
    bool here;
    struct error *err;
    int code;
    struct launcher_hello *hello;
    int fd;
    uint16_t port;
};

static void answer_note(struct answer *answer, const struct error *err)
{
    answer->here = true;
    answer->code = err ? error_set(answer->err, err->code, "%s", err->text) : 0;
}

static int answer_wait(struct answer *answer, struct launcher_client *client, struct error *err)
{
    usec_t until = clock_boot() + STARTUP_PATIENCE;

    while (!answer->here) {
        usec_t now = clock_boot();
        int r = now < until ? launcher_client_wait(client, until - now, err)
                            : error_set(err, -ETIMEDOUT, "it doesn't answer");

        if (r < 0 && !answer->here)
            return error_prefix(err, "hoist-launcher");
    }
    return answer->code;
}

static void hello_done(const struct launcher_hello *hello, const struct error *err, void *owner)
{
    struct answer *answer = owner;

    answer_note(answer, err);
    if (!err)
        *answer->hello = *hello;
}

int startup_hello(struct launcher_client *client, struct launcher_hello *ret, struct error *err)
{
    struct answer answer = {.err = err, .hello = ret};
    int r = launcher_client_hello(client, hello_done, &answer, err);

    return r < 0 ? r : answer_wait(&answer, client, err);
}

static void listen_done(int *fd, uint16_t port, const struct error *err, void *owner)
{
    struct answer *answer = owner;

    answer_note(answer, err);
    if (!err) {
        answer->fd = TAKE_FD(*fd);
        answer->port = port;
    }
}

int startup_listen(struct launcher_client *client, const struct config_address *address,
                   int *ret_fd, uint16_t *ret_port, struct error *err)
{
    struct answer answer = {.err = err, .fd = FD_NONE};
    int r = launcher_client_listen(client, address->host, address->port, listen_done, &answer, err);

    if (r == 0)
        r = answer_wait(&answer, client, err);
    if (r < 0)
        return error_prefix(err, "listen %s:%u", address->host, (unsigned)address->port);
    *ret_fd = answer.fd;
    *ret_port = answer.port;
    return 0;
}
