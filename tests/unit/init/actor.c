/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "job.h"

static void say(const char *text)
{
    (void)!write(STDOUT_FILENO, text, strlen(text));
}

/* Waits for any signal that is blocked, which is all that can be. */
static int await_signal(void)
{
    sigset_t all;
    int signal = 0;

    sigfillset(&all);
    (void)sigwait(&all, &signal);
    return signal;
}

static void block_all(void)
{
    sigset_t all;

    sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
}

/* SIGCONT follows a stop signal and may be taken first. */
static int await_stop(void)
{
    int signal = await_signal();

    return signal == SIGCONT ? await_signal() : signal;
}

static int last_words(void)
{
    static const char *const names[] = {
        [SIGHUP] = "hup\n", [SIGINT] = "int\n", [SIGTERM] = "term\n"};
    int signal;

    block_all();
    say("ready\n");
    signal = await_stop();
    say(names[signal]);
    return 3;
}

/* The leader dies of the signal, its child takes its time. */
static int late_child(void)
{
    const struct timespec a_while = {.tv_nsec = 300000000};

    if (fork() > 0) {
        for (;;)
            (void)pause();
    }
    block_all();
    say("ready\n");
    (void)await_stop();
    (void)nanosleep(&a_while, NULL);
    say("late\n");
    return 0;
}

int actor_main(const char *part)
{
    if (strcmp(part, "last-words") == 0)
        return last_words();
    if (strcmp(part, "late-child") == 0)
        return late_child();
    return 64;
}
