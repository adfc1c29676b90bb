/* SPDX-License-Identifier: Apache-2.0 */
#include "output/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uthash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"

/*
 * inotify gives the same watch descriptor for the same inode, whoever asks by whatever descriptor:
 * that is what makes "one watch for each job" without knowing of jobs here.
 */

/* Read at a time. Files are watched, not folders, so that no event has a name. */
#define EVENTS_SIZE (64 * sizeof(struct inotify_event))

struct follower_list {
    struct output_follower *first;
};

struct output_follower {
    struct output_watch *watch;
    struct kernel_watch *kernel; /* NULL: polled */
    output_changed_fn *changed;
    void *userdata;
    struct output_follower *next;
    struct output_follower **slot; /* what points at us */
};

struct kernel_watch {
    int descriptor;
    struct follower_list followers; /* never empty */
    UT_hash_handle hh;
};

struct output_watch {
    int inotify_fd; /* FD_NONE: the kernel refused one */
    int timer_fd;
    struct kernel_watch *kernels; /* by descriptor */
    struct follower_list polled;
    size_t polled_count;
    struct output_follower *cursor; /* whom dispatching calls next; moved on when that one leaves */
    int trouble;
    _Alignas(struct inotify_event) char events[EVENTS_SIZE]; /* not on the stack: cleared there */
};

static void follower_link(struct follower_list *list, struct output_follower *follower)
{
    follower->next = list->first;
    follower->slot = &list->first;
    if (follower->next)
        follower->next->slot = &follower->next;
    list->first = follower;
}

static void follower_unlink(struct output_follower *follower)
{
    if (follower->watch->cursor == follower)
        follower->watch->cursor = follower->next;
    *follower->slot = follower->next;
    if (follower->next)
        follower->next->slot = follower->slot;
}

/* The timer runs only while somebody is polled: no wake-ups otherwise. */
static void watch_set_timer(struct output_watch *watch)
{
    const struct timespec period = {.tv_nsec = OUTPUT_WATCH_POLL_MSEC * 1000000L};
    const struct itimerspec timer = {.it_interval = period, .it_value = period};

    /* With these constant arguments there is nothing that could fail: timerfd_settime(2). */
    (void)timerfd_settime(watch->timer_fd, 0,
                          watch->polled_count > 0 ? &timer : &(struct itimerspec){}, NULL);
}

static void follower_poll(struct output_follower *follower)
{
    struct output_watch *watch = follower->watch;

    follower->kernel = NULL;
    follower_link(&watch->polled, follower);
    if (watch->polled_count++ == 0)
        watch_set_timer(watch);
}

static int watch_open_descriptors(struct output_watch *watch)
{
    watch->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (watch->timer_fd < 0)
        return -errno;
    watch->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->inotify_fd < 0) {
        watch->trouble = -errno;
        watch->inotify_fd = FD_NONE;
    }
    return 0;
}

int output_watch_new(struct output_watch **ret, struct error *err)
{
    struct output_watch *watch = calloc(1, sizeof(*watch));
    int r;

    if (!watch)
        return error_set(err, -ENOMEM, "no memory");
    watch->inotify_fd = watch->timer_fd = FD_NONE;
    r = watch_open_descriptors(watch);
    if (r < 0) {
        output_watch_free(watch);
        return error_set(err, r, "can't watch files: %s", strerror(-r));
    }
    *ret = watch;
    return 0;
}

struct output_watch *output_watch_free(struct output_watch *watch)
{
    if (watch) {
        fd_close(watch->inotify_fd);
        fd_close(watch->timer_fd);
        free(watch);
    }
    return NULL;
}

void output_watch_fds(const struct output_watch *watch, int ret[static OUTPUT_WATCH_FDS])
{
    ret[0] = watch->inotify_fd;
    ret[1] = watch->timer_fd;
}

static void watch_call(struct output_watch *watch, const struct follower_list *list)
{
    watch->cursor = list->first;
    while (watch->cursor) {
        struct output_follower *follower = watch->cursor;

        watch->cursor = follower->next;
        follower->changed(follower->userdata);
    }
}

/* The queue overflowed: nobody knows what has changed, so everybody looks. */
static void watch_call_all(struct output_watch *watch)
{
    int *descriptors;
    size_t count = 0;
    struct kernel_watch *kernel, *next;

    /* A callback may free any watch, so they are looked up again one by one. */
    descriptors = calloc(HASH_COUNT(watch->kernels) + 1, sizeof(*descriptors));
    if (!descriptors)
        return; /* the next change of each file is told as ever */
    HASH_ITER(hh, watch->kernels, kernel, next)
    descriptors[count++] = kernel->descriptor;
    for (size_t i = 0; i < count; i++) {
        HASH_FIND_INT(watch->kernels, &descriptors[i], kernel);
        if (kernel)
            watch_call(watch, &kernel->followers);
    }
    free(descriptors);
}

