/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All figures of a cgroup by the kernel's own names, for people who know them: what a file holds
 * isn't judged here, but cut into keys and values.
 *
 * Three forms: one number; "KEY VALUE" lines; and lines that begin with a name ("254:0", "some")
 * and go on with KEY=VALUE.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "linux/cgroup-stat.h"
#include "linux/cgroup-tree.h"

#define KEY_MAX 128

static const char *const files[] = {
    "cgroup.stat",
    "cpu.stat",
    "cpu.pressure",
    "memory.current",
    "memory.peak",
    "memory.stat",
    "memory.events",
    "memory.swap.current",
    "memory.swap.events",
    "memory.pressure",
    "memory.zswap.current",
    "io.stat",
    "io.pressure",
    "pids.current",
    "pids.peak",
    "pids.events",
};

static int statistic(const char *file, const char *name, const char *key, const char *value,
                     cgroup_statistic_fn *found, void *data)
{
    char whole[KEY_MAX];

    snprintf(whole, sizeof(whole), "%s%s%s%s%s", file, name[0] ? "." : "", name, key[0] ? "." : "",
             key);
    return found(whole, value, data);
}

/* "254:0 rbytes=1 wbytes=2": what follows `name`. */
static int nested(const char *file, const char *name, char *rest, cgroup_statistic_fn *found,
                  void *data)
{
    int r = 0;

    for (char *word = strsep(&rest, " "); r == 0 && word; word = strsep(&rest, " ")) {
        char *equals = strchr(word, '=');

        if (!equals)
            continue;
        *equals = '\0';
        r = statistic(file, name, word, equals + 1, found, data);
    }
    return r;
}

static int line_cut(const char *file, char *line, cgroup_statistic_fn *found, void *data)
{
    char *rest = line, *name = strsep(&rest, " ");

    if (!rest)
        return statistic(file, "", "", name, found, data);
    if (strchr(rest, '='))
        return nested(file, name, rest, found, data);
    return statistic(file, name, "", rest, found, data);
}

static int file_cut(const char *file, char *text, cgroup_statistic_fn *found, void *data)
{
    int r = 0;

    for (char *line = strsep(&text, "\n"); r == 0 && line; line = strsep(&text, "\n"))
        if (line[0])
            r = line_cut(file, line, found, data);
    return r;
}

int cgroup_statistics_read(int dir_fd, cgroup_statistic_fn *found, void *data)
{
    /* Not of the heap, which what outlives it would keep from shrinking; nor cleared. */
    __attribute__((uninitialized)) char text[CGROUP_FILE_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        int r = cgroup_file_read(dir_fd, files[i], text, sizeof(text));

        if (r == -ENOENT || r == -EOPNOTSUPP) /* no controller, another kernel, or psi=0 */
            continue;
        if (r >= 0)
            r = file_cut(files[i], text, found, data);
        if (r != 0)
            return r;
    }
    return 0;
}
