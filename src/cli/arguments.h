/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct error;

/*
 * The command line as tables: every flag stands once in `flags`, every command names the ones that
 * it takes. Texts are borrowed from argv; lists are owned.
 */

enum output_format {
    OUTPUT_FORMAT_TABLE,
    OUTPUT_FORMAT_JSON,
    OUTPUT_FORMAT_YAML,
    _OUTPUT_FORMAT_MAX,
};

struct arguments {
    /* Where to, and as whom. */
    const char *host, *port, *ca, *cert, *key, *key_passphrase_file;
    /* How to show it. */
    const char *output;
    bool raw, quiet, timestamps, prefix, verbose;
    const char *reconnect;
    bool help;
    /* What to run. */
    const char *name, *env_file, *cwd, *job_class, *timeout, *shell, *grace, *signal, *request_id;
    const char *cpu, *cpu_time, *memory, *pids, *io_bps, *iops;
    const char *output_cap, *output_policy;
    char **limits;
    char **labels, **env;
    bool merged, detach;
    /* Which output. */
    const char *offset, *since, *until, *tail, *tail_bytes;
    bool follow, stdout_only, stderr_only;
    /* Which jobs. */
    const char *owner, *limit, *interval, *sort;
    char **states;
    bool all, force, no_sample, stats, watch;
    /* What is no flag. */
    char **words; /* into argv; NULL-terminated by argv itself */
    size_t word_count;
};

void arguments_done(struct arguments *arguments);
#define _cleanup_arguments_ _cleanup_(arguments_done)

/* The flags, as bits of what a command takes. */
enum flag_group {
    FLAGS_CONNECTION = 1 << 0,
    FLAGS_FORMAT = 1 << 1, /* -o */
    FLAGS_JOB = 1 << 2,    /* what to run */
    FLAGS_RUN = 1 << 3,    /* run alone */
    FLAGS_STREAM = 1 << 4, /* showing output */
    FLAGS_LOGS = 1 << 5,   /* which output */
    FLAGS_STOP = 1 << 6,
    FLAGS_SIGNAL = 1 << 7,
    FLAGS_LIST = 1 << 8,
    FLAGS_WAIT = 1 << 9,
    FLAGS_REMOVE = 1 << 10,
    FLAGS_STATUS = 1 << 11,
    FLAGS_START = 1 << 12,
    FLAGS_HELP = 1 << 13, /* --help: every command's */
    FLAGS_TOP = 1 << 14,
};

/*
 * Reads argv[0 … argc) by the groups that the command takes. `stops_at_word`: the first word that
 * is no flag ends the flags (what follows belongs to the job); "--" always does. Returns 0 or
 * -EINVAL with a sentence that names the flag.
 */
int arguments_read(struct arguments *arguments, int argc, char **argv, unsigned groups,
                   bool stops_at_word, struct error *err);

/* Prints the flags of `groups` for --help, with at most 80 columns. */
void arguments_print_flags(unsigned groups);

/* The value of -o; -EINVAL with a sentence. */
int arguments_format(const struct arguments *arguments, enum output_format *ret, struct error *err);
