/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/cgroup-stat.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "linux/cgroup-tree.h"

#define STAT_SIZE_MAX                                                                              \
    (64u << 10) /* memory.stat is about 2 KiB; io.stat has 120 bytes for each disk */

/* Digits up to a blank, a newline or the end. */
static int number_parse(const char *text, uint64_t *ret)
{
    uint64_t value = 0;
    const char *digit = text;

    for (; *digit >= '0' && *digit <= '9'; digit++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*digit - '0'), &value))
            return -EBADMSG;
    if (digit == text || (*digit && *digit != ' ' && *digit != '\n'))
        return -EBADMSG;
    *ret = value;
    return 0;
}

static const char *line_next(const char *line)
{
    line = strchr(line, '\n');
    return line ? line + 1 : NULL;
}

int cgroup_stat_value(const char *text, const char *key, uint64_t *ret)
{
    size_t size = strlen(key);

    for (const char *line = text; line; line = line_next(line))
        if (strncmp(line, key, size) == 0 && line[size] == ' ')
            return number_parse(line + size + 1, ret);
    return -ENODATA;
}

int cgroup_stat_sum(const char *text, const char *key, uint64_t *ret)
{
    size_t size = strlen(key);
    uint64_t sum = 0;

    for (const char *word = text; (word = strchr(word, ' ')); word++) {
        uint64_t value;

        if (strncmp(word + 1, key, size) != 0 || word[1 + size] != '=')
            continue;
        if (number_parse(word + 1 + size + 1, &value) < 0 ||
            __builtin_add_overflow(sum, value, &sum))
            return -EBADMSG;
    }
    *ret = sum;
    return 0;
}

enum stat_form {
    STAT_SINGLE, /* one number and nothing else */
    STAT_FLAT,
    STAT_NESTED,
};

/*
 * Each value: the file and key it stands under, where it goes, and what its presence tells. Rows of
 * one file stand together, so that it is read once.
 */
static const struct stat_rule {
    const char *file;
    enum stat_form form;
    const char *key;
    size_t offset; /* in struct cgroup_usage */
    uint32_t known;
} stat_rules[] = {
#define VALUE(member) offsetof(struct cgroup_usage, member)
    {"cpu.stat", STAT_FLAT, "usage_usec", VALUE(cpu_usec), CGROUP_KNOWS_CPU},
    {"cpu.stat", STAT_FLAT, "user_usec", VALUE(cpu_user_usec), 0},
    {"cpu.stat", STAT_FLAT, "system_usec", VALUE(cpu_system_usec), 0},
    {"cpu.stat", STAT_FLAT, "nr_throttled", VALUE(throttled_periods), CGROUP_KNOWS_THROTTLING},
    {"cpu.stat", STAT_FLAT, "throttled_usec", VALUE(throttled_usec), 0},
    {"memory.current", STAT_SINGLE, NULL, VALUE(memory_current), CGROUP_KNOWS_MEMORY},
    {"memory.peak", STAT_SINGLE, NULL, VALUE(memory_peak), CGROUP_KNOWS_MEMORY_PEAK},
    {"memory.swap.current", STAT_SINGLE, NULL, VALUE(swap_current), 0},
    {"memory.stat", STAT_FLAT, "anon", VALUE(memory_anon), 0},
    {"memory.stat", STAT_FLAT, "file", VALUE(memory_file), 0},
    {"memory.stat", STAT_FLAT, "kernel", VALUE(memory_kernel), 0},
    {"memory.events", STAT_FLAT, "high", VALUE(memory_high_events), 0},
    {"memory.events", STAT_FLAT, "oom", VALUE(oom), 0},
    {"memory.events", STAT_FLAT, "oom_kill", VALUE(oom_kill), 0},
    {"memory.events", STAT_FLAT, "oom_group_kill", VALUE(oom_group_kill), 0},
    {"io.stat", STAT_NESTED, "rbytes", VALUE(io_read_bytes), CGROUP_KNOWS_IO},
    {"io.stat", STAT_NESTED, "wbytes", VALUE(io_write_bytes), 0},
    {"io.stat", STAT_NESTED, "rios", VALUE(io_read_operations), 0},
    {"io.stat", STAT_NESTED, "wios", VALUE(io_write_operations), 0},
    {"pids.current", STAT_SINGLE, NULL, VALUE(pids_current), CGROUP_KNOWS_PIDS},
    {"pids.events", STAT_FLAT, "max", VALUE(pids_refused), 0},
#undef VALUE
};

static int stat_take(const struct stat_rule *rule, const char *text, struct cgroup_usage *usage)
{
    uint64_t *value = (uint64_t *)(void *)((char *)usage + rule->offset);
    int r = -EINVAL;

    switch (rule->form) {
    case STAT_SINGLE:
        r = number_parse(text, value);
        break;
    case STAT_FLAT:
        r = cgroup_stat_value(text, rule->key, value);
        break;
    case STAT_NESTED:
        r = cgroup_stat_sum(text, rule->key, value);
        break;
    }
    if (r == -ENODATA)
        return 0; /* an older kernel, or a controller that isn't enabled */
    if (r >= 0)
        usage->known |= rule->known;
    return r;
}

int cgroup_usage_read(int dir_fd, struct cgroup_usage *ret, struct error *err)
{
    _cleanup_free_ char *text = malloc(STAT_SIZE_MAX);
    struct cgroup_usage usage = {0};
    const char *file = NULL;
    int read = 0;

    if (!text)
        return error_set(err, -ENOMEM, "no memory for a cgroup's statistics");

    for (size_t i = 0; i < ARRAY_SIZE(stat_rules); i++) {
        const struct stat_rule *rule = &stat_rules[i];
        int r;

        if (file != rule->file && (!file || strcmp(file, rule->file) != 0)) {
            file = rule->file;
            read = cgroup_file_read(dir_fd, file, text, STAT_SIZE_MAX);
        }
        if (read == -ENOENT)
            continue;
        r = read < 0 ? read : stat_take(rule, text, &usage);
        if (r < 0)
            return error_set(err, r, "can't read %s: %s", file, strerror(-r));
    }
    *ret = usage;
    return 0;
}

int cgroup_is_populated(int dir_fd)
{
    char text[256];
    uint64_t populated;
    int r;

    r = cgroup_file_read(dir_fd, "cgroup.events", text, sizeof(text));
    if (r >= 0)
        r = cgroup_stat_value(text, "populated", &populated);
    return r < 0 ? r : populated != 0;
}
