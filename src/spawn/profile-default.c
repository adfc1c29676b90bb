/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The default profile.
 *
 * The job sees the host's programs and libraries read-only, and writes to memory only. Everything
 * by which it could reach the host's processes, users or secrets is missing: /run and its like hold
 * unix sockets and FIFOs that a read-only mount doesn't protect.
 *
 * The hidden and read-only places of /proc and /sys are those that `crun spec` of Debian 12 (crun
 * 1.8.1) prints as linux.maskedPaths and linux.readonlyPaths, and /proc/kallsyms, which shows the
 * kernel's addresses to everybody where kernel.perf_event_paranoid is below 2. There is no cgroup
 * file system: a mount made before the command has its own cgroup namespace would show the host's
 * whole tree.
 */
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "spawn/profile.h"
#include "wire/hidden-places.h"

#define QUIET    (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define WRITABLE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define NODE     (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
#define FROZEN   (QUIET | MOUNT_ATTR_RDONLY)

/* Rows say what they are: one line for each. */
#define STEP(...)                                                                                  \
    {                                                                                              \
        .step = { __VA_ARGS__ }                                                                    \
    }
#define STEP_WHEN(w, ...)                                                                          \
    {                                                                                              \
        .when = (w), .step = { __VA_ARGS__ }                                                       \
    }
#define FILL(f, ...)                                                                               \
    {                                                                                              \
        .fill = (f), .step = { __VA_ARGS__ }                                                       \
    }

#define DIRECTORY(path)   STEP(.op = PLAN_MKDIR, .target = (path), .mode = 0755)
#define SYMLINK(path, to) STEP(.op = PLAN_SYMLINK, .target = (path), .source = (to))
#define MASK(path)        STEP(.op = PLAN_MASK, .flags = PLAN_STEP_OPTIONAL, .target = (path))
#define DEVICE(path, ma, mi)                                                                       \
    STEP(.op = PLAN_DEVICE, .source = (path), .target = (path), .attributes = NODE, .major = (ma), \
         .minor = (mi))
#define MOUNT(type, path, opts, attr)                                                              \
    .op = PLAN_MOUNT, .source = (type), .target = (path), .options = (opts), .attributes = (attr)

#define READ_ONLY(path)                                                                            \
    STEP(.op = PLAN_OWN_MOUNT, .flags = PLAN_STEP_OPTIONAL, .target = (path), .attributes = FROZEN)

static const struct profile_row root[] = {
    STEP_WHEN(PROFILE_FOR_ONE, .op = PLAN_PRIVATE_MOUNTS),
    STEP_WHEN(PROFILE_FOR_MANY, .op = PLAN_SLAVE_MOUNTS),
    STEP(.op = PLAN_ROOT_TMPFS, .options = "size=1m,mode=0755", .attributes = WRITABLE),
    {.fill = PROFILE_HOST_VIEW},

    DIRECTORY("/proc"),
    DIRECTORY("/sys"),
    DIRECTORY("/run"),
    DIRECTORY("/tmp"),
    DIRECTORY(PROFILE_HOME),

    DIRECTORY("/dev"),
    STEP(MOUNT("tmpfs", "/dev", "size=64k,mode=0755", NODE)),
    DEVICE("/dev/null", 1, 3),
    DEVICE("/dev/zero", 1, 5),
    DEVICE("/dev/full", 1, 7),
    DEVICE("/dev/random", 1, 8),
    DEVICE("/dev/urandom", 1, 9),
    DEVICE("/dev/tty", 5, 0),
    SYMLINK("/dev/fd", "/proc/self/fd"),
    SYMLINK("/dev/stdin", "/proc/self/fd/0"),
    SYMLINK("/dev/stdout", "/proc/self/fd/1"),
    SYMLINK("/dev/stderr", "/proc/self/fd/2"),
    SYMLINK("/dev/ptmx", "pts/ptmx"),
    DIRECTORY("/dev/pts"),
    DIRECTORY("/dev/shm"),
    STEP(.op = PLAN_ATTRIBUTES, .target = "/dev", .attributes = MOUNT_ATTR_RDONLY),
};

