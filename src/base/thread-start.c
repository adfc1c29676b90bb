/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread-start.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define NAME_SIZE 16 /* TASK_COMM_LEN: pthread_setname_np(3) */

struct start {
    char name[NAME_SIZE];
    void *(*run)(void *arg);
    void *arg;
};

/* A thread names itself: another one's name goes through /proc, which may be closed to us. */
static void *thread_main(void *arg)
{
    const struct start start = *(const struct start *)arg;

    free(arg);
    (void)pthread_setname_np(pthread_self(), start.name); /* for ps and debuggers only */
    return start.run(start.arg);
}

int thread_start_quiet(pthread_t *ret, const char *name, void *(*run)(void *arg), void *arg)
{
    _cleanup_free_ struct start *start = malloc(sizeof(*start));
    sigset_t all, before;
    int r;

    if (!start)
        return -ENOMEM;
    *start = (struct start){.run = run, .arg = arg};
    snprintf(start->name, sizeof(start->name), "%s", name);

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the new thread */
    r = pthread_create(ret, NULL, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    (void)TAKE_PTR(start); /* the thread's */
    return 0;
}
