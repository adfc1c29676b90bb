/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct buffer;
struct config;
struct error;
struct launcher_hello;

/*
 * Is this host fit for the agent? The checks of `hoistd --doctor`, made in a short form at every
 * start, too.
 *
 * A check looks and changes nothing (but for a file without a name in the state directory). One
 * that fails says what is wrong and the one command that mends it.
 */

enum check_result {
    CHECK_OK,
    CHECK_WARNING, /* the agent works, with less than it could */
    CHECK_FAILED,
    CHECK_SKIPPED, /* can't be told, or doesn't matter here */
    _CHECK_RESULT_MAX,
};

struct check {
    const char *name; /* "cgroup-controllers" */
    enum check_result result;
    char *text; /* one sentence; owned */
    char *mend; /* a command for a shell; owned; NULL: none is needed */
};

/* What the checks go by. */
struct doctor_facts {
    const struct config *config;
    bool rootless;
    bool thorough;           /* may take seconds: not at a start */
    const char *cgroup_root; /* of the jobs, below the cgroup2 mount point */
    char **hidden;           /* launcher.conf's `hide`; owned; NULL: none */
};

#define DOCTOR_CHECKS_MAX 24

struct doctor_report {
    struct check checks[DOCTOR_CHECKS_MAX];
    size_t count;
};

void doctor_report_done(struct doctor_report *report);
#define _cleanup_doctor_report_ _cleanup_(doctor_report_done)

/* Makes all checks. */
void doctor_run(const struct doctor_facts *facts, struct doctor_report *ret);

enum doctor_format {
    DOCTOR_TEXT, /* for people */
    DOCTOR_JSON,
    DOCTOR_YAML,
};

/* Appends the report. 0 or a negative errno. */
int doctor_print(const struct doctor_report *report, enum doctor_format format, struct buffer *out);

/* How many checks have failed. */
size_t doctor_failures(const struct doctor_report *report);

/* `hoistd --doctor`: asks the launcher's configuration, prints, returns the exit status. */
int doctor_main(const struct config *config, enum doctor_format format);

/* At a start: what isn't in order goes to the log. */
void doctor_at_start(const struct config *config, const struct launcher_hello *launcher);

/* --- for the checks themselves ------------------------------------------------------------------
 */

typedef void doctor_check_fn(const struct doctor_facts *facts, struct check *check);

void check_say(struct check *check, enum check_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void check_mend(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* doctor-kernel.c */
doctor_check_fn check_kernel, check_cgroup_mount, check_cgroup_controllers, check_delegation,
    check_namespaces, check_user_namespaces, check_seccomp, check_landlock, check_pids,
    check_inotify;
/* doctor-files.c */
doctor_check_fn check_state_directory, check_state_disk, check_hole_punching, check_sockets;
/* doctor-certificates.c */
doctor_check_fn check_certificate, check_client_ca, check_revocations;
/* doctor-launcher.c: what launcher.conf says. 0 or a negative errno. */
int doctor_ask_launcher(struct doctor_facts *facts, char **ret_cgroup_root, struct error *err);
