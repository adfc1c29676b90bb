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
 * Every disposition is the default (an ignored SIGCHLD would lose exit statuses), SIGPIPE is
 * ignored, and TERM, INT, HUP and CHLD come through the signalfd that is returned (nonblocking).
 */
int setup_signals(int *ret_signalfd, struct error *err);
