/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hoist-init's half of the plan. All checks are made before the first step runs: first the shape
 * (sizes that add up, strings that end), then each value, then what each step needs and whether it
 * can come at its place. It uses no memory but the caller's, and no descriptor.
 */
#include "wire/plan.h"

#include <assert.h>
#include <errno.h>
#include <linux/mount.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "wire/plan-format.h"

#define SIGNAL_MAX 64 /* _NSIG: signal(7) */

#define ATTRIBUTES_ALL                                                                             \
    (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |                \
     MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

enum need {
    NEED_SOURCE = 1 << 0,      /* a text */
    NEED_SOURCE_PATH = 1 << 1, /* an absolute path of the host: before PLAN_PIVOT */
    NEED_TARGET = 1 << 2,      /* an absolute path in the new root: after PLAN_ROOT_* */
    MAY_FD = 1 << 3,           /* a descriptor can stand for the source */
    MAKES_ROOT = 1 << 4,
    NEED_ROOT = 1 << 5, /* after PLAN_ROOT_*, before PLAN_PIVOT */
};

static const struct {
    const char *name;
    unsigned needs;
    unsigned flags; /* that it knows */
} op_table[] = {
    [PLAN_PRIVATE_MOUNTS] = {"private mounts", 0, 0},
    [PLAN_SLAVE_MOUNTS] = {"slave mounts", 0, 0},
    [PLAN_ROOT_READY] = {"root ready", MAKES_ROOT, 0},
    [PLAN_ROOT_TMPFS] = {"root tmpfs", MAKES_ROOT, 0},
    [PLAN_ROOT_CLONE] = {"root clone", MAKES_ROOT | NEED_SOURCE_PATH, 0},
    [PLAN_MOUNT] = {"mount", NEED_SOURCE | NEED_TARGET,
                    PLAN_STEP_OPTIONAL | PLAN_STEP_FOLLOW | PLAN_STEP_CREATE},
    [PLAN_BIND] = {"bind", NEED_SOURCE_PATH | MAY_FD | NEED_TARGET, _PLAN_STEP_FLAGS_ALL},
    [PLAN_DEVICE] = {"device", NEED_SOURCE_PATH | NEED_TARGET, PLAN_STEP_OPTIONAL},
    [PLAN_ATTRIBUTES] = {"attributes", NEED_TARGET,
                         PLAN_STEP_OPTIONAL | PLAN_STEP_FOLLOW | PLAN_STEP_RECURSIVE},
    [PLAN_MASK] = {"mask", NEED_TARGET | NEED_ROOT, PLAN_STEP_OPTIONAL | PLAN_STEP_FOLLOW},
    [PLAN_MKDIR] = {"mkdir", NEED_TARGET, PLAN_STEP_FOLLOW},
    [PLAN_SYMLINK] = {"symlink", NEED_SOURCE | NEED_TARGET, PLAN_STEP_FOLLOW},
    [PLAN_PIVOT] = {"pivot", NEED_ROOT, 0},
    [PLAN_HOSTNAME] = {"hostname", NEED_SOURCE, 0},
    [PLAN_LOOPBACK_UP] = {"loopback up", 0, 0},
    [PLAN_SESSION_KEYRING] = {"session keyring", 0, PLAN_STEP_OPTIONAL},
    [PLAN_OWN_MOUNT] = {"own mount", NEED_TARGET, PLAN_STEP_OPTIONAL | PLAN_STEP_FOLLOW},
};

static_assert(ARRAY_SIZE(op_table) == _PLAN_OP_MAX, "each op has a row");

const char *plan_op_name(enum plan_op op)
{
    return op_table[op].name;
}

static int bad(struct error *err, const char *what)
{
    return error_set(err, -EPROTO, "plan: %s", what);
}

static int check_counts(const struct plan_header *header, struct error *err)
{
    if (header->step_count > PLAN_STEPS_MAX)
        return bad(err, "too many steps");
    if (header->rlimit_count > PLAN_RLIMITS_MAX)
        return bad(err, "too many resource limits");
    if (header->filter_count > PLAN_FILTER_MAX)
        return bad(err, "the seccomp program is too long");
    if (header->argument_count == 0 && !(header->flags & PLAN_MAKES_ROOT))
        return bad(err, "there is no command");
    if (header->argument_count > PLAN_ARGUMENTS_MAX)
        return bad(err, "too many arguments");
    if (header->env_count > PLAN_ENV_MAX)
        return bad(err, "too many environment variables");
    return 0;
}

static int check_shape(const struct plan_header *header, size_t size, struct error *err)
{
    uint64_t sum;
    int r;

    if (size < sizeof(*header) || header->magic != PLAN_MAGIC)
        return bad(err, "not a plan");
    if (header->version != PLAN_VERSION)
        return bad(err, "of another version: hoist-init and its starter are not from one build");
    r = check_counts(header, err);
    if (r < 0)
        return r;
    sum = sizeof(*header) + header->step_count * sizeof(struct plan_step_record) +
          header->rlimit_count * sizeof(struct plan_rlimit_record) +
          header->filter_count * sizeof(struct sock_filter) + (uint64_t)header->argument_bytes +
          header->env_bytes + header->string_bytes;
    if (size > PLAN_SIZE_MAX || header->size != size || sum != size || header->zero != 0)
        return bad(err, "its sizes don't add up");
    return 0;
}

static int check_ids(const struct plan_header *header, struct error *err)
{
    const uint32_t none = UINT32_MAX; /* (uid_t)-1 means "unchanged" to setresuid(2) */

    if (header->agent_uid == none || header->agent_gid == none || header->job_uid == none ||
        header->job_gid == none)
        return bad(err, "an id is -1");
    if (header->flags & PLAN_ROOTLESS)
        return 0;
    if (header->job_uid == 0 || header->job_gid == 0)
        return bad(err, "the command would be root");
    if (header->job_uid == header->agent_uid)
        return bad(err, "the command would have hoist-init's uid");
    return 0;
}

static int check_settings(const struct plan_header *header, struct error *err)
{
    if (header->flags & ~(uint32_t)_PLAN_FLAGS_ALL)
        return bad(err, "unknown flags");
    if (header->flags & PLAN_MAKES_ROOT) {
        if (header->flags != PLAN_MAKES_ROOT || header->fd_count + header->argument_count > 0)
            return bad(err, "a job where a root is made for many");
        return 0;
    }
    if (header->stop_signal < 1 || header->stop_signal > SIGNAL_MAX)
        return bad(err, "the stop signal is none");
    if (header->fd_count > PLAN_FDS_MAX)
        return bad(err, "too many descriptors");
    if (header->umask > 0777)
        return bad(err, "the umask is none");
    if (header->output_stop > 1 || header->output_read_buffer > OUTPUT_READ_BUFFER_MAX)
        return bad(err, "the rules of output are none");
    return check_ids(header, err);
}

/* Exactly `count` strings, each ending with NUL, in exactly `size` bytes. */
static int check_strings(const char *strings, uint32_t size, uint32_t count, struct error *err)
{
    uint32_t found = 0;

    if (size > 0 && strings[size - 1] != '\0')
        return bad(err, "a string has no end");
    for (uint32_t at = 0; at < size; at += (uint32_t)strlen(strings + at) + 1)
        found++;
    if (found != count)
        return bad(err, "the count of strings is wrong");
    return 0;
}

/* Where the parts are, from the counts of a header whose shape was checked. */
static const char *locate_parts(const struct plan_header *header, struct plan *plan)
{
    const uint8_t *at = (const uint8_t *)header + sizeof(*header);

    plan->steps = at;
    at += header->step_count * sizeof(struct plan_step_record);
    plan->rlimits = at;
    at += header->rlimit_count * sizeof(struct plan_rlimit_record);
    if (header->filter_count > 0)
        plan->filter = (const void *)at;
    at += header->filter_count * sizeof(struct sock_filter);
    plan->arguments = (const char *)at;
    at += header->argument_bytes;
    plan->env = (const char *)at;
    at += header->env_bytes;
    return (const char *)at;
}

static int check_texts(const struct plan_header *header, const struct plan *plan,
                       const char *strings, struct error *err)
{
    int r = check_strings(plan->arguments, header->argument_bytes, header->argument_count, err);

    if (r < 0)
        return r;
    r = check_strings(plan->env, header->env_bytes, header->env_count, err);
    if (r < 0)
        return r;
    if (header->string_bytes == 0 || strings[0] != '\0' ||
        strings[header->string_bytes - 1] != '\0')
        return bad(err, "a string has no end");
    if (header->cwd >= header->string_bytes || strings[header->cwd] != '/')
        return bad(err, "the working directory is no absolute path");
    return 0;
}

static int bad_step(struct error *err, const struct plan_step_record *step, const char *what)
{
    return error_set(err, -EPROTO, "plan: step \"%s\": %s", op_table[step->op].name, what);
}

static int check_step_values(const struct plan_header *header, const struct plan_step_record *step,
                             struct error *err)
{
    uint32_t last_fd = PLAN_FD_FIRST + header->fd_count - 1;

    if (step->op >= _PLAN_OP_MAX)
        return bad(err, "an unknown step");
    if (step->flags & ~op_table[step->op].flags)
        return bad_step(err, step, "a flag that it doesn't know");
    if (step->source >= header->string_bytes || step->target >= header->string_bytes ||
        step->options >= header->string_bytes)
        return bad_step(err, step, "a text outside the plan");
    if (step->fd != PLAN_STEP_NO_FD && (step->fd < PLAN_FD_FIRST || step->fd > last_fd))
        return bad_step(err, step, "a descriptor that was not given");
    if (step->attributes & ~(uint64_t)ATTRIBUTES_ALL)
        return bad_step(err, step, "unknown mount attributes");
    if (step->mode > 07777 || step->zero != 0)
        return bad_step(err, step, "a mode that is none");
    return 0;
}

static int check_step_texts(const struct plan_step_record *step, const char *strings,
                            struct error *err)
{
    unsigned needs = op_table[step->op].needs;
    bool by_fd = step->fd != PLAN_STEP_NO_FD;

    if (by_fd && !(needs & MAY_FD))
        return bad_step(err, step, "it takes no descriptor");
    if ((needs & NEED_SOURCE) && strings[step->source] == '\0')
        return bad_step(err, step, "it needs a source");
    if ((needs & NEED_SOURCE_PATH) && !by_fd && strings[step->source] != '/')
        return bad_step(err, step, "its source is no absolute path");
    if ((needs & NEED_TARGET) && strings[step->target] != '/')
        return bad_step(err, step, "its target is no absolute path");
    return 0;
}

/* What can be at its place in the list: nothing is mounted before there is a new root of our own.
 */
struct progress {
    bool has_root, is_ready, has_pivoted;
};

static int check_step_order(const struct plan_step_record *step, struct progress *progress,
                            struct error *err)
{
    unsigned needs = op_table[step->op].needs;
    bool by_path = (needs & NEED_SOURCE_PATH) && step->fd == PLAN_STEP_NO_FD;

    if ((needs & MAKES_ROOT) && progress->has_root)
        return bad_step(err, step, "there is a new root already");
    if ((needs & (NEED_TARGET | NEED_ROOT)) && !progress->has_root)
        return bad_step(err, step, "there is no new root yet");
    if ((by_path || (needs & NEED_ROOT)) && progress->has_pivoted)
        return bad_step(err, step, "it can't come after the pivot");
    if ((by_path || step->op == PLAN_PIVOT) && progress->is_ready)
        return bad_step(err, step, "nothing of the host is left in a root that was ready");
    progress->has_root |= (needs & MAKES_ROOT) != 0;
    progress->is_ready |= step->op == PLAN_ROOT_READY;
    progress->has_pivoted |= step->op == PLAN_PIVOT;
    return 0;
}

static int check_steps(const struct plan_header *header, const struct plan *plan,
                       const char *strings, struct error *err)
{
    const struct plan_step_record *steps = plan->steps;
    struct progress progress = {false, false, false};

    for (uint32_t i = 0; i < header->step_count; i++) {
        int r = check_step_values(header, &steps[i], err);

        if (r >= 0)
            r = check_step_texts(&steps[i], strings, err);
        if (r >= 0)
            r = check_step_order(&steps[i], &progress, err);
        if (r < 0)
            return r;
    }
    if (progress.has_root && !progress.is_ready && !progress.has_pivoted)
        return bad(err, "it makes a new root and never goes there");
    return 0;
}

static int check_rlimits(const struct plan *plan, uint32_t count, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        struct plan_rlimit limit = plan_rlimit_at(plan, i);

        if (limit.resource >= PLAN_RLIMITS_MAX || limit.soft > limit.hard)
            return bad(err, "a resource limit that is none");
    }
    return 0;
}

