/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/cgroup-stat.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "linux/cgroup-tree.h"

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
    STAT_PRESSURE_TOTAL, /* of a line "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
    STAT_PRESSURE_AVG10, /* in hundredths */
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
#define PRESSURE(file, name, known)                                                                \
    {file, STAT_PRESSURE_TOTAL, "some", VALUE(psi_##name##_some_usec), known},                     \
        {file, STAT_PRESSURE_TOTAL, "full", VALUE(psi_##name##_full_usec), 0},                     \
        {file, STAT_PRESSURE_AVG10, "some", VALUE(psi_##name##_some_avg10), 0},                    \
    {                                                                                              \
        file, STAT_PRESSURE_AVG10, "full", VALUE(psi_##name##_full_avg10), 0                       \
    }
    PRESSURE("cpu.pressure", cpu, CGROUP_KNOWS_PRESSURE),
    PRESSURE("memory.pressure", memory, 0),
    PRESSURE("io.pressure", io, 0),
#undef PRESSURE
#undef VALUE
};

/* The text behind "KEY=" in the line that begins with `name`; NULL: there is none. */
static const char *pressure_find(const char *text, const char *name, const char *key)
{
    size_t size = strlen(name);

    for (const char *line = text; line; line = line_next(line)) {
        const char *value;

        if (strncmp(line, name, size) != 0 || line[size] != ' ')
            continue;
        value = strstr(line, key);
        return value && value < line + strcspn(line, "\n") ? value + strlen(key) : NULL;
    }
    return NULL;
}

/* "12.34" → 1234: the kernel writes two digits behind the point. */
static int hundredths_parse(const char *text, uint64_t *ret)
{
    unsigned whole, part;

    if (sscanf(text, "%3u.%2u", &whole, &part) != 2 || whole > 100)
        return -EBADMSG;
    *ret = (uint64_t)whole * 100 + part;
    return 0;
}

int cgroup_stat_pressure(const char *text, const char *name, uint64_t *ret_usec,
                         uint64_t *ret_avg10)
{
    const char *total = pressure_find(text, name, "total=");
    const char *avg10 = pressure_find(text, name, "avg10=");
    uint64_t usec, share;

    if (!total || !avg10)
        return -ENODATA; /* "full" of the CPU: since 5.13 */
    if (number_parse(total, &usec) < 0 || hundredths_parse(avg10, &share) < 0)
        return -EBADMSG;
    *ret_usec = usec;
    *ret_avg10 = share;
    return 0;
}

static int stat_take(const struct stat_rule *rule, const char *text, struct cgroup_usage *usage)
{
    uint64_t *value = (uint64_t *)(void *)((char *)usage + rule->offset);
    uint64_t other;
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
    case STAT_PRESSURE_TOTAL:
        r = cgroup_stat_pressure(text, rule->key, value, &other);
        break;
    case STAT_PRESSURE_AVG10:
        r = cgroup_stat_pressure(text, rule->key, &other, value);
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
    /* Not of the heap, which what outlives it would keep from shrinking; nor cleared. */
    __attribute__((uninitialized)) char text[CGROUP_FILE_MAX];
    struct cgroup_usage usage = {0};
    const char *file = NULL;
    int read = 0;

    for (size_t i = 0; i < ARRAY_SIZE(stat_rules); i++) {
        const struct stat_rule *rule = &stat_rules[i];
        int r;

        if (file != rule->file && (!file || strcmp(file, rule->file) != 0)) {
            file = rule->file;
            read = cgroup_file_read(dir_fd, file, text, sizeof(text));
        }
        if (read == -ENOENT || read == -EOPNOTSUPP) /* a kernel with PSI, but psi=0 */
            continue;
        r = read < 0 ? read : stat_take(rule, text, &usage);
        if (r < 0)
            return error_set(err, r, "can't read %s: %s", file, strerror(-r));
    }
    *ret = usage;
    return 0;
}

/* What has to be known for the figures of a file to mean something. */
static uint32_t known_of_file(const char *file)
{
    static const struct {
        const char *file;
        uint32_t known;
    } files[] = {
        {"cpu.pressure", CGROUP_KNOWS_PRESSURE},
        {"memory.pressure", CGROUP_KNOWS_PRESSURE},
        {"io.pressure", CGROUP_KNOWS_PRESSURE},
        {"memory.peak", CGROUP_KNOWS_MEMORY_PEAK},
        {"cpu", CGROUP_KNOWS_CPU},
        {"memory", CGROUP_KNOWS_MEMORY},
        {"io", CGROUP_KNOWS_IO},
        {"pids", CGROUP_KNOWS_PIDS},
    };

    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (strncmp(files[i].file, file, strlen(files[i].file)) == 0)
            return files[i].known;
    return 0;
}

int cgroup_usage_statistics(const struct cgroup_usage *usage, cgroup_statistic_fn *found,
                            void *data)
{
    static const char *const ends[] = {
        [STAT_PRESSURE_TOTAL] = ".total",
        [STAT_PRESSURE_AVG10] = ".avg10",
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(stat_rules); i++) {
        const struct stat_rule *rule = &stat_rules[i];
        const char *end =
            (size_t)rule->form < ARRAY_SIZE(ends) && ends[rule->form] ? ends[rule->form] : "";
        uint64_t value = *(const uint64_t *)(const void *)((const char *)usage + rule->offset);
        char key[64], text[32];

        if (!(usage->known & known_of_file(rule->file)))
            continue;
        snprintf(key, sizeof(key), "%s%s%s%s", rule->file, rule->key ? "." : "",
                 rule->key ? rule->key : "", end);
        if (rule->form == STAT_PRESSURE_AVG10)
            snprintf(text, sizeof(text), "%" PRIu64 ".%02" PRIu64, value / 100, value % 100);
        else
            snprintf(text, sizeof(text), "%" PRIu64, value);
        r = found(key, text, data);
    }
    return r;
}

uint64_t cgroup_oom_of_own(int dir_fd)
{
    char text[512];
    uint64_t events = 0;

    if (cgroup_file_read(dir_fd, "memory.events.local", text, sizeof(text)) >= 0)
        (void)cgroup_stat_value(text, "oom", &events);
    return events;
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
