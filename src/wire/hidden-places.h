/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Places of the host that no job ever sees: what the default profile leaves out or covers, and what
 * the agent's checks of the host pass over. launcher.conf's `hide` adds to them.
 *
 * Unix sockets and FIFOs may be anywhere in them, and a read-only mount protects neither.
 */

/* Made by the profile itself: what the host has at these places is not mounted. */
#define HIDDEN_OWN_PLACES "/dev", "/proc", "/run", "/sys", "/tmp", "/var/tmp"

/* Of the host, covered or not mounted. */
#define HIDDEN_HOST_PLACES                                                                         \
    "/boot", "/etc/hoist", "/home", "/lost+found", "/media", "/mnt", "/root", "/var/lib/hoist",    \
        "/var/log", "/var/run", "/var/spool"