static void copy_settings(const struct plan_header *header, struct plan *plan)
{
    plan->settings = (struct plan_settings){
        .flags = header->flags,
        .agent_uid = header->agent_uid,
        .agent_gid = header->agent_gid,
        .job_uid = header->job_uid,
        .job_gid = header->job_gid,
        .stop_signal = header->stop_signal,
        .cpu_time = header->cpu_time,
        .fd_count = header->fd_count,
        .grace = header->grace,
        .timeout = header->timeout,
        .adopt_wait = header->adopt_wait,
        .output.rate = header->output_rate,
        .output.cap = header->output_cap,
        .output.head = header->output_head,
        .output.read_buffer = header->output_read_buffer,
        .output.stop_at_cap = header->output_stop != 0,
        .umask = header->umask,
    };
    memcpy(plan->settings.id.bytes, header->id, ID_SIZE);
    plan->argument_count = header->argument_count;
    plan->env_count = header->env_count;
    plan->step_count = header->step_count;
    plan->rlimit_count = header->rlimit_count;
    plan->filter_count = header->filter_count;
}

int plan_read(const void *data, size_t size, struct plan *ret, struct error *err)
{
    const struct plan_header *header = data;
    struct plan plan = {0};
    const char *strings;
    int r = check_shape(header, size, err);

    if (r < 0)
        return r;
    copy_settings(header, &plan);
    strings = locate_parts(header, &plan);
    r = check_settings(header, err);
    if (r >= 0)
        r = check_texts(header, &plan, strings, err);
    if (r >= 0)
        r = check_steps(header, &plan, strings, err);
    if (r >= 0)
        r = check_rlimits(&plan, header->rlimit_count, err);
    if (r < 0)
        return r;
    plan.strings = strings;
    plan.cwd = strings + header->cwd;
    *ret = plan;
    return 0;
}

struct plan_step plan_step_at(const struct plan *plan, uint32_t i)
{
    const struct plan_step_record *record = (const struct plan_step_record *)plan->steps + i;

    return (struct plan_step){
        .op = (enum plan_op)record->op,
        .flags = record->flags,
        .source = plan->strings + record->source,
        .target = plan->strings + record->target,
        .options = plan->strings + record->options,
        .fd = (int)record->fd,
        .attributes = record->attributes,
        .mode = (mode_t)record->mode,
        .uid = record->uid,
        .gid = record->gid,
        .major = record->major,
        .minor = record->minor,
    };
}

struct plan_rlimit plan_rlimit_at(const struct plan *plan, uint32_t i)
{
    const struct plan_rlimit_record *record = (const struct plan_rlimit_record *)plan->rlimits + i;

    return (struct plan_rlimit){record->resource, record->soft, record->hard};
}

void plan_list_strings(const char *strings, uint32_t count, char **list)
{
    for (uint32_t i = 0; i < count; i++) {
        list[i] = (char *)strings; /* execve(2) takes what it never changes without const */
        strings += strlen(strings) + 1;
    }
    list[count] = NULL;
}
