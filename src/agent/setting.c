/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/setting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/amount.h"
#include "agent/class.h"
#include "agent/config.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/quantity.h"
#include "output/cap.h"
#include "text/value.h"

static const char *const agent_exit_names[] = {"keep", "stop", NULL};
static const char *const unenforced_names[] = {"refuse", "warn", NULL};
static const char *const log_format_choices[] = {"text", "json", NULL};
static const char *const log_level_choices[] = {"error", "warning", "info", "debug", NULL};

static const char *const output_policy_names[] = {"keep_ends", "stop_job", NULL};

static const struct amount cap_amount = {{"none", 0}, OUTPUT_CAP_MIN, UINT64_C(1) << 60};
static const struct amount head_amount = {{"quarter", 0}, 1, UINT64_C(1) << 59};
static const struct amount rate_amount = {{"class", OUTPUT_RATE_OF_LIMITS}, 0, UINT64_C(1) << 60};
/* 0 would be a job that nobody can look at; what is never wanted is for the client to delete. */
static const struct amount retain_amount = {
    {"forever", USEC_INFINITY}, USEC_PER_SEC, UINT64_C(36500) * 86400 * USEC_PER_SEC};

static const struct text_range buffer_range = {OUTPUT_READ_BUFFER_MIN, OUTPUT_READ_BUFFER_MAX};
static const struct text_range adopt_range = {1, UINT64_C(366) * 24 * 3600 * USEC_PER_SEC};
static const struct text_range jobs_range = {1, 65536};
static const struct text_range thread_range = {0, 256};
static const struct text_range peer_range = {1, 1000000};

/* "127.0.0.1:7443" or "[::1]:7443" into a struct config_address. */
static int parse_address(const char *text, void *destination, const void *argument,
                         struct error *err)
{
    struct config_address address = {.port = 0};
    const char *colon = strrchr(text, ':'), *from = text, *to = colon;
    unsigned char binary[16];
    uint64_t port;
    int r;

    (void)argument;
    if (!colon)
        return error_set(err, -EINVAL, "no port; write it like 127.0.0.1:7443 or [::1]:7443");
    if (text[0] == '[' && to > text + 1 && to[-1] == ']') {
        from++;
        to--;
    }
    if (to == from || (size_t)(to - from) >= sizeof(address.host))
        return error_set(err, -EINVAL, "no address; write it like 127.0.0.1:7443 or [::1]:7443");
    memcpy(address.host, from, (size_t)(to - from));
    if (inet_pton(from == text ? AF_INET : AF_INET6, address.host, binary) != 1)
        return error_set(err, -EINVAL,
                         "\"%.45s\" is no numeric address; write it like 127.0.0.1:7443, "
                         "0.0.0.0:7443 or [::]:7443",
                         address.host);
    r = quantity_parse_unsigned(colon + 1, UINT16_MAX, &port, err);
    if (r < 0)
        return error_prefix(err, "the port");
    address.port = (uint16_t)port;
    *(struct config_address *)destination = address;
    return 0;
}

/* --default-cpu and the like: limits of the class "default". */
static int parse_default_limit(const char *text, void *destination, const void *argument,
                               struct error *err)
{
    struct class *class = classes_find(destination, "default");

    for (const struct text_key *key = class_keys; key->key; key++)
        if (strcmp(key->key, argument) == 0)
            return key->parse(text, class, key->argument, err);
    return error_set(err, -EINVAL, "there is no limit \"%s\"", (const char *)argument);
}

/* clang-format off */
#define SETTING(the_key, the_flag, field, the_value, parser, with, text)                           \
    { .key = (the_key), .flag = (the_flag), .offset = offsetof(struct config, field),              \
      .parse = (parser), .argument = (with), .value = (the_value), .help = (text) }

#define SETTING_AT_START(the_key, the_flag, field, the_value, parser, with, text)                  \
    { .key = (the_key), .flag = (the_flag), .offset = offsetof(struct config, field),              \
      .parse = (parser), .argument = (with), .value = (the_value), .help = (text),                 \
      .at_start = true }

