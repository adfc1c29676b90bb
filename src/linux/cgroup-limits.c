/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/cgroup-limits.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-tree.h"

#define LIMIT_TEXT_MAX 128
#define IO_MAX_SIZE    (64u << 10) /* io.max: about 80 bytes for each disk that has a limit */

/*
 * cpu.max is a quota of microseconds in each period. 100 ms is the kernel's own period; the kernel
 * refuses quotas below 1 ms, so where no period was asked for the smallest shares get the longest
 * that it takes.
 */
#define CPU_PERIOD_USEC      UINT64_C(100000)
#define CPU_PERIOD_LONG_USEC UINT64_C(1000000)
#define CPU_QUOTA_MIN_USEC   UINT64_C(1000)
#define CPU_MILLIS_MAX       UINT64_C(1000000000) /* a million CPUs: far from overflow */

enum limit_form {
    FORM_NUMBER,
    FORM_BYTES,  /* rounded down to whole pages */
    FORM_PERIOD, /* "max PERIOD" */
    FORM_QUOTA,  /* "QUOTA PERIOD" */
    FORM_WEIGHT, /* "default WEIGHT", then lines for single disks */
    FORM_DEVICE, /* "MAJOR:MINOR KEY=VALUE" */
};

static const struct limit_rule {
    const char *file;
    uint32_t controller;
    enum limit_form form;
    const char *key;  /* of FORM_DEVICE */
    uint64_t largest; /* values from here on read back as "max" */
} limit_rules[] = {
#define PAGES_MAX ((uint64_t)LONG_MAX) /* PAGE_COUNTER_MAX × page size, nearly */
    [CGROUP_LIMIT_CPU_PERIOD] = {"cpu.max", CGROUP_CONTROLLER_CPU, FORM_PERIOD, NULL, UINT64_MAX},
    [CGROUP_LIMIT_CPU_MAX] = {"cpu.max", CGROUP_CONTROLLER_CPU, FORM_QUOTA, NULL, CPU_MILLIS_MAX},
    [CGROUP_LIMIT_CPU_WEIGHT] = {"cpu.weight", CGROUP_CONTROLLER_CPU, FORM_NUMBER, NULL, 10001},
    [CGROUP_LIMIT_MEMORY_MAX] = {"memory.max", CGROUP_CONTROLLER_MEMORY, FORM_BYTES, NULL,
                                 PAGES_MAX},
    [CGROUP_LIMIT_MEMORY_HIGH] = {"memory.high", CGROUP_CONTROLLER_MEMORY, FORM_BYTES, NULL,
                                  PAGES_MAX},
    [CGROUP_LIMIT_MEMORY_MIN] = {"memory.min", CGROUP_CONTROLLER_MEMORY, FORM_BYTES, NULL,
                                 PAGES_MAX},
    [CGROUP_LIMIT_MEMORY_LOW] = {"memory.low", CGROUP_CONTROLLER_MEMORY, FORM_BYTES, NULL,
                                 PAGES_MAX},
    [CGROUP_LIMIT_SWAP_MAX] = {"memory.swap.max", CGROUP_CONTROLLER_MEMORY, FORM_BYTES, NULL,
                               PAGES_MAX},
    [CGROUP_LIMIT_OOM_GROUP] = {"memory.oom.group", CGROUP_CONTROLLER_MEMORY, FORM_NUMBER, NULL,
                                UINT64_MAX},
    [CGROUP_LIMIT_PIDS_MAX] = {"pids.max", CGROUP_CONTROLLER_PIDS, FORM_NUMBER, NULL, 4194304},
    [CGROUP_LIMIT_IO_WEIGHT] = {"io.weight", CGROUP_CONTROLLER_IO, FORM_WEIGHT, NULL, UINT64_MAX},
    [CGROUP_LIMIT_IO_BFQ_WEIGHT] = {"io.bfq.weight", CGROUP_CONTROLLER_IO, FORM_WEIGHT, NULL,
                                    UINT64_MAX},
    [CGROUP_LIMIT_IO_READ_BPS] = {"io.max", CGROUP_CONTROLLER_IO, FORM_DEVICE, "rbps", UINT64_MAX},
    [CGROUP_LIMIT_IO_WRITE_BPS] = {"io.max", CGROUP_CONTROLLER_IO, FORM_DEVICE, "wbps", UINT64_MAX},
    [CGROUP_LIMIT_IO_READ_IOPS] = {"io.max", CGROUP_CONTROLLER_IO, FORM_DEVICE, "riops", UINT_MAX},
    [CGROUP_LIMIT_IO_WRITE_IOPS] = {"io.max", CGROUP_CONTROLLER_IO, FORM_DEVICE, "wiops", UINT_MAX},
};

