/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spawner's half of the plan: collects the parts, each in a buffer of its own, and joins them.
 * What comes out is read back by plan_read() before anybody gets it, so that a builder that is used
 * wrongly fails here with a sentence and not as PID 1 of a job.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/fd.h"
#include "wire/plan-format.h"
#include "wire/plan.h"

#ifndef MFD_NOEXEC_SEAL
#    define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3, memfd_create(2) */
#endif

struct plan_builder {
    struct plan_header header; /* counts and settings; sizes are filled in at the end */
    struct buffer steps, rlimits, filter;
    struct buffer arguments, env, strings;
    struct error error; /* the first one; code 0: none */
};

static void fail(struct plan_builder *builder, int code, const char *sentence)
{
    if (builder->error.code == 0)
        (void)error_set(&builder->error, code, "plan: %s", sentence);
}

static void append(struct plan_builder *builder, struct buffer *part, const void *data, size_t size)
{
    int r = buffer_append(part, data, size);

    if (r == -ENOBUFS)
        fail(builder, -E2BIG, "arguments, environment and steps take more than 4 MiB");
    else if (r < 0)
        fail(builder, r, "no memory");
}

struct plan_builder *plan_builder_new(void)
{
    struct plan_builder *builder = calloc(1, sizeof(*builder));
    struct buffer *parts[] = {&builder->steps,     &builder->rlimits, &builder->filter,
                              &builder->arguments, &builder->env,     &builder->strings};

    if (!builder)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        parts[i]->limit = PLAN_SIZE_MAX;
    append(builder, &builder->strings, "", 1);
    plan_builder_cwd(builder, "/");
    return builder;
}

struct plan_builder *plan_builder_free(struct plan_builder *builder)
{
    if (!builder)
        return NULL;
    buffer_done(&builder->steps);
    buffer_done(&builder->rlimits);
    buffer_done(&builder->filter);
    buffer_done(&builder->arguments);
    buffer_done(&builder->env);
    buffer_done(&builder->strings);
    free(builder);
    return NULL;
}

/* The offset of a copy of `text`; nothing at all is the empty string at 0. */
static uint32_t add_string(struct plan_builder *builder, const char *text)
{
    size_t offset = buffer_size(&builder->strings);

    if (!text || !text[0])
        return 0;
    append(builder, &builder->strings, text, strlen(text) + 1);
    return (uint32_t)offset;
}

void plan_builder_set(struct plan_builder *builder, const struct plan_settings *settings)
{
    struct plan_header *header = &builder->header;

    memcpy(header->id, settings->id.bytes, sizeof(header->id));
    header->flags = settings->flags;
    header->agent_uid = settings->agent_uid;
    header->agent_gid = settings->agent_gid;
    header->job_uid = settings->job_uid;
    header->job_gid = settings->job_gid;
    header->stop_signal = settings->stop_signal;
    header->cpu_time = settings->cpu_time;
    header->fd_count = settings->fd_count;
    header->umask = settings->umask;
    header->grace = settings->grace;
    header->timeout = settings->timeout;
    header->adopt_wait = settings->adopt_wait;
    header->output_rate = settings->output.rate;
    header->output_cap = settings->output.cap;
    header->output_head = settings->output.head;
    header->output_read_buffer = settings->output.read_buffer;
    header->output_stop = settings->output.stop_at_cap;
}

void plan_builder_step(struct plan_builder *builder, const struct plan_step *step)
{
    struct plan_step_record record = {
        .op = (uint32_t)step->op,
        .flags = step->flags,
        .source = add_string(builder, step->source),
        .target = add_string(builder, step->target),
        .options = add_string(builder, step->options),
        .fd = (uint32_t)step->fd,
        .attributes = step->attributes,
        .mode = step->mode,
        .uid = step->uid,
        .gid = step->gid,
        .major = step->major,
        .minor = step->minor,
    };

    append(builder, &builder->steps, &record, sizeof(record));
    builder->header.step_count++;
}

void plan_builder_rlimit(struct plan_builder *builder, uint32_t resource, uint64_t soft,
                         uint64_t hard)
{
    struct plan_rlimit_record record = {.resource = resource, .soft = soft, .hard = hard};

    append(builder, &builder->rlimits, &record, sizeof(record));
    builder->header.rlimit_count++;
}

