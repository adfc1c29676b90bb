/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/startup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "agent/config.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "wire/launcher-client.h"

/*
 * What a callback leaves for the function that waits for it. The callback comes in any case, if
 * only when the client is freed: of a function that waits no longer it inherits this.
 */
struct answer {
    bool here;
    bool abandoned;
    struct error error; /* code 0: none */
    struct launcher_hello hello;
    int fd;
    uint16_t port;
};

static void answer_done(struct answer *answer)
{
    if (!answer)
        return;
    fd_close(answer->fd);
    free(answer);
}
DEFINE_CLEANUP(struct answer *, answer_done);
#define _cleanup_answer_ _cleanup_(answer_donep)

static struct answer *answer_new(struct error *err)
{
    struct answer *answer = calloc(1, sizeof(*answer));

    if (answer)
        answer->fd = FD_NONE;
    else
        error_set(err, -ENOMEM, "no memory to ask hoist-launcher");
    return answer;
}

/* The last that is done to it in a callback. */
static void answer_note(struct answer *answer, const struct error *err)
{
    if (err)
        answer->error = *err;
    answer->here = true;
    if (answer->abandoned)
        answer_done(answer);
}

static int answer_wait(struct answer **answer, struct launcher_client *client, struct error *err)
{
    usec_t until = clock_boot() + STARTUP_PATIENCE;

    while (!(*answer)->here) {
        usec_t now = clock_boot();
        int r = now < until ? launcher_client_wait(client, until - now, err)
                            : error_set(err, -ETIMEDOUT, "it doesn't answer");

        if (r < 0 && !(*answer)->here) {
            TAKE_PTR(*answer)->abandoned = true;
            return error_prefix(err, "hoist-launcher");
        }
    }
    if ((*answer)->error.code < 0)
        return error_set(err, (*answer)->error.code, "%s", (*answer)->error.text);
    return 0;
}

static void hello_done(const struct launcher_hello *hello, int *cgroups, const struct error *err,
                       void *owner)
{
    struct answer *answer = owner;

    if (!err) {
        answer->hello = *hello;
        answer->fd = TAKE_FD(*cgroups);
    }
    answer_note(answer, err);
}

int startup_hello(struct launcher_client *client, struct launcher_hello *ret, int *ret_cgroups,
                  struct error *err)
{
    _cleanup_answer_ struct answer *answer = answer_new(err);
    int r = answer ? launcher_client_hello(client, hello_done, answer, err) : -ENOMEM;

    if (r == 0)
        r = answer_wait(&answer, client, err);
    if (r < 0)
        return r;
    *ret = answer->hello;
    *ret_cgroups = TAKE_FD(answer->fd);
    return 0;
}

static bool has_profile(const struct launcher_hello *launcher, const char *name)
{
    for (size_t i = 0; i < launcher->profile_count; i++)
        if (text_equal(launcher->profiles[i].name, name))
            return true;
    return false;
}

int startup_check_profiles(const struct classes *classes, const struct launcher_hello *launcher,
                           struct error *err)
{
    for (size_t i = 0; i < classes->count; i++) {
        const struct class *class = &classes->list[i];

        if (class->profile[0] && !has_profile(launcher, class->profile))
            return error_set(err, -EINVAL,
                             "classes.%s.profile: launcher.conf has no profile \"%s\"", class->name,
                             class->profile);
    }
    return 0;
}

static void listen_done(int *fd, uint16_t port, const struct error *err, void *owner)
{
    struct answer *answer = owner;

    if (!err) {
        answer->fd = TAKE_FD(*fd);
        answer->port = port;
    }
    answer_note(answer, err);
}

int startup_listen(struct launcher_client *client, const struct config_address *address,
                   int *ret_fd, uint16_t *ret_port, struct error *err)
{
    _cleanup_answer_ struct answer *answer = answer_new(err);
    int r = answer ? launcher_client_listen(client, address->host, address->port, listen_done,
                                            answer, err)
                   : -ENOMEM;

    if (r == 0)
        r = answer_wait(&answer, client, err);
    if (r < 0)
        return error_prefix(err, "listen %s:%u", address->host, (unsigned)address->port);
    *ret_fd = TAKE_FD(answer->fd);
    *ret_port = answer->port;
    return 0;
}