_Static_assert(ARRAY_SIZE(limit_rules) == _CGROUP_LIMIT_MAX, "each limit has a row");

const char *cgroup_limit_file(enum cgroup_limit limit)
{
    return limit_rules[limit].file;
}

uint32_t cgroup_limit_controller(enum cgroup_limit limit)
{
    return limit_rules[limit].controller;
}

bool cgroup_limit_is_of_disk(enum cgroup_limit limit)
{
    return limit_rules[limit].form == FORM_DEVICE;
}

static void number_format(const struct limit_rule *rule, uint64_t value, char *text, size_t size)
{
    if (value >= rule->largest)
        snprintf(text, size, "max");
    else
        snprintf(text, size, "%" PRIu64, value);
}

/* The period that stands in cpu.max. */
static uint64_t period_read(int dir_fd)
{
    char text[LIMIT_TEXT_MAX], end;
    uint64_t period;

    if (cgroup_file_read(dir_fd, "cpu.max", text, sizeof(text)) >= 0 &&
        sscanf(text, "%*s %" SCNu64 "%c", &period, &end) == 1 && period > 0)
        return period;
    return CPU_PERIOD_USEC;
}

static void quota_format(const struct limit_rule *rule, uint64_t millis, uint64_t period,
                         char *text, size_t size)
{
    if (period == CPU_PERIOD_USEC && millis * period / 1000 < CPU_QUOTA_MIN_USEC)
        period = CPU_PERIOD_LONG_USEC;
    if (millis >= rule->largest)
        snprintf(text, size, "max %" PRIu64, period);
    else
        snprintf(text, size, "%" PRIu64 " %" PRIu64, millis * period / 1000, period);
}

/* The text that goes into the file, which is what we want to see there again. */
static void limit_format(int dir_fd, const struct limit_rule *rule, const struct disk *disk,
                         uint64_t value, char *text, size_t size)
{
    char number[32];

    switch (rule->form) {
    case FORM_NUMBER:
        number_format(rule, value, text, size);
        break;
    case FORM_BYTES:
        number_format(rule, value - value % (uint64_t)sysconf(_SC_PAGESIZE), text, size);
        break;
    case FORM_PERIOD:
        snprintf(text, size, "max %" PRIu64, value);
        break;
    case FORM_QUOTA:
        quota_format(rule, MIN(value, CPU_MILLIS_MAX), period_read(dir_fd), text, size);
        break;
    case FORM_WEIGHT:
        snprintf(text, size, "default %" PRIu64, value);
        break;
    case FORM_DEVICE:
        number_format(rule, value, number, sizeof(number));
        snprintf(text, size, "%u:%u %s=%s", disk->major, disk->minor, rule->key, number);
        break;
    }
}

