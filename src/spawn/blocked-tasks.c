/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/blocked-tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/cgroup-tree.h"
#include "wire/spawn-spec.h"

#define STAT_TEXT_MAX 4096
#define LIST_SIZE     1024 /* bytes of cgroup.threads, in its order: more than what is shown */

/* The name is the job's choice: what isn't printable ASCII is "?". */
static void copy_name(const char *name, size_t length, char *ret)
{
    size_t copied = length < SPAWN_TASK_NAME_MAX ? length : SPAWN_TASK_NAME_MAX - 1;

    for (size_t i = 0; i < copied; i++)
        ret[i] = (char)(name[i] >= ' ' && name[i] <= '~' ? name[i] : '?');
    ret[copied] = '\0';
}

/* The name may hold parentheses and blanks: the last ")" ends it. */
int blocked_task_parse(const char *stat, struct spawn_task *ret)
{
    const char *begin = strchr(stat, '('), *end = strrchr(stat, ')');

    if (!begin || !end || end < begin || end[1] != ' ' || end[2] <= ' ' || end[2] > '~')
        return -EBADMSG;
    *ret = (struct spawn_task){.pid = (pid_t)strtol(stat, NULL, 10), .state = end[2]};
    copy_name(begin + 1, (size_t)(end - begin - 1), ret->name);
    return 0;
}

static bool read_task(pid_t pid, struct spawn_task *ret)
{
    _cleanup_free_ char *text = NULL;
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    return file_read(AT_FDCWD, path, STAT_TEXT_MAX, &text, NULL) == 0 &&
           blocked_task_parse(text, ret) == 0;
}

/* The list as far as `text` holds it; a number that is cut off at its end has no newline. */
static size_t read_tasks(const char *text, struct spawn_task *ret, size_t max)
{
    size_t count = 0;

    while (count < max) {
        char *end;
        long pid = strtol(text, &end, 10);

        if (end == text || *end != '\n')
            break;
        count += pid > 0 && read_task((pid_t)pid, &ret[count]);
        text = end;
    }
    return count;
}

int blocked_tasks_read(int root_fd, const char *path, struct spawn_task *ret, size_t max)
{
    _cleanup_close_ int dir_fd = cgroup_open(root_fd, path, NULL), fd = FD_NONE;
    char text[LIST_SIZE];
    ssize_t size;

    if (dir_fd < 0)
        return dir_fd;
    fd = openat(dir_fd, "cgroup.threads", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size = read(fd, text, sizeof(text) - 1);
    if (size < 0)
        return -errno;
    text[size] = '\0';
    return (int)read_tasks(text, ret, max);
}
