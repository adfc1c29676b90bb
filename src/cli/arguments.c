/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/strv.h"

enum flag_kind {
    FLAG_SWITCH,
    FLAG_TEXT,
    FLAG_LIST,
};

struct flag {
    const char *name;
    char letter; /* 0: none */
    enum flag_kind kind;
    size_t offset; /* in struct arguments */
    unsigned group;
    const char *value; /* what stands for it in the help */
    const char *help;
};

/* clang-format off */
#define FLAG(the_name, the_letter, the_kind, field, the_group, the_value, text)                    \
    { .name = (the_name), .letter = (the_letter), .kind = (the_kind),                              \
      .offset = offsetof(struct arguments, field), .group = (the_group), .value = (the_value),     \
      .help = (text) }

static const struct flag flags[] = {
    FLAG("name", 0, FLAG_TEXT, name, FLAGS_JOB, "NAME", "the job's name, unique among your jobs"),
    FLAG("label", 'l', FLAG_LIST, labels, FLAGS_JOB | FLAGS_LIST, "K=V", "a label; may be repeated"),
    FLAG("env", 'e', FLAG_LIST, env, FLAGS_JOB, "K[=V]", "a variable; K alone takes yours"),
    FLAG("env-file", 0, FLAG_TEXT, env_file, FLAGS_JOB, "FILE", "variables, one K=V a line"),
    FLAG("cwd", 0, FLAG_TEXT, cwd, FLAGS_JOB, "DIR", "working directory (default: the job's own)"),
    FLAG("class", 0, FLAG_TEXT, job_class, FLAGS_JOB, "CLASS", "class of limits (see hoist info)"),
    FLAG("cpu", 0, FLAG_TEXT, cpu, FLAGS_JOB, "SHARE", "less CPU than the class: 25% or 250m"),
    FLAG("memory", 0, FLAG_TEXT, memory, FLAGS_JOB, "SIZE", "less memory than the class: 64MiB"),
    FLAG("pids", 0, FLAG_TEXT, pids, FLAGS_JOB, "NUMBER", "fewer processes than the class"),
    FLAG("io", 0, FLAG_TEXT, io_bps, FLAGS_JOB, "SIZE", "fewer bytes a second on each disk"),
    FLAG("cpu-time", 0, FLAG_TEXT, cpu_time, FLAGS_JOB, "TIME", "at most so much CPU time in all: 10m"),
    FLAG("limit", 0, FLAG_LIST, limits, FLAGS_JOB, "NAME=VALUE", "any limit: memory_high=48MiB; may repeat"),
    FLAG("iops", 0, FLAG_TEXT, iops, FLAGS_JOB, "NUMBER", "fewer disk operations a second"),
    FLAG("output-cap", 0, FLAG_TEXT, output_cap, FLAGS_JOB, "SIZE", "keep at most so much output: 100MiB"),
    FLAG("output-policy", 0, FLAG_TEXT, output_policy, FLAGS_JOB, "POLICY", "at the cap: keep_ends or stop_job"),
    FLAG("timeout", 0, FLAG_TEXT, timeout, FLAGS_JOB | FLAGS_WAIT, "TIME", "at most so long: 30s, 1h30m"),
    FLAG("merged", 0, FLAG_SWITCH, merged, FLAGS_JOB, NULL, "one pipe for both streams: exact order"),
    FLAG("shell", 'c', FLAG_TEXT, shell, FLAGS_JOB, "\"…\"", "run this text by /bin/sh -c"),
    FLAG("request-id", 0, FLAG_TEXT, request_id, FLAGS_START, "ID", "a retry with it starts nothing anew"),
    FLAG("detach", 'd', FLAG_SWITCH, detach, FLAGS_RUN, NULL, "only start it, as hoist start does"),
    FLAG("grace", 0, FLAG_TEXT, grace, FLAGS_STOP | FLAGS_JOB, "TIME", "from the stop signal to SIGKILL (10s)"),
    FLAG("signal", 's', FLAG_TEXT, signal, FLAGS_STOP | FLAGS_SIGNAL, "SIGNAL", "TERM, HUP, USR1, …"),
    FLAG("follow", 'f', FLAG_SWITCH, follow, FLAGS_LOGS, NULL, "go on until the job has ended"),
    FLAG("offset", 0, FLAG_TEXT, offset, FLAGS_LOGS, "BYTES", "begin at this offset"),
    FLAG("since", 0, FLAG_TEXT, since, FLAGS_LOGS, "TIME", "begin there: 10m (ago), 14:30, 2026-11-21T14:30Z"),
    FLAG("until", 0, FLAG_TEXT, until, FLAGS_LOGS, "TIME", "end there"),
    FLAG("tail", 'n', FLAG_TEXT, tail, FLAGS_LOGS, "NUMBER", "begin with the last so many lines"),
    FLAG("tail-bytes", 0, FLAG_TEXT, tail_bytes, FLAGS_LOGS, "SIZE", "begin with the last so many bytes: 64KiB"),
    FLAG("prefix", 0, FLAG_SWITCH, prefix, FLAGS_LOGS, NULL, "put the job before each line, as with several jobs"),
    FLAG("stdout", 0, FLAG_SWITCH, stdout_only, FLAGS_LOGS, NULL, "standard output only"),
    FLAG("stderr", 0, FLAG_SWITCH, stderr_only, FLAGS_LOGS, NULL, "standard error only"),
    FLAG("timestamps", 't', FLAG_SWITCH, timestamps, FLAGS_STREAM, NULL, "put the time before each line"),
    FLAG("raw", 0, FLAG_SWITCH, raw, FLAGS_STREAM | FLAGS_FORMAT, NULL, "control sequences as they are, also on a terminal"),
    FLAG("quiet", 'q', FLAG_SWITCH, quiet, FLAGS_STREAM | FLAGS_START, NULL, "nothing but the output (start: the id)"),
    FLAG("reconnect", 0, FLAG_TEXT, reconnect, FLAGS_STREAM | FLAGS_WAIT, "TIME", "go on if the agent is back in time (5m; 0: never)"),
    FLAG("verbose", 'v', FLAG_SWITCH, verbose, FLAGS_STREAM, NULL, "tell what was received and what was checked"),
    FLAG("state", 0, FLAG_LIST, states, FLAGS_LIST, "STATE", "only these; may be repeated"),
    FLAG("owner", 0, FLAG_TEXT, owner, FLAGS_LIST | FLAGS_TOP, "NAME", "only this principal's"),
    FLAG("count", 'n', FLAG_TEXT, limit, FLAGS_TOP, "NUMBER", "end after so many looks"),
    FLAG("limit", 'n', FLAG_TEXT, limit, FLAGS_LIST, "NUMBER", "at most so many (50; 0: all)"),
    FLAG("force", 'f', FLAG_SWITCH, force, FLAGS_REMOVE, NULL, "stop it first if it runs"),
    FLAG("no-sample", 0, FLAG_SWITCH, no_sample, FLAGS_STATUS, NULL, "don't take a second to measure CPU and disk"),
    FLAG("watch", 'w', FLAG_SWITCH, watch, FLAGS_STATUS, NULL, "show it again at each change, until it has ended"),
    FLAG("interval", 'i', FLAG_TEXT, interval, FLAGS_STATUS | FLAGS_TOP, "TIME", "between two looks: 1s to 60s (2s)"),
    FLAG("sort", 's', FLAG_TEXT, sort, FLAGS_TOP, "COLUMN", "cpu, memory, io, iops, pids, time or name"),
    FLAG("stats", 0, FLAG_SWITCH, stats, FLAGS_STATUS, NULL, "every figure by the kernel's name instead"),
    FLAG("output", 'o', FLAG_TEXT, output, FLAGS_FORMAT, "FORMAT", "table, json or yaml"),
    FLAG("host", 'H', FLAG_TEXT, host, FLAGS_CONNECTION, "HOST", "the agent's host (HOIST_HOST)"),
    FLAG("port", 0, FLAG_TEXT, port, FLAGS_CONNECTION, "PORT", "its port (HOIST_PORT; 7443)"),
    FLAG("ca", 0, FLAG_TEXT, ca, FLAGS_CONNECTION, "FILE", "CAs of agents (HOIST_CA)"),
    FLAG("cert", 0, FLAG_TEXT, cert, FLAGS_CONNECTION, "FILE", "your certificate (HOIST_CERT)"),
    FLAG("key", 0, FLAG_TEXT, key, FLAGS_CONNECTION, "FILE", "its private key (HOIST_KEY)"),
    FLAG("key-passphrase-file", 0, FLAG_TEXT, key_passphrase_file, FLAGS_CONNECTION, "FILE", "first line: the key's passphrase"),
    FLAG("help", 'h', FLAG_SWITCH, help, FLAGS_HELP, NULL, "this text"),
};
/* clang-format on */

