/* SPDX-License-Identifier: Apache-2.0 */
#include "init/cpu-time.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

#define STAT_MAX 1024 /* cpu.stat of today's kernels: about 250 bytes */
#define USAGE    "usage_usec "

/* The kernel's own figures are no finer than a tick, and a wake-up shouldn't cost what it counts.
 */
#define LOOK_MIN (20 * USEC_PER_MSEC)
/* CPUs may come online. */
#define LOOK_MAX (10 * USEC_PER_SEC)

int cpu_time_open(struct cpu_time *cpu_time, int cgroup_fd, usec_t limit, struct error *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int fd;

    *cpu_time = CPU_TIME_NULL;
    if (limit == 0)
        return 0;
    fd = openat(cgroup_fd, "cpu.stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, -errno, "cpu.stat of the job can't be opened: %s", strerror(errno));
    *cpu_time = (struct cpu_time){
        .fd = fd,
        .limit = limit,
        .cpus = cpus > 0 ? (unsigned)cpus : 1,
    };
    return 0;
}

void cpu_time_done(struct cpu_time *cpu_time)
{
    cpu_time->fd = fd_close(cpu_time->fd);
    cpu_time->next = USEC_INFINITY;
}

int cpu_time_parse(const char *stat, usec_t *ret)
{
    const char *line = stat;
    usec_t usage = 0;

    while (line && strncmp(line, USAGE, strlen(USAGE)) != 0) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (!line)
        return -EBADMSG;
    line += strlen(USAGE);
    if (*line < '0' || *line > '9')
        return -EBADMSG;
    for (; *line >= '0' && *line <= '9'; line++)
        if (__builtin_mul_overflow(usage, 10, &usage) ||
            __builtin_add_overflow(usage, (usec_t)(*line - '0'), &usage))
            return -EBADMSG;
    *ret = usage;
    return 0;
}

static int usage_read(int fd, usec_t *ret)
{
    char text[STAT_MAX];
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

    if (size < 0)
        return -errno;
    text[size] = '\0';
    return cpu_time_parse(text, ret);
}

bool cpu_time_is_over(struct cpu_time *cpu_time, usec_t now)
{
    usec_t usage = 0, wait = LOOK_MIN;

    if (cpu_time->fd < 0 || now < cpu_time->next)
        return false;
    /* What can't be read now (no memory in the kernel) is read the next time. */
    if (usage_read(cpu_time->fd, &usage) >= 0) {
        if (usage >= cpu_time->limit) {
            cpu_time_done(cpu_time);
            return true;
        }
        wait = MAX(MIN((cpu_time->limit - usage) / cpu_time->cpus, LOOK_MAX), LOOK_MIN);
    }
    cpu_time->next = now + wait;
    return false;
}
