/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "launcher/listen-rule.h"
#include "launcher/profile-rule.h"
#include "wire/limits.h"

struct error;

/*
 * What root has set for the launcher (launcher.conf(5)): whom hoistd runs as, and the ceilings that
 * no request of hoistd's may pass.
 *
 * One schema table {key, parser, default} serves the file's `key = value` lines and the command
 * line's `--key value`, whose dashes are the key's underscores. Later wins: default, file, flag. A
 * key that repeats (listen_allow, profile, hide, environment) collects its values instead.
 */

#define CONFIG_FILE_DEFAULT "/etc/hoist/launcher.conf"
#define CONFIG_FILE_MAX     (64 * 1024) /* bytes */
#define CONFIG_KEYS_MAX     48
#define CONFIG_RULES_MAX    16
#define CONFIG_PROFILES_MAX 16 /* as many as Hello tells */

/* Where hoistd is told of every path of its own; a job sees none of these. */
struct launcher_config {
    char *hoistd; /* absolute paths of the two programs */
    char *init;
    char *cgroup_root; /* as struct spawn_options has it */
    char *agent_user;  /* as written: a name or a number */
    char *agent_group; /* "": the user's own */
    uid_t agent_uid;   /* what these are, once config_resolve() has looked */
    gid_t agent_gid;
    uid_t job_uid_min; /* both inclusive */
    uid_t job_uid_max;
    bool network_host;
    struct listen_rule listen_rules[CONFIG_RULES_MAX];
    size_t listen_rule_count; /* 0: any address, unprivileged ports */
    struct profile_rule profiles[CONFIG_PROFILES_MAX];
    size_t profile_count;
    char **hidden;      /* NULL: none */
    char **environment; /* "NAME=VALUE" for hoistd; NULL: none */
    uint64_t jobs_max;  /* as struct spawn_options has it, these three */
    uint64_t reserve_memory;
    uint64_t reserve_pids;
    struct limits ceilings; /* those `given` */
    usec_t stop_timeout;
    int log_format; /* enum log_format */
    int log_level;  /* enum log_level */

    char **hoistd_args; /* what stood behind "--"; NULL: none */
    char *file;         /* that was read, absolute; NULL: there was none */

    /* For --print-config: each key's text and where it was set ("launcher.conf:12"). */
    struct config_origin {
        char **values;
        char *where;
    } origins[CONFIG_KEYS_MAX];
};

void config_done(struct launcher_config *config);
#define _cleanup_config_ _cleanup_(config_done)

/* One that calloc(3) has made. Accepts NULL; returns NULL. */
struct launcher_config *config_free(struct launcher_config *config);
DEFINE_CLEANUP(struct launcher_config *, config_free);
#define _cleanup_launcher_config_ _cleanup_(config_freep)

/* Every key at its default. Returns 0 or -ENOMEM. */
int config_init(struct launcher_config *ret, struct error *err);

/*
 * One key's value; `where` ("launcher.conf:12", "--hide") goes in front of the error's sentence. A
 * value from another level than the one before replaces what a repeating key had collected.
 */
int config_set(struct launcher_config *config, const char *key, const char *value,
               const char *where, struct error *err);

/* The key that a flag without its dashes means ("job-uids" → "job_uids"), or NULL. */
const char *config_key_of_flag(const char *flag, size_t length);

/* All lines of a file's text; `name` is the file's, for errors. The first error ends it. */
int config_parse(struct launcher_config *config, const char *text, const char *name,
                 struct error *err);

/*
 * Reads and parses a file. It must be a regular file of ours or root's that nobody else may write:
 * who can change the ceilings is root. -ENOENT: there is none.
 */
int config_read(struct launcher_config *config, const char *path, struct error *err);

/*
 * Looks up user and group, and checks that everything fits together. Without root hoistd runs as
 * ourselves, and a configured user that is somebody else is an error.
 */
int config_resolve(struct launcher_config *config, struct error *err);

/*
 * What the launcher, hoistd and the jobs that run were built on stays as `old` has it: users, uids
 * of jobs, their cgroup and their hoist-init. `kept` (a string list) gets the keys for which
 * `config` had another value. Before config_resolve().
 */
int config_keep(struct launcher_config *config, const struct launcher_config *old, char ***kept,
                struct error *err);

/* Appends the lines of --print-config: every key, its value, and where it was set. */
int config_print(const struct launcher_config *config, struct buffer *out);

/* Appends one help line for each flag that is a key. */
int config_print_flags(struct buffer *out);
