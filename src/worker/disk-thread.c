/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/disk-thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

struct task_queue {
    struct disk_task *first;
    struct disk_task **end; /* where the next one is hung in */
};

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

static void queue_init(struct task_queue *queue)
{
    *queue = (struct task_queue){.end = &queue->first};
}

static void queue_append(struct task_queue *queue, struct disk_task *task)
{
    task->next = NULL;
    *queue->end = task;
    queue->end = &task->next;
}

static struct disk_task *queue_take_first(struct task_queue *queue)
{
    struct disk_task *task = queue->first;

    if (task)
        queue->first = task->next;
    if (!queue->first)
        queue_init(queue);
    return task;
}

/* NULL: nothing is left, and nothing will come. */
static struct disk_task *thread_wait(struct disk_thread *thread)
{
    struct disk_task *task;

    pthread_mutex_lock(&thread->lock);
    while (!thread->asked.first && !thread->stopping)
        pthread_cond_wait(&thread->asked_some, &thread->lock);
    task = queue_take_first(&thread->asked);
    pthread_mutex_unlock(&thread->lock);
    return task;
}

static void *thread_main(void *userdata)
{
    struct disk_thread *thread = userdata;
    const uint64_t one = 1;
    struct disk_task *task;

    (void)pthread_setname_np(pthread_self(), "disk"); /* for people who look with ps(1) */
    while ((task = thread_wait(thread))) {
        ssize_t n;

        task->run(task);
        pthread_mutex_lock(&thread->lock);
        queue_append(&thread->finished, task);
        pthread_mutex_unlock(&thread->lock);
        n = write(thread->event_fd, &one, sizeof(one)); /* full: the owner is awake already */
        (void)n;
    }
    return NULL;
}

/* Signals are the owner's business. */
static int thread_start(struct disk_thread *thread)
{
    sigset_t all, before;
    int r;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&thread->thread, NULL, thread_main, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    thread->running = r == 0;
    return -r;
}

int disk_thread_new(struct disk_thread **ret, struct error *err)
{
    _cleanup_(disk_thread_freep) struct disk_thread *thread = calloc(1, sizeof(*thread));
    int r;

    if (!thread)
        return error_set(err, -ENOMEM, "no memory");
    queue_init(&thread->asked);
    queue_init(&thread->finished);
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->asked_some, NULL);
    thread->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = thread->event_fd < 0 ? -errno : thread_start(thread);
    if (r < 0)
        return error_set(err, r, "can't start the disk's thread: %s", strerror(-r));
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
        task = queue_take_first(&thread->finished);
        pthread_mutex_unlock(&thread->lock);
        if (!task)
            return;
        task->done(task);
    }
}

void disk_thread_ask(struct disk_thread *thread, struct disk_task *task)
{
    pthread_mutex_lock(&thread->lock);
    queue_append(&thread->asked, task);
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