void arguments_done(struct arguments *arguments)
{
    strv_free(arguments->labels);
    strv_free(arguments->env);
    strv_free(arguments->states);
    strv_free(arguments->limits);
    *arguments = (struct arguments){.words = NULL};
}

static const struct flag *flag_by_name(const char *name, size_t length, unsigned groups)
{
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if ((flags[i].group & groups) && strlen(flags[i].name) == length &&
            strncmp(flags[i].name, name, length) == 0)
            return &flags[i];
    return NULL;
}

static const struct flag *flag_by_letter(char letter, unsigned groups)
{
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if ((flags[i].group & groups) && flags[i].letter == letter)
            return &flags[i];
    return NULL;
}

static int flag_store(struct arguments *arguments, const struct flag *flag, const char *value,
                      struct error *err)
{
    void *field = (char *)arguments + flag->offset;

    switch (flag->kind) {
    case FLAG_SWITCH:
        *(bool *)field = true;
        return 0;
    case FLAG_LIST:
        if (strv_append(field, value) < 0)
            return error_set(err, -ENOMEM, "no memory");
        return 0;
    case FLAG_TEXT:
    default:
        *(const char **)field = value;
        return 0;
    }
}

/* A cursor over argv. */
struct reading {
    struct arguments *arguments;
    int argc, at;
    char **argv;
    unsigned groups;
    struct error *err;
};

