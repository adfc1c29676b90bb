/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fd.h"
#include "base/id.h"

struct error;

/*
 * Which process, beyond doubt.
 *
 * A bare pid may belong to somebody else a moment later. In memory the identity is the pidfd; on
 * disk it is boot id + pid + start time (field 22 of /proc/PID/stat, clock ticks since boot:
 * proc(5)).
 */

struct pidref {
    pid_t pid;           /* in our own pid namespace; 0: none */
    uint64_t start_time; /* clock ticks since boot */
    int fd;              /* pidfd, owned; FD_NONE */
};

#define PIDREF_NULL ((struct pidref){.fd = FD_NONE})

void pidref_done(struct pidref *ref);
#define _cleanup_pidref_ _cleanup_(pidref_done)

/* Takes the pidfd (on success) that clone3 gave and reads the start time. */
int pidref_take(pid_t pid, int pidfd, struct pidref *ret);

/*
 * Finds the process again after a restart: opens a pidfd and compares the start time.
 * -ESRCH when that process is gone (also when the pid belongs to another one now, or to a thread of
 * another one).
 */
int pidref_reopen(pid_t pid, uint64_t start_time, struct pidref *ret);

/* pidfd_send_signal(2). -ESRCH when it has ended. */
int pidref_kill(const struct pidref *ref, int signal);

/* Queues a signal with a value, as sigqueue(3) does, but by pidfd. */
int pidref_queue(const struct pidref *ref, int signal, int value);

/* The process has ended (it may still be a zombie). */
bool pidref_has_ended(const struct pidref *ref);

int pid_start_time(pid_t pid, uint64_t *ret);

/* /proc/sys/kernel/random/boot_id: changes with every boot of the host. */
int boot_id_read(struct id *ret);
