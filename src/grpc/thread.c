/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One thread, one epoll. Nothing here is shared with another thread but the mailbox.
 */
#include "grpc/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <uthash.h>

#include "base/fd.h"
#include "grpc/mailbox.h"
#include "grpc/timer.h"

#define EVENTS_PER_TURN 64

/* A descriptor that somebody wants to hear of. */
struct watch {
    int fd; /* the key */
    void (*ready)(int fd, uint32_t events, void *arg);
    void *arg;
    UT_hash_handle hh;
    SLIST_ENTRY(watch) removed;
};

struct grpc_thread {
    unsigned index;
    void *user;
    int epoll_fd;
    struct mailbox *mailbox; /* counted */
    struct timers timers;
    struct watch *watches;         /* hash, owned */
    SLIST_HEAD(, watch) graveyard; /* removed in this turn: its events may still lie in the batch */
    TAILQ_HEAD(, thread_task) tasks;
    size_t task_count;
    uint8_t *read_buffer; /* owned */
    bool is_stopping;
};

struct thread_letter {
    struct letter letter;
    struct grpc_thread *thread;
    void (*run)(struct grpc_thread *thread, void *arg);
    void *arg;
};

struct grpc_thread *thread_new(unsigned index)
{
    struct grpc_thread *thread = calloc(1, sizeof(*thread));

    if (!thread)
        return NULL;
    thread->index = index;
    SLIST_INIT(&thread->graveyard);
    TAILQ_INIT(&thread->tasks);
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    thread->mailbox = mailbox_new();
    thread->read_buffer = malloc(THREAD_READ_SIZE);
    if (thread->epoll_fd < 0 || !thread->mailbox || !thread->read_buffer ||
        epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, mailbox_fd(thread->mailbox),
                  &(struct epoll_event){.events = EPOLLIN}) < 0)
        return thread_free(thread);
    return thread;
}

static void bury(struct grpc_thread *thread)
{
    struct watch *watch;

    while ((watch = SLIST_FIRST(&thread->graveyard))) {
        SLIST_REMOVE_HEAD(&thread->graveyard, removed);
        free(watch);
    }
}

struct grpc_thread *thread_free(struct grpc_thread *thread)
{
    struct watch *watch, *next;

    if (!thread)
        return NULL;
    if (thread->mailbox)
        mailbox_close(thread->mailbox);
    mailbox_unref(thread->mailbox);
    HASH_ITER(hh, thread->watches, watch, next)
    {
        HASH_DEL(thread->watches, watch);
        free(watch);
    }
    bury(thread);
    timers_done(&thread->timers);
    fd_close(thread->epoll_fd);
    free(thread->read_buffer);
    free(thread);
    return NULL;
}

/* ---- descriptors ---- */

int grpc_thread_add_fd(struct grpc_thread *thread, int fd, uint32_t events,
                       void (*ready)(int fd, uint32_t events, void *arg), void *arg)
{
    struct watch *watch = NULL;

    HASH_FIND_INT(thread->watches, &fd, watch);
    if (watch)
        return -EEXIST;
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        return -ENOMEM;
    watch->fd = fd;
    watch->ready = ready;
    watch->arg = arg;
    if (epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, fd,
                  &(struct epoll_event){.events = events, .data.ptr = watch}) < 0) {
        free(watch);
        return -errno;
    }
    HASH_ADD_INT(thread->watches, fd, watch);
    return 0;
}

void grpc_thread_remove_fd(struct grpc_thread *thread, int fd)
{
    struct watch *watch = NULL;

    HASH_FIND_INT(thread->watches, &fd, watch);
    if (!watch)
        return;
    (void)epoll_ctl(thread->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    HASH_DEL(thread->watches, watch);
    watch->ready = NULL;
    SLIST_INSERT_HEAD(&thread->graveyard, watch, removed);
}

/* ---- timers, tasks, letters ---- */

struct grpc_timer *grpc_timer_new(struct grpc_thread *thread, void (*elapsed)(void *arg), void *arg)
{
    return timer_new(&thread->timers, elapsed, arg);
}

void thread_queue(struct grpc_thread *thread, struct thread_task *task)
{
    if (task->is_queued)
        return;
    task->is_queued = true;
    TAILQ_INSERT_TAIL(&thread->tasks, task, queue);
    thread->task_count++;
}

void thread_dequeue(struct grpc_thread *thread, struct thread_task *task)
{
    if (!task->is_queued)
        return;
    task->is_queued = false;
    TAILQ_REMOVE(&thread->tasks, task, queue);
    thread->task_count--;
}

/* As many as are queued now: a task that queues itself again waits until the others had their turn
 * and the descriptors were looked at. */
static void tasks_run(struct grpc_thread *thread)
{
    for (size_t left = thread->task_count; left > 0 && thread->task_count > 0; left--) {
        struct thread_task *task = TAILQ_FIRST(&thread->tasks);

        thread_dequeue(thread, task);
        task->run(task);
    }
}

static void letter_run(struct letter *letter)
{
    struct thread_letter *mine = (struct thread_letter *)letter;

    mine->run(mine->thread, mine->arg);
    free(mine);
}

int grpc_thread_post(struct grpc_thread *thread, void (*run)(struct grpc_thread *thread, void *arg),
                     void *arg)
{
    struct thread_letter *letter = malloc(sizeof(*letter));

    if (!letter)
        return -ENOMEM;
    *letter =
        (struct thread_letter){.letter.run = letter_run, .thread = thread, .run = run, .arg = arg};
    mailbox_post(thread->mailbox, &letter->letter);
    return 0;
}

/* ---- the loop ---- */

static int milliseconds_until(usec_t when, usec_t now)
{
    usec_t rest;

    if (when == USEC_INFINITY)
        return -1;
    if (when <= now)
        return 0;
    rest = (when - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    return (int)MIN(rest, (usec_t)INT32_MAX);
}

static void events_run(struct grpc_thread *thread, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;

        if (!watch)
            mailbox_run(thread->mailbox);
        else if (watch->ready)
            watch->ready(watch->fd, events[i].events, watch->arg);
    }
}

static void thread_turn(struct grpc_thread *thread)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int timeout = 0, count;

    if (thread->task_count == 0)
        timeout = milliseconds_until(timers_next(&thread->timers), clock_boot());
    count = epoll_wait(thread->epoll_fd, events, EVENTS_PER_TURN, timeout);
    events_run(thread, events, count);
    timers_run(&thread->timers, clock_boot());
    tasks_run(thread);
    bury(thread);
}

void thread_run(struct grpc_thread *thread)
{
    while (!thread->is_stopping)
        thread_turn(thread);
}

void thread_stop(struct grpc_thread *thread)
{
    thread->is_stopping = true;
}

/* ---- what it holds ---- */

void grpc_thread_set_user(struct grpc_thread *thread, void *user)
{
    thread->user = user;
}

void *grpc_thread_user(const struct grpc_thread *thread)
{
    return thread->user;
}

unsigned grpc_thread_index(const struct grpc_thread *thread)
{
    return thread->index;
}

struct mailbox *thread_mailbox(struct grpc_thread *thread)
{
    return thread->mailbox;
}

uint8_t *thread_read_buffer(struct grpc_thread *thread)
{
    return thread->read_buffer;
}
