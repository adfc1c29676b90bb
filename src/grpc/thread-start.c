/* SPDX-License-Identifier: Apache-2.0 */
#include "grpc/thread-start.h"

#include <signal.h>

int thread_start_quiet(pthread_t *ret, const char *name, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the new thread */
    r = pthread_create(ret, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    (void)pthread_setname_np(*ret, name); /* for ps and debuggers only */
    return 0;
}
