/* SPDX-License-Identifier: Apache-2.0 */
#include "base/signal-name.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/utf8.h"

/* The kernel's first real-time signal; SIGRTMIN of a C library is larger by what it keeps. */
#define SIGNAL_REALTIME_FIRST 34
#define SIGNAL_REALTIME_LAST  64

static const char *const signal_names[] = {
    [SIGHUP] = "HUP",   [SIGINT] = "INT",       [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
    [SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",     [SIGBUS] = "BUS",   [SIGFPE] = "FPE",
    [SIGKILL] = "KILL", [SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
    [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",     [SIGTERM] = "TERM", [SIGSTKFLT] = "STKFLT",
    [SIGCHLD] = "CHLD", [SIGCONT] = "CONT",     [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",
    [SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",     [SIGURG] = "URG",   [SIGXCPU] = "XCPU",
    [SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH",
    [SIGIO] = "IO",     [SIGPWR] = "PWR",       [SIGSYS] = "SYS",
};

/* A whole decimal number up to `max`, or -EINVAL. */
static int read_number(const char *text, int max)
{
    char *end;
    unsigned long value;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || *end != 0 || value > (unsigned long)max)
        return -EINVAL;
    return (int)value;
}

static int signal_lookup(const char *name)
{
    int number = read_number(name, SIGNAL_REALTIME_LAST);

    if (number >= 0)
        return number > 0 ? number : -EINVAL;
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    if (strcasecmp(name, "RTMIN") == 0)
        return SIGNAL_REALTIME_FIRST;
    if (strncasecmp(name, "RTMIN+", 6) == 0) {
        number = read_number(name + 6, SIGNAL_REALTIME_LAST - SIGNAL_REALTIME_FIRST);
        return number < 0 ? number : SIGNAL_REALTIME_FIRST + number;
    }
    for (size_t i = 1; i < ARRAY_SIZE(signal_names); i++)
        if (signal_names[i] && strcasecmp(signal_names[i], name) == 0)
            return (int)i;
    return -EINVAL;
}

int signal_from_name(const char *name, int *ret, struct error *err)
{
    int signal = signal_lookup(name);

    if (signal < 0) {
        _cleanup_free_ char *shown = utf8_escape(name);

        return error_set(
            err, -EINVAL,
            "\"%.40s\" is no signal; write a name such as TERM, HUP or USR1, or a number "
            "from 1 to %d",
            shown ? shown : "", SIGNAL_REALTIME_LAST);
    }
    *ret = signal;
    return 0;
}

const char *signal_name(int signal)
{
    static _Thread_local char text[24];

    if (signal > 0 && signal < (int)ARRAY_SIZE(signal_names) && signal_names[signal])
        return signal_names[signal];
    if (signal == SIGNAL_REALTIME_FIRST)
        return "RTMIN";
    if (signal > SIGNAL_REALTIME_FIRST && signal <= SIGNAL_REALTIME_LAST)
        snprintf(text, sizeof(text), "RTMIN+%d", signal - SIGNAL_REALTIME_FIRST);
    else
        snprintf(text, sizeof(text), "signal %d", signal);
    return text;
}
