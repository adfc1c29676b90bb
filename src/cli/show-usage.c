/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show-usage.h"

#include <stdio.h>
#include <string.h>

#include "base/quantity.h"
#include "base/strv.h"

#define PRESSURE_SHOWN 1.0 /* percent of the last ten seconds: less is nobody's trouble */

bool usage_is_missing(const Hoist__V1__Usage *usage, const char *controller)
{
    for (size_t i = 0; i < usage->n_missing; i++)
        if (text_equal(usage->missing[i], controller))
            return true;
    return false;
}

static bool is_throttled(const Hoist__V1__Usage *usage, const char *by)
{
    for (size_t i = 0; i < usage->n_throttled; i++)
        if (text_equal(usage->throttled[i], by))
            return true;
    return false;
}

/* Only words that we know go to the terminal. */
const char *throttled_text(const Hoist__V1__Usage *usage, char text[static THROTTLED_TEXT_MAX])
{
    bool cpu = is_throttled(usage, "cpu"), memory = is_throttled(usage, "memory");

    snprintf(text, THROTTLED_TEXT_MAX, "%s%s%s", cpu ? "cpu" : "", cpu && memory ? ", " : "",
             memory ? "memory" : "");
    return text;
}

static void show_cpu(const Hoist__V1__Usage *usage)
{
    char text[QUANTITY_TEXT_MAX];

    if (usage->interval)
        printf("%-11s %.0f%%\n", "CPU", usage->cpu_percent);
    else
        printf("%-11s %s in all\n", "CPU", quantity_format_duration(usage->cpu_usec, text));
}

static void show_memory(const Hoist__V1__Usage *usage)
{
    char text[QUANTITY_TEXT_MAX];

    if (usage_is_missing(usage, "memory"))
        printf("%-11s unknown: this host has no memory controller\n", "memory");
    else
        printf("%-11s %s\n", "memory",
               quantity_format_size(usage->interval ? usage->memory_current : usage->memory_peak,
                                    text));
}

static void show_disk(const Hoist__V1__Usage *usage)
{
    char text[QUANTITY_TEXT_MAX];

    if (usage_is_missing(usage, "io"))
        printf("%-11s unknown: this host has no io controller\n", "disk");
    else if (usage->interval)
        printf("%-11s %s iops\n", "disk", quantity_format_count(usage->io_ops_per_second, text));
    else
        printf("%-11s %s operations in all\n", "disk",
               quantity_format_count((double)(usage->io_read_ops + usage->io_write_ops), text));
}

/* Where at least one task of a running job had to wait, which is what makes it slow. */
static void show_pressure(const Hoist__V1__Usage *usage)
{
    const struct {
        const char *name;
        const Hoist__V1__Pressure *pressure;
    } pressures[] = {
        {"CPU", usage->cpu_pressure},
        {"memory", usage->memory_pressure},
        {"disk", usage->io_pressure},
    };
    bool any = false;

    for (size_t i = 0; usage->interval && i < ARRAY_SIZE(pressures); i++) {
        const Hoist__V1__Pressure *pressure = pressures[i].pressure;

        if (!pressure || pressure->some_percent < PRESSURE_SHOWN)
            continue;
        printf("%-*s%s %.0f%%", any ? 0 : 12, any ? ", " : "waits", pressures[i].name,
               pressure->some_percent);
        any = true;
    }
    if (any)
        printf(" of the last 10s\n");
}

static void show_oom_kills(const Hoist__V1__Usage *usage)
{
    if (usage->oom_kills > 0)
        printf("%-11s %llu processes were ended for want of memory\n", "OOM kills",
               (unsigned long long)usage->oom_kills);
}

void show_usage(const Hoist__V1__Usage *usage)
{
    char text[THROTTLED_TEXT_MAX];

    if (!usage)
        return;
    show_cpu(usage);
    show_memory(usage);
    show_disk(usage);
    if (throttled_text(usage, text)[0])
        printf("%-11s %s\n", "throttled", text);
    show_pressure(usage);
    show_oom_kills(usage);
}
