/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/core.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

struct core {
    pthread_mutex_t lock;
    struct core_task *first; /* under the lock, as the next */
    struct core_task **last;
    int wake; /* an eventfd; owned */
    sd_event_source *source;
};

/* Takes all that is posted; its owner runs them one after the other without the lock. */
static struct core_task *core_take(struct core *core)
{
    struct core_task *tasks;

    pthread_mutex_lock(&core->lock);
    tasks = core->first;
    core->first = NULL;
    core->last = &core->first;
    pthread_mutex_unlock(&core->lock);
    return tasks;
}

static void core_run(struct core *core)
{
    struct core_task *task = core_take(core);

    while (task) {
        struct core_task *next = task->next; /* running it may free it */

        task->run(task);
        task = next;
    }
}

static int core_woken(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    uint64_t count;

    (void)source;
    (void)events;
    /* Only empties the counter; a spurious wake-up reads nothing and finds no task. */
    (void)!read(fd, &count, sizeof(count));
    core_run(userdata);
    return 0;
}

int core_new(sd_event *event, struct core **ret, struct error *err)
{
    struct core *core = calloc(1, sizeof(*core));
    int r;

    if (!core)
        return error_set(err, -ENOMEM, "no memory");
    pthread_mutex_init(&core->lock, NULL);
    core->last = &core->first;
    core->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (core->wake < 0) {
        r = -errno;
        core_free(core);
        return error_set(err, r, "can't make an eventfd: %s", strerror(-r));
    }
    r = sd_event_add_io(event, &core->source, core->wake, EPOLLIN, core_woken, core);
    if (r < 0) {
        core_free(core);
        return error_set(err, r, "can't watch an eventfd: %s", strerror(-r));
    }
    *ret = core;
    return 0;
}

struct core *core_free(struct core *core)
{
    if (!core)
        return NULL;
    core_run(core);
    sd_event_source_unref(core->source);
    fd_close(core->wake);
    pthread_mutex_destroy(&core->lock);
    free(core);
    return NULL;
}

void core_post(struct core *core, struct core_task *task)
{
    static const uint64_t one = 1;
    struct core_task *was_empty;

    task->next = NULL;
    pthread_mutex_lock(&core->lock);
    was_empty = core->first;
    *core->last = task;
    core->last = &task->next;
    pthread_mutex_unlock(&core->lock);
    /* Who posts to a queue that isn't empty finds the wake-up already under way. */
    if (!was_empty)
        (void)!write(core->wake, &one, sizeof(one));
}