/* Until the first step a mount of the host's could still come in, with the host's attributes. */
static const struct profile_row ready[] = {
    STEP(.op = PLAN_PRIVATE_MOUNTS),
    STEP(.op = PLAN_ROOT_READY),
    {.fill = PROFILE_HOST_HELD},
};

static const struct profile_row job[] = {
    {.fill = PROFILE_COVERS},

    STEP(MOUNT("proc", "/proc", "hidepid=invisible", QUIET)),
    MASK("/proc/acpi"),
    MASK("/proc/asound"),
    MASK("/proc/kallsyms"),
    MASK("/proc/kcore"),
    MASK("/proc/keys"),
    MASK("/proc/latency_stats"),
    MASK("/proc/scsi"),
    MASK("/proc/sched_debug"),
    MASK("/proc/timer_list"),
    MASK("/proc/timer_stats"),

    READ_ONLY("/proc/bus"),
    READ_ONLY("/proc/fs"),
    READ_ONLY("/proc/irq"),
    READ_ONLY("/proc/sys"),
    READ_ONLY("/proc/sysrq-trigger"),

    STEP_WHEN(PROFILE_OWN_NETWORK, MOUNT("sysfs", "/sys", "", FROZEN)),
    STEP_WHEN(PROFILE_OWN_NETWORK, .op = PLAN_MASK, .flags = PLAN_STEP_OPTIONAL,
              .target = "/sys/firmware"),

    /* All instances share kernel.pty.max, 4096, so that one job could take the others' ptys. */
    STEP_WHEN(PROFILE_AS_ROOT, MOUNT("devpts", "/dev/pts",
                                     "newinstance,max=64,ptmxmode=0666,mode=0620,gid=5", NODE)),
    STEP_WHEN(PROFILE_ROOTLESS, /* where group 5 (tty) isn't mapped */
              MOUNT("devpts", "/dev/pts", "newinstance,max=64,ptmxmode=0666,mode=0600", NODE)),
    FILL(PROFILE_JOB_SPACE, MOUNT("tmpfs", "/dev/shm", "mode=1777", QUIET)),

    FILL(PROFILE_JOB_SPACE, MOUNT("tmpfs", "/tmp", "mode=1777", WRITABLE)),
    {.fill = PROFILE_JOB_SPACE,
     .step = {MOUNT("tmpfs", "/var/tmp", "mode=1777", WRITABLE), .flags = PLAN_STEP_OPTIONAL}},
    FILL(PROFILE_JOB_OWNED, MOUNT("tmpfs", PROFILE_HOME, "mode=0700", WRITABLE)),
    {.fill = PROFILE_BINDS},
};

static const struct profile_row leave[] = {
    STEP(.op = PLAN_ATTRIBUTES, .target = "/", .attributes = MOUNT_ATTR_RDONLY),
    STEP(.op = PLAN_PIVOT),
};

static const struct profile_row names[] = {
    STEP(.op = PLAN_SESSION_KEYRING),
    STEP(.op = PLAN_HOSTNAME, .source = "sandbox"),
    STEP_WHEN(PROFILE_OWN_NETWORK, .op = PLAN_LOOPBACK_UP),
};

/* The agent may itself have been started with more than a job should inherit. */
static const struct profile_rlimit rlimits[] = {
    {RLIMIT_CORE, 0, 0},   {RLIMIT_NOFILE, 1024, 524288},      {RLIMIT_NICE, 0, 0},
    {RLIMIT_RTPRIO, 0, 0}, {RLIMIT_MEMLOCK, 8 << 20, 8 << 20},
};

static const char *const own_places[] = {HIDDEN_OWN_PLACES, PROFILE_HOME, NULL};

/* What is at the top of "/" is simply not mounted; what is below is covered. */
static const char *const hidden[] = {HIDDEN_HOST_PLACES, NULL};

const struct profile profile_default = {
    .root = {root, ARRAY_SIZE(root)},
    .ready = {ready, ARRAY_SIZE(ready)},
    .job = {job, ARRAY_SIZE(job)},
    .leave = {leave, ARRAY_SIZE(leave)},
    .names = {names, ARRAY_SIZE(names)},
    .rlimits = rlimits,
    .rlimit_count = ARRAY_SIZE(rlimits),
    .own_places = own_places,
    .hidden = hidden,
    .calls = &profile_default_calls,
    .umask = 0022,
};
