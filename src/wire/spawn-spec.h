/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "wire/limits.h"
#include "wire/output-rules.h"

/*
 * What is to be started, checked and complete: the one form in which libhoist, the launcher's
 * messages and src/spawn speak of it. Strings are borrowed; a decoded specification owns them
 * through its decoder (wire/launcher-messages.h).
 */

#define SPAWN_GROUP_MAX 66 /* "p-" and a principal of at most 63 characters, and the NUL */

#define SPAWN_PROFILE_MAX 64 /* 63 characters and the NUL */

enum spawn_network {
    SPAWN_NETWORK_NONE, /* own network namespace, loopback only */
    SPAWN_NETWORK_HOST,
    _SPAWN_NETWORK_MAX,
};

struct spawn_spec {
    struct id id;        /* the job's; names its cgroup */
    const char *group;   /* "p-<principal>": the cgroup of all jobs of one principal */
    char *const *argv;   /* NULL-terminated, at least one; argv[0] is a path or is found in PATH */
    char *const *env;    /* "K=V", complete: nothing is added later */
    const char *cwd;     /* absolute, inside the job's root; "": the job's own writable directory */
    uid_t uid;           /* of the command, as user and as group */
    const char *profile; /* by name; "" or NULL: the default one */
    enum spawn_network network;
    struct limits limits;
    bool warn_unenforced; /* start although a limit can't be enforced, and report it */
    usec_t timeout;       /* 0: none */
    usec_t grace;         /* between the stop signal and SIGKILL */
    usec_t adopt_wait;    /* for another agent after this one's death, then stopped; 0: goes on */
    int stop_signal;
    bool merged; /* stdout and stderr share one pipe */
    struct output_rules output;
};

/* The job's files, made by the caller, written by hoist-init: borrowed, duplicated as needed. */
struct spawn_files {
    int data;  /* O_WRONLY | O_APPEND */
    int index; /* O_RDWR */
    int state; /* O_RDWR, already full (wire/state-file.h) */
};

/* What came of it. hoist-init runs; whether the command was executed is said by the state file. */
struct spawn_result {
    pid_t pid;           /* hoist-init, in the spawner's pid namespace */
    uint64_t start_time; /* clock ticks since boot (proc(5)) */
    int pidfd;           /* owned */
    struct limit_report limits;
    char cgroup[256]; /* path of cmd/ below the cgroup2 mount; "": none (rootless without
                         delegation) */
};

#define SPAWN_RESULT_NULL ((struct spawn_result){.pidfd = FD_NONE})

/* Who a hoist-init was said to be: pid 0, nobody knows. */
struct spawn_process {
    pid_t pid; /* as in spawn_result, both */
    uint64_t start_time;
};

#define SPAWN_TASK_NAME_MAX 16 /* TASK_COMM_LEN, with the NUL */
#define SPAWN_TASKS_MAX     8  /* that are told of a job */

/* A task (thread) of a job, as /proc/PID/stat shows it to everybody. */
struct spawn_task {
    pid_t pid;
    char state;                     /* "R", "D", …: proc(5) */
    char name[SPAWN_TASK_NAME_MAX]; /* printable ASCII */
};

/* What can be kept for jobs, all of them together; 0: not known, or nothing. */
struct spawn_room {
    uint64_t memory;     /* bytes: the host's less what is not for jobs */
    uint64_t cpu_millis; /* thousandths of one CPU */
};

/*
 * Why a start failed, beside the errno and sentence of `struct error`. Negative errnos alone can't
 * tell a missing controller from a failed clone.
 */
enum spawn_failure {
    SPAWN_FAILURE_NONE,
    SPAWN_FAILURE_REFUSED,               /* outside the launcher's ceilings */
    SPAWN_FAILURE_LIMIT_NOT_ENFORCEABLE, /* and the specification doesn't say warn_unenforced */
    SPAWN_FAILURE_CGROUP,
    SPAWN_FAILURE_SPAWN,       /* clone3, memfd or exec of hoist-init */
    SPAWN_FAILURE_UNAVAILABLE, /* no answer from the launcher */
    /* The following are found by hoist-init and said in the state file: */
    SPAWN_FAILURE_ISOLATION,
    SPAWN_FAILURE_CWD,
    SPAWN_FAILURE_COMMAND_NOT_FOUND,
    SPAWN_FAILURE_COMMAND_NOT_EXECUTABLE,
    SPAWN_FAILURE_OUTPUT,
    _SPAWN_FAILURE_MAX,
};
