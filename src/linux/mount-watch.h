/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <poll.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/fd.h"

struct error;

/*
 * Whether what is mounted in our mount namespace has changed: poll(2) of /proc/self/mountinfo says
 * so (proc_pid_mountinfo(5)).
 *
 * An open file of it tells each change once, to whoever polls it first. So one of ours is asked and
 * another one waited for: an event loop that wakes up takes nothing away from who asks before the
 * loop comes to it. What was asked is counted: everybody who has looked at the mounts keeps the
 * number of then, and any number of them are told apart.
 */
struct mount_watch {
    int asked_fd;
    int waited_fd;
    uint64_t changes;
};

#define MOUNT_WATCH_NULL ((struct mount_watch){.asked_fd = FD_NONE, .waited_fd = FD_NONE})

/* From here on. */
int mount_watch_open(struct mount_watch *watch, struct error *err);
void mount_watch_close(struct mount_watch *watch);
#define _cleanup_mount_watch_ _cleanup_(mount_watch_close)

/*
 * Asks the kernel. The number is never 0, and another one than before if anything was mounted,
 * unmounted or given other options since. Ask first and look then: what changes meanwhile is told
 * by the next number.
 */
uint64_t mount_watch_changes(struct mount_watch *watch);

/* Ready once for what has changed since it was last; the one who waits then asks. */
struct pollfd mount_watch_waits(const struct mount_watch *watch);