void plan_builder_argument(struct plan_builder *builder, const char *argument)
{
    append(builder, &builder->arguments, argument, strlen(argument) + 1);
    builder->header.argument_count++;
}

void plan_builder_env(struct plan_builder *builder, const char *assignment)
{
    append(builder, &builder->env, assignment, strlen(assignment) + 1);
    builder->header.env_count++;
}

void plan_builder_arguments(struct plan_builder *builder, char *const *argv)
{
    for (; *argv; argv++)
        plan_builder_argument(builder, *argv);
}

void plan_builder_environment(struct plan_builder *builder, char *const *env)
{
    for (; *env; env++)
        plan_builder_env(builder, *env);
}

void plan_builder_cwd(struct plan_builder *builder, const char *cwd)
{
    builder->header.cwd = add_string(builder, cwd);
}

void plan_builder_filter(struct plan_builder *builder, const struct sock_filter *program,
                         size_t count)
{
    if (builder->header.filter_count > 0)
        fail(builder, -EINVAL, "there is a seccomp program already");
    if (count > PLAN_FILTER_MAX) {
        fail(builder, -E2BIG, "the seccomp program is too long");
        return;
    }
    append(builder, &builder->filter, program, count * sizeof(*program));
    builder->header.filter_count = (uint32_t)count;
}

/* `header` with what is only known when all parts are there. */
static int complete_header(const struct plan_builder *builder, struct plan_header *header)
{
    size_t size = sizeof(*header) + buffer_size(&builder->steps) + buffer_size(&builder->rlimits) +
                  buffer_size(&builder->filter) + buffer_size(&builder->arguments) +
                  buffer_size(&builder->env) + buffer_size(&builder->strings);

    if (size > PLAN_SIZE_MAX)
        return -E2BIG;
    *header = builder->header;
    header->magic = PLAN_MAGIC;
    header->version = PLAN_VERSION;
    header->size = (uint32_t)size;
    header->argument_bytes = (uint32_t)buffer_size(&builder->arguments);
    header->env_bytes = (uint32_t)buffer_size(&builder->env);
    header->string_bytes = (uint32_t)buffer_size(&builder->strings);
    return 0;
}

static int append_part(struct buffer *out, const struct buffer *part)
{
    return buffer_append(out, buffer_bytes(part), buffer_size(part));
}

static int join_parts(const struct plan_builder *builder, struct buffer *out)
{
    const struct buffer *parts[] = {&builder->steps,     &builder->rlimits, &builder->filter,
                                    &builder->arguments, &builder->env,     &builder->strings};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        int r = buffer_size(parts[i]) > 0 ? append_part(out, parts[i]) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

int plan_builder_encode(const struct plan_builder *builder, struct buffer *out, struct error *err)
{
    struct plan_header header;
    struct plan plan;
    int r;

    if (builder->error.code < 0)
        return error_set(err, builder->error.code, "%s", builder->error.text);
    r = complete_header(builder, &header);
    if (r < 0)
        return error_set(err, r, "plan: arguments, environment and steps take more than 4 MiB");
    r = buffer_append(out, &header, sizeof(header));
    if (r >= 0)
        r = join_parts(builder, out);
    if (r < 0)
        return error_set(err, r, "plan: no memory");
    r = plan_read(buffer_bytes(out), buffer_size(out), &plan, err);
    return r < 0 ? -EINVAL : 0;
}

static int create_memfd(void)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("hoist-plan", flags | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("hoist-plan", flags);
    return fd < 0 ? -errno : fd;
}

int plan_builder_seal(const struct plan_builder *builder, int *ret_fd, struct error *err)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    _cleanup_close_ int fd = FD_NONE;
    int r = plan_builder_encode(builder, &bytes, err);

    if (r < 0)
        return r;
    fd = create_memfd();
    if (fd < 0)
        return error_set(err, fd, "plan: no memory file: %s", strerror(-fd));
    r = fd_pwrite_full(fd, buffer_bytes(&bytes), buffer_size(&bytes), 0);
    if (r < 0)
        return error_set(err, r, "plan: cannot be written: %s", strerror(-r));
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        r = -errno;
        return error_set(err, r, "plan: cannot be sealed: %s", strerror(-r));
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}
