/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

struct error;

/*
 * What a process inherits, set explicitly: nothing depends on how the launcher was started.
 */

/* First of all, before any descriptor is opened: 0, 1 and 2 lead somewhere, if only to /dev/null.
 */
int setup_descriptors(struct error *err);

/* umask, working directory, resource limits; as root also: no core dumps, no tracing by others. */
int setup_process(struct error *err);

/*
 * The OOM killer shall end everybody else first: oom_score_adj -900 (proc(5)), for us, hoistd and
 * every hoist-init; commands are given 0 again. A lower one that we were started with stays.
 * Returns 0 or a negative errno: -EACCES, without CAP_SYS_RESOURCE.
 */
int setup_oom_score(void);

/*
 * Every disposition is the default (an ignored SIGCHLD would lose exit statuses), SIGPIPE is
 * ignored, and TERM, INT, HUP and CHLD come through the signalfd that is returned (nonblocking).
 */
int setup_signals(int *ret_signalfd, struct error *err);
