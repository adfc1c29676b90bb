/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/pidref.h"
#include "launcher/connection.h"

struct error;

/*
 * Keeps one hoistd running: starts it, restarts it when it ends, ends it when asked to.
 *
 * The wait before a restart doubles from 0.1 to 5 seconds and begins anew after hoistd was ready
 * for 10 seconds. Only an end with HOISTD_EXIT_CONFIG is final: what is not in order won't mend
 * itself. Jobs are none of its business: they go on whatever becomes of hoistd.
 *
 * Time is handed in (clock_boot()), so that the tests need not wait.
 */

#define SUPERVISOR_BACKOFF_MIN (100 * USEC_PER_MSEC)
#define SUPERVISOR_BACKOFF_MAX (5 * USEC_PER_SEC)
#define SUPERVISOR_GOOD_AFTER  (10 * USEC_PER_SEC)
#define SUPERVISOR_EXIT_GRACE  (5 * USEC_PER_SEC) /* from closing its socket to its end */

enum supervisor_state {
    SUPERVISOR_WAITING, /* hoistd doesn't run; it is started at `deadline` */
    SUPERVISOR_RUNNING,
    SUPERVISOR_LEAVING,  /* its connection has ended; killed at `deadline` */
    SUPERVISOR_STOPPING, /* was asked to end; killed at `deadline` */
    SUPERVISOR_ENDED,    /* for good; `exit_status` is the launcher's */
    _SUPERVISOR_STATE_MAX,
};

struct supervisor {
    struct launcher *launcher;
    enum supervisor_state state;
    struct pidref hoistd; /* PIDREF_NULL unless it runs */
    struct connection connection;
    usec_t deadline; /* USEC_INFINITY: none */
    usec_t backoff;
    usec_t ready_since; /* 0: not ready */
    int exit_status;
};

/* The first start is due at once: call supervisor_tick(). */
void supervisor_init(struct supervisor *supervisor, struct launcher *launcher, usec_t now);
void supervisor_done(struct supervisor *supervisor);

/* When supervisor_tick() is due; USEC_INFINITY: never. */
usec_t supervisor_next(const struct supervisor *supervisor);

/* Does what the time asks for: starts hoistd, kills it, or tells how much was left out of the log.
 */
void supervisor_tick(struct supervisor *supervisor, usec_t now);

/* The socket is ready for connection_events(). */
void supervisor_dispatch(struct supervisor *supervisor, usec_t now);

/* A child of ours was reaped; `status` as waitpid(2) gives it. Others than hoistd are ignored. */
void supervisor_reaped(struct supervisor *supervisor, pid_t pid, int status, usec_t now);

/* Asks hoistd to end; the second call kills it. Ends at once when it doesn't run. */
void supervisor_stop(struct supervisor *supervisor, usec_t now);

/* Hands a signal on, if hoistd runs. */
void supervisor_signal(struct supervisor *supervisor, int signal_number);
