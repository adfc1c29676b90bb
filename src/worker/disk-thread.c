/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/disk-thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/thread-start.h"

STAILQ_HEAD(task_queue, disk_task);

struct disk_thread {
    pthread_t thread;
    bool running;
    int event_fd;

    pthread_mutex_t lock; /* for the following */
    pthread_cond_t asked_some;
    struct task_queue asked;
    struct task_queue finished;
    bool stopping;
};

static struct disk_task *take_first(struct task_queue *queue)
{
    struct disk_task *task = STAILQ_FIRST(queue);

    if (task)
        STAILQ_REMOVE_HEAD(queue, queue);
    return task;
}

/* NULL: nothing is left, and nothing will come. */
static struct disk_task *thread_wait(struct disk_thread *thread)
{
    struct disk_task *task;

    pthread_mutex_lock(&thread->lock);
    while (STAILQ_EMPTY(&thread->asked) && !thread->stopping)
        pthread_cond_wait(&thread->asked_some, &thread->lock);
    task = take_first(&thread->asked);
    pthread_mutex_unlock(&thread->lock);
    return task;
}

static void *thread_main(void *userdata)
{
    struct disk_thread *thread = userdata;
    const uint64_t one = 1;
    struct disk_task *task;

    while ((task = thread_wait(thread))) {
        ssize_t n;

        task->run(task);
        pthread_mutex_lock(&thread->lock);
        STAILQ_INSERT_TAIL(&thread->finished, task, queue);
        pthread_mutex_unlock(&thread->lock);
        n = write(thread->event_fd, &one, sizeof(one)); /* full: the owner is awake already */
        (void)n;
    }
    return NULL;
}

int disk_thread_new(struct disk_thread **ret, struct error *err)
{
    _cleanup_(disk_thread_freep) struct disk_thread *thread = calloc(1, sizeof(*thread));
    int r;

    if (!thread)
        return error_set(err, -ENOMEM, "no memory");
    STAILQ_INIT(&thread->asked);
    STAILQ_INIT(&thread->finished);
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->asked_some, NULL);
    thread->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = thread->event_fd < 0 ? -errno
                             : thread_start_quiet(&thread->thread, "disk", thread_main, thread);
    if (r < 0)
        return error_set(err, r, "can't start the disk's thread: %s", strerror(-r));
    thread->running = true;
    *ret = TAKE_PTR(thread);
    return 0;
}

int disk_thread_fd(const struct disk_thread *thread)
{
    return thread->event_fd;
}

void disk_thread_dispatch(struct disk_thread *thread)
{
    uint64_t count;
    ssize_t n = read(thread->event_fd, &count, sizeof(count)); /* EAGAIN says nothing */

    (void)n;
    for (;;) {
        struct disk_task *task;

        pthread_mutex_lock(&thread->lock);
        task = take_first(&thread->finished);
        pthread_mutex_unlock(&thread->lock);
        if (!task)
            return;
        task->done(task);
    }
}

void disk_thread_ask(struct disk_thread *thread, struct disk_task *task)
{
    pthread_mutex_lock(&thread->lock);
    STAILQ_INSERT_TAIL(&thread->asked, task, queue);
    pthread_cond_signal(&thread->asked_some);
    pthread_mutex_unlock(&thread->lock);
}

void disk_thread_free(struct disk_thread *thread)
{
    if (!thread)
        return;
    if (thread->running) {
        pthread_mutex_lock(&thread->lock);
        thread->stopping = true;
        pthread_cond_signal(&thread->asked_some);
        pthread_mutex_unlock(&thread->lock);
        pthread_join(thread->thread, NULL);
        disk_thread_dispatch(thread);
    }
    fd_close(thread->event_fd);
    pthread_cond_destroy(&thread->asked_some);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}