/* The kernel dropped the watch by itself (the file system was unmounted): its followers are polled.
 */
static void watch_lose(struct output_watch *watch, struct kernel_watch *kernel)
{
    while (kernel->followers.first) {
        struct output_follower *follower = kernel->followers.first;

        follower_unlink(follower);
        follower_poll(follower);
    }
    HASH_DEL(watch->kernels, kernel);
    free(kernel);
}

static void watch_handle(struct output_watch *watch, const struct inotify_event *event)
{
    struct kernel_watch *kernel;

    if (event->mask & IN_Q_OVERFLOW) {
        watch_call_all(watch);
        return;
    }
    HASH_FIND_INT(watch->kernels, &event->wd, kernel);
    if (!kernel) /* told before everybody had left */
        return;
    if (event->mask & IN_IGNORED)
        watch_lose(watch, kernel);
    else
        watch_call(watch, &kernel->followers);
}

static int watch_dispatch_inotify(struct output_watch *watch)
{
    ssize_t n = read(watch->inotify_fd, watch->events, sizeof(watch->events));

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    for (const char *at = watch->events; at < watch->events + n;) {
        const struct inotify_event *event = (const void *)at;

        at += sizeof(*event) + event->len;
        watch_handle(watch, event);
    }
    return 0;
}

int output_watch_dispatch(struct output_watch *watch)
{
    uint64_t ticks;

    /* Nobody is polled: the timer is off, and whoever waits for a byte waits for one call less. */
    if (watch->polled_count > 0 && read(watch->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks))
        watch_call(watch, &watch->polled);
    return watch->inotify_fd >= 0 ? watch_dispatch_inotify(watch) : 0;
}

static int same_file(const char *path, int fd)
{
    struct stat there, ours;

    if (stat(path, &there) < 0 || fstat(fd, &ours) < 0)
        return -errno;
    return there.st_dev == ours.st_dev && there.st_ino == ours.st_ino ? 0 : -ESTALE;
}

/* The watch descriptor for the file, or -1 when it has to be polled. */
static int watch_add_kernel(struct output_watch *watch, const char *path, int fd)
{
    int descriptor, r;

    if (watch->inotify_fd < 0)
        return -1;
    r = same_file(path, fd);
    if (r < 0) {
        watch->trouble = r;
        return -1;
    }
    descriptor = inotify_add_watch(watch->inotify_fd, path, IN_MODIFY);
    if (descriptor < 0)
        watch->trouble = -errno;
    return descriptor;
}

static int watch_find_or_add(struct output_watch *watch, const char *path, int fd,
                             struct kernel_watch **ret)
{
    int descriptor = watch_add_kernel(watch, path, fd);
    struct kernel_watch *kernel = NULL;

    if (descriptor >= 0) {
        HASH_FIND_INT(watch->kernels, &descriptor, kernel);
        if (!kernel) {
            kernel = calloc(1, sizeof(*kernel));
            if (!kernel) {
                (void)inotify_rm_watch(watch->inotify_fd, descriptor);
                return -ENOMEM;
            }
            kernel->descriptor = descriptor;
            HASH_ADD_INT(watch->kernels, descriptor, kernel);
        }
    }
    *ret = kernel;
    return 0;
}

int output_watch_follow(struct output_watch *watch, const char *path, int fd,
                        output_changed_fn *changed, void *userdata, struct output_follower **ret)
{
    _cleanup_free_ struct output_follower *follower = calloc(1, sizeof(*follower));
    int r;

    if (!follower)
        return -ENOMEM;
    follower->watch = watch;
    follower->changed = changed;
    follower->userdata = userdata;
    r = watch_find_or_add(watch, path, fd, &follower->kernel);
    if (r < 0)
        return r;
    if (follower->kernel)
        follower_link(&follower->kernel->followers, follower);
    else
        follower_poll(follower);
    *ret = TAKE_PTR(follower);
    return 0;
}

struct output_follower *output_follower_leave(struct output_follower *follower)
{
    struct output_watch *watch;
    struct kernel_watch *kernel;

    if (!follower)
        return NULL;
    watch = follower->watch;
    kernel = follower->kernel;
    follower_unlink(follower);
    free(follower);

    if (!kernel) {
        if (--watch->polled_count == 0)
            watch_set_timer(watch);
    } else if (!kernel->followers.first) {
        HASH_DEL(watch->kernels, kernel);
        /* It may be gone already, with its file system. */
        (void)inotify_rm_watch(watch->inotify_fd, kernel->descriptor);
        free(kernel);
    }
    return NULL;
}

size_t output_watch_count(const struct output_watch *watch)
{
    return HASH_COUNT(watch->kernels);
}

size_t output_watch_polled(const struct output_watch *watch)
{
    return watch->polled_count;
}

int output_watch_trouble(const struct output_watch *watch)
{
    return watch->trouble;
}