static int read_value(struct reading *reading, const struct flag *flag, const char *attached)
{
    if (flag->kind == FLAG_SWITCH)
        return attached ? error_set(reading->err, -EINVAL, "--%s takes no value", flag->name)
                        : flag_store(reading->arguments, flag, NULL, reading->err);
    if (!attached && reading->at == reading->argc)
        return error_set(reading->err, -EINVAL, "--%s needs a value: --%s %s", flag->name,
                         flag->name, flag->value);
    return flag_store(reading->arguments, flag, attached ? attached : reading->argv[reading->at++],
                      reading->err);
}

static int read_long(struct reading *reading, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const struct flag *flag = flag_by_name(word, length, reading->groups);

    if (!flag)
        return error_set(reading->err, -EINVAL, "there is no flag --%.*s here",
                         (int)MIN(length, (size_t)60), word);
    return read_value(reading, flag, equals ? equals + 1 : NULL);
}

/* "-fq" is two switches; in "-H host" and "-Hhost" the rest or the next word is the value. */
static int read_short(struct reading *reading, const char *letters)
{
    for (; *letters; letters++) {
        const struct flag *flag = flag_by_letter(*letters, reading->groups);
        int r;

        if (!flag)
            return error_set(reading->err, -EINVAL, "there is no flag -%c here", *letters);
        if (flag->kind != FLAG_SWITCH)
            return read_value(reading, flag, letters[1] ? letters + 1 : NULL);
        r = read_value(reading, flag, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Moves a word that is no flag behind the words before it, so that flags may follow words. */
static void keep_word(struct reading *reading, int from)
{
    struct arguments *arguments = reading->arguments;

    arguments->words[arguments->word_count++] = reading->argv[from];
}

int arguments_read(struct arguments *arguments, int argc, char **argv, unsigned groups,
                   bool stops_at_word, struct error *err)
{
    struct reading reading = {arguments, argc, 0, argv, groups, err};
    bool words_only = false;

    arguments->words = argv; /* words move to the front, never past where they stood */
    while (reading.at < argc) {
        int r = 0, at = reading.at++;
        char *word = argv[at];

        if (words_only || word[0] != '-' || word[1] == 0) {
            words_only |= stops_at_word;
            keep_word(&reading, at);
        } else if (strcmp(word, "--") == 0) {
            words_only = true;
        } else {
            r = word[1] == '-' ? read_long(&reading, word + 2) : read_short(&reading, word + 1);
        }
        if (r < 0)
            return r;
    }
    argv[arguments->word_count] = NULL;
    return 0;
}

void arguments_print_flags(unsigned groups)
{
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        const struct flag *flag = &flags[i];
        char left[40];

        if (!(flag->group & groups))
            continue;
        snprintf(left, sizeof(left), "%c%c%s --%s%s%s", flag->letter ? '-' : ' ',
                 flag->letter ? flag->letter : ' ', flag->letter ? "," : " ", flag->name,
                 flag->value ? " " : "", flag->value ? flag->value : "");
        printf("  %-27s %s\n", left, flag->help);
    }
}

int arguments_format(const struct arguments *arguments, enum output_format *ret, struct error *err)
{
    static const char *const names[_OUTPUT_FORMAT_MAX] = {
        [OUTPUT_FORMAT_TABLE] = "table",
        [OUTPUT_FORMAT_JSON] = "json",
        [OUTPUT_FORMAT_YAML] = "yaml",
    };

    if (!arguments->output) {
        *ret = OUTPUT_FORMAT_TABLE;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], arguments->output) == 0) {
            *ret = (enum output_format)i;
            return 0;
        }
    return error_set(err, -EINVAL, "-o \"%.30s\" is unknown; choose table, json or yaml",
                     arguments->output);
}
