/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/class.h"
#include "agent/setting.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "wire/output-rules.h"
#include "worker/worker.h"

struct buffer;
struct error;

/*
 * What hoistd was told: defaults, then hoistd.yaml, then flags; the last one wins.
 */

#define CONFIG_FILE_DEFAULT "/etc/hoist/hoistd.yaml"
#define CONFIG_HOST_MAX     46 /* INET6_ADDRSTRLEN */

struct config_address {
    char host[CONFIG_HOST_MAX]; /* numeric */
    uint16_t port;              /* 0: any free one */
};

/* What becomes of jobs when the agent is asked to end. */
enum config_agent_exit {
    CONFIG_AGENT_EXIT_KEEP,
    CONFIG_AGENT_EXIT_STOP,
};

enum config_unenforced {
    CONFIG_UNENFORCED_REFUSE,
    CONFIG_UNENFORCED_WARN,
};

struct config_output {
    uint64_t cap;         /* bytes; 0: none */
    int policy;           /* enum config_output_policy */
    uint64_t keep_head;   /* bytes; 0: a quarter of the cap */
    uint64_t rate;        /* bytes a second; 0: none; OUTPUT_RATE_OF_LIMITS */
    uint64_t read_buffer; /* bytes */
    usec_t retain;        /* USEC_INFINITY: for ever */
    struct disk_share total, reserve;
};

enum config_output_policy {
    CONFIG_OUTPUT_KEEP_ENDS,
    CONFIG_OUTPUT_STOP_JOB,
};

struct config {
    char *file; /* that was read; NULL: none */

    struct config_address listen;
    char *state_dir;
    char *tls_cert;
    char *tls_key;
    char *tls_key_passphrase_file;
    char *tls_client_ca;
    char *tls_crl;
    bool tls_strict;

    struct classes classes;
    char *default_class;
    int unenforced_limits; /* enum config_unenforced */
    int on_agent_exit;     /* enum config_agent_exit */
    usec_t adopt_wait;

    struct config_output output;
    uint64_t jobs_max;
    uint64_t threads; /* 0: one for each CPU */
    uint64_t peers_connections;
    uint64_t peers_per_address;
    uint64_t peers_per_principal;
    uint64_t peers_streams_per_principal;

    int log_format;
    int log_level;

    struct setting_origin origins[SETTINGS_MAX]; /* as `settings` */
};

void config_done(struct config *config);
#define _cleanup_config_ _cleanup_(config_done)

/* What hoistd should do instead of serving. */
enum config_request {
    CONFIG_SERVE,
    CONFIG_PRINT,  /* --print-config */
    CONFIG_DOCTOR, /* --doctor: check the host */
    CONFIG_DOCTOR_JSON,
    CONFIG_DOCTOR_YAML,
    CONFIG_HELP,    /* --help */
    CONFIG_VERSION, /* --version */
};

/*
 * Reads the command line and the file that it names (or CONFIG_FILE_DEFAULT, which may be missing).
 * Returns 0, or a negative errno with a sentence that names the flag, or file, line and column.
 */
int config_load(int argc, char **argv, struct config *ret, enum config_request *ret_request,
                struct error *err);

/* Is everything there that serving needs, and does it fit together? */
int config_check(const struct config *config, struct error *err);

/* How long jobs go on without an agent; 0: for ever. */
usec_t config_adopt_wait(const struct config *config);

/* What hoist-init is told of output. */
struct output_rules config_output_rules(const struct config_output *output);

/* Appends the values in force, as YAML, each with a comment that says where it came from. */
int config_print(const struct config *config, struct buffer *out);

/* Appends the value of settings[at] alone, as the file would hold it. */
int config_print_value(const struct config *config, size_t at, struct buffer *out);

/* Appends the text of --help. */
int config_print_help(struct buffer *out);
