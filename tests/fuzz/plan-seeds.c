/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes plans of the present version into DIR, for the fuzzer to begin with: a plan is read by the
 * version that wrote it alone, so that a file of the corpus would be refused at its header as soon
 * as there is another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "wire/plan.h"

static const struct plan_settings settings = {
    .id = {{1, 2, 3}},
    .flags = PLAN_MERGED | PLAN_HAS_CGROUP,
    .agent_uid = 990,
    .agent_gid = 991,
    .job_uid = 100000,
    .job_gid = 100001,
    .stop_signal = SIGTERM,
    .fd_count = 2,
    .grace = 7,
    .timeout = 8,
    .output = {.rate = 9, .cap = 10, .head = 11, .stop_at_cap = true, .read_buffer = 12},
    .umask = 027,
};

static void fill_minimal(struct plan_builder *builder)
{
    plan_builder_set(builder, &settings);
    plan_builder_argument(builder, "true");
}

static void fill_complete(struct plan_builder *builder)
{
    static const struct sock_filter filter[] = {{6, 0, 0, 0x7fff0000}};
    static const struct plan_step steps[] = {
        {.op = PLAN_ROOT_CLONE, .source = "/"},
        {.op = PLAN_BIND,
         .fd = PLAN_FD_FIRST + 1,
         .target = "/data",
         .attributes = MOUNT_ATTR_RDONLY},
        {.op = PLAN_MKDIR, .flags = PLAN_STEP_FOLLOW, .target = "/job", .mode = 01770, .uid = 5},
        {.op = PLAN_PIVOT},
    };
    char *argv[] = {(char *)"sh", (char *)"", (char *)"-c", NULL};
    char *env[] = {(char *)"A=b", (char *)"C=", NULL};

    plan_builder_set(builder, &settings);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        plan_builder_step(builder, &steps[i]);
    plan_builder_rlimit(builder, RLIMIT_NOFILE, 1024, 4096);
    plan_builder_filter(builder, filter, ARRAY_SIZE(filter));
    plan_builder_arguments(builder, argv);
    plan_builder_environment(builder, env);
    plan_builder_cwd(builder, "/job");
}

static int write_seed(const char *directory, const char *name,
                      void (*fill)(struct plan_builder *builder), struct error *err)
{
    _cleanup_plan_builder_ struct plan_builder *builder = plan_builder_new();
    _cleanup_buffer_ struct buffer bytes = {.limit = 0};
    _cleanup_close_ int fd = FD_NONE;
    char path[4096];
    struct plan plan;
    int r;

    if (!builder)
        return error_set(err, -ENOMEM, "no memory");
    fill(builder);
    r = plan_builder_encode(builder, &bytes, err);
    if (r >= 0) /* one that is refused would be no seed */
        r = plan_read(buffer_bytes(&bytes), buffer_size(&bytes), &plan, err);
    if (r < 0)
        return error_prefix(err, "%s", name);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    r = fd < 0 ? -errno : fd_write_full(fd, buffer_bytes(&bytes), buffer_size(&bytes));
    return r < 0 ? error_set(err, r, "can't write %s: %s", path, strerror(-r)) : 0;
}

int main(int argc, char **argv)
{
    struct error err = {.text = "usage: plan-seeds DIR"};
    int r = argc == 2 && (mkdir(argv[1], 0755) == 0 || errno == EEXIST) ? 0 : -EINVAL;

    if (r == 0)
        r = write_seed(argv[1], "minimal", fill_minimal, &err);
    if (r == 0)
        r = write_seed(argv[1], "complete", fill_complete, &err);
    if (r < 0)
        (void)fprintf(stderr, "plan-seeds: %s\n", err.text);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