const struct setting settings[] = {
    SETTING_AT_START("listen", "--listen", listen, "HOST:PORT", parse_address, NULL, "numeric address and port to serve on"),
    SETTING_AT_START("state_dir", "--state", state_dir, "DIR", text_parse_path, NULL, "records and output of the jobs; 0700, hoistd's own"),
    SETTING("tls.cert", "--cert", tls_cert, "FILE", text_parse_path, NULL, "this server's certificate (PEM)"),
    SETTING("tls.key", "--key", tls_key, "FILE", text_parse_path, NULL, "its private key, readable by nobody else"),
    SETTING("tls.key_passphrase_file", "--key-passphrase-file", tls_key_passphrase_file, "FILE", text_parse_path, NULL, "first line: passphrase of the key"),
    SETTING("tls.client_ca", "--client-ca", tls_client_ca, "FILE", text_parse_path, NULL, "bundle of the CAs whose clients are let in"),
    SETTING("tls.crl", "--crl", tls_crl, "FILE", text_parse_path, NULL, "revocation lists of these CAs"),
    SETTING("tls.strict", "--tls-strict", tls_strict, NULL, text_parse_bool, NULL, "TLS_AES_256_GCM_SHA384 only"),
    SETTING("default_class", "--default-class", default_class, "CLASS", text_parse_string, NULL, "class of jobs that name none"),
    SETTING("default_cpu", "--default-cpu", classes, "SHARE", parse_default_limit, "cpu", "CPU of the class \"default\": 25% or 250m"),
    SETTING("default_memory", "--default-memory", classes, "SIZE", parse_default_limit, "memory_max", "memory of the class \"default\": 512MB"),
    SETTING("default_iops", "--default-iops", classes, "NUMBER", parse_default_limit, "iops", "operations a second of the class \"default\""),
    SETTING("unenforced_limits", "--unenforced-limits", unenforced_limits, "refuse|warn", text_parse_choice, unenforced_names, "what to do with a limit that this host can't enforce"),
    SETTING("on_agent_exit", "--on-agent-exit", on_agent_exit, "keep|stop", text_parse_choice, agent_exit_names, "what becomes of jobs when the agent ends"),
    SETTING("adopt_wait", "--adopt-wait", adopt_wait, "DURATION", text_parse_duration, &adopt_range, "then: how long they wait for another agent"),
    SETTING("output.cap", "--output-cap", output.cap, "SIZE", amount_parse_size, &cap_amount, "what a job's output takes at most, or none"),
    SETTING("output.policy", "--output-policy", output.policy, "keep_ends|stop_job", text_parse_choice, output_policy_names, "what happens at the cap"),
    SETTING("output.keep_head", "--output-keep-head", output.keep_head, "SIZE", amount_parse_size, &head_amount, "of it for the first bytes, or quarter"),
    SETTING("output.rate", "--output-rate", output.rate, "SIZE", amount_parse_size, &rate_amount, "of a job's output a second at most, or class"),
    SETTING("output.read_buffer", "--output-read-buffer", output.read_buffer, "SIZE", text_parse_size, &buffer_range, "what is read of a job at once"),
    SETTING("output.retain", "--output-retain", output.retain, "DURATION", amount_parse_duration, &retain_amount, "how long jobs are kept after their end, or forever"),
    SETTING("output.total", "--output-total", output.total, "SIZE|SHARE", amount_parse_share, NULL, "what all jobs' files take of the disk, or none"),
    SETTING("output.reserve", "--output-reserve", output.reserve, "SIZE|SHARE", amount_parse_share, NULL, "what stays free of the disk, or none"),
    SETTING("jobs_max", "--jobs-max", jobs_max, "NUMBER", text_parse_unsigned, &jobs_range, "jobs that may live at once"),
    SETTING_AT_START("threads", "--threads", threads, "NUMBER", text_parse_unsigned, &thread_range, "connection threads; 0: one for each CPU"),
    SETTING_AT_START("peers.connections", "--peers-connections", peers_connections, "NUMBER", text_parse_unsigned, &peer_range, "connections in all"),
    SETTING_AT_START("peers.connections_per_address", "--peers-connections-per-address", peers_per_address, "NUMBER", text_parse_unsigned, &peer_range, "connections of one address"),
    SETTING_AT_START("peers.connections_per_principal", "--peers-connections-per-principal", peers_per_principal, "NUMBER", text_parse_unsigned, &peer_range, "connections of one principal"),
    SETTING_AT_START("peers.streams_per_principal", "--peers-streams-per-principal", peers_streams_per_principal, "NUMBER", text_parse_unsigned, &peer_range, "calls under way of one principal"),
    SETTING("log.format", "--log-format", log_format, "text|json", text_parse_choice, log_format_choices, "form of the log lines on stderr"),
    SETTING("log.level", "--log-level", log_level, "LEVEL", text_parse_choice, log_level_choices, "error, warning, info or debug"),
};
/* clang-format on */

const size_t settings_count = ARRAY_SIZE(settings);
_Static_assert(ARRAY_SIZE(settings) <= SETTINGS_MAX, "struct config holds an origin for each");