/* The value of "KEY=" in the line of `disk`; "max" when the disk has no line: it has no limit. */
static void device_value_find(const char *lines, const struct disk *disk, const char *key,
                              char *text, size_t size)
{
    char device[32];
    const char *line = lines, *end, *value = NULL;
    size_t key_size = strlen(key), length;

    length = (size_t)snprintf(device, sizeof(device), "%u:%u ", disk->major, disk->minor);
    while (line && strncmp(line, device, length) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (line) {
        end = line + strcspn(line, "\n");
        for (value = strchr(line, ' '); value && value < end; value = strchr(value + 1, ' '))
            if (strncmp(value + 1, key, key_size) == 0 && value[1 + key_size] == '=')
                break;
    }
    if (line && value && value < end)
        snprintf(text, size, "%.*s", (int)strcspn(value + 2 + key_size, " \n"),
                 value + 2 + key_size);
    else
        snprintf(text, size, "max");
}

/* What the file says now, in the form that limit_format() makes. */
static int limit_text_read(int dir_fd, const struct limit_rule *rule, const struct disk *disk,
                           char *text, size_t size)
{
    char lines[IO_MAX_SIZE], value[32];
    int r;

    if (rule->form != FORM_DEVICE && rule->form != FORM_WEIGHT)
        return cgroup_file_read(dir_fd, rule->file, text, size);
    r = cgroup_file_read(dir_fd, rule->file, lines, sizeof(lines));
    if (r < 0)
        return r;
    if (rule->form == FORM_WEIGHT) {
        snprintf(text, size, "%.*s", (int)strcspn(lines, "\n"), lines);
        return 0;
    }
    device_value_find(lines, disk, rule->key, value, sizeof(value));
    snprintf(text, size, "%u:%u %s=%s", disk->major, disk->minor, rule->key, value);
    return 0;
}

int cgroup_limit_apply(int dir_fd, enum cgroup_limit limit, const struct disk *disk, uint64_t value,
                       char *told, size_t size)
{
    const struct limit_rule *rule = &limit_rules[limit];
    char wanted[LIMIT_TEXT_MAX], found[LIMIT_TEXT_MAX];
    int r;

    limit_format(dir_fd, rule, disk, value, wanted, sizeof(wanted));
    r = cgroup_file_write(dir_fd, rule->file, wanted);
    if (r >= 0)
        r = limit_text_read(dir_fd, rule, disk, found, sizeof(found));
    if (r >= 0 && !text_equal(wanted, found))
        r = -EREMOTEIO;

    if (told && r >= 0)
        snprintf(told, size, "%s %s", rule->file, wanted);
    else if (told && r == -ENOENT)
        snprintf(told, size, "there is no %s: the controller \"%s\" is not enabled here",
                 rule->file, cgroup_controller_name(rule->controller));
    else if (told && r == -EREMOTEIO)
        snprintf(told, size, "%s reads \"%s\" after \"%s\" was written", rule->file, found, wanted);
    else if (told)
        snprintf(told, size, "can't write \"%s\" to %s: %s", wanted, rule->file, strerror(-r));
    return r;
}

static int value_parse(const char *text, uint64_t *ret)
{
    char end;

    if (text_equal(text, "max")) {
        *ret = CGROUP_LIMIT_NONE;
        return 0;
    }
    return sscanf(text, "%" SCNu64 "%c", ret, &end) == 1 ? 0 : -EBADMSG;
}

/* What stands behind the first blank or "=". */
static int second_parse(const char *text, uint64_t *ret)
{
    const char *value = strpbrk(text, " =");

    return value ? value_parse(value + 1, ret) : -EBADMSG;
}

static int quota_parse(const char *text, uint64_t *ret)
{
    uint64_t quota, period;
    char end;

    if (text_starts_with(text, "max ")) {
        *ret = CGROUP_LIMIT_NONE;
        return 0;
    }
    if (sscanf(text, "%" SCNu64 " %" SCNu64 "%c", &quota, &period, &end) != 2 || period == 0)
        return -EBADMSG;
    *ret = quota * 1000 / period;
    return 0;
}

int cgroup_limit_read(int dir_fd, enum cgroup_limit limit, const struct disk *disk, uint64_t *ret)
{
    const struct limit_rule *rule = &limit_rules[limit];
    char text[LIMIT_TEXT_MAX];
    int r;

    r = limit_text_read(dir_fd, rule, disk, text, sizeof(text));
    if (r < 0)
        return r;
    switch (rule->form) {
    case FORM_QUOTA:
        return quota_parse(text, ret);
    case FORM_PERIOD:
    case FORM_WEIGHT:
        return second_parse(text, ret);
    case FORM_DEVICE:
        return value_parse(strchr(text, '=') + 1, ret);
    case FORM_NUMBER:
    case FORM_BYTES:
        break;
    }
    return value_parse(text, ret);
}
