/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/id.h"
#include "wire/output-rules.h"

struct error;

/*
 * The plan: everything that hoist-init does, as data.
 *
 * src/spawn compiles it (struct plan_builder) into a sealed memfd; hoist-init maps it, checks all
 * of it once (plan_read) and executes it without parsing anything that a client wrote: a list of
 * steps in order (namespaces, mounts), then the command with its ids, rlimits and seccomp program,
 * then the rules of output, stop and timeout. The form is flat: a header, fixed-size records,
 * strings that end with NUL; every offset, length and count is checked before the first step runs.
 * It never leaves the host and both sides come from one build, so numbers are in the machine's byte
 * order and another version is refused.
 *
 * What hoist-init is given at its start
 * -------------------------------------
 * It is PID 1 of a new PID namespace, in new mount, IPC, UTS and (unless the host's is used)
 * network namespaces, with uid 0 and all capabilities of its user namespace. Rootless: the
 * spawner's child is made with CLONE_NEWUSER and writes its own setgroups, uid_map ("0 UID 1") and
 * gid_map *before* it executes hoist-init, since an exec as an unmapped uid would lose the
 * capabilities; `agent_uid` and `job_uid` of the plan are then 0 and PLAN_ROOTLESS is set.
 * Descriptors stand at fixed numbers:
 */
enum plan_fd {
    PLAN_FD_PLAN = 3, /* the sealed memfd */
    PLAN_FD_DATA,     /* struct spawn_files */
    PLAN_FD_INDEX,
    PLAN_FD_STATE,
    PLAN_FD_LIFELINE, /* whose end is the agent's; only with an adopt_wait */
    PLAN_FD_CGROUP,   /* directory of cmd/, for CLONE_INTO_CGROUP; only with PLAN_HAS_CGROUP */
    PLAN_FD_FIRST,    /* struct plan_settings.fd_count descriptors for the steps */
    /* Instead of all behind PLAN_FD_PLAN where a root is made for others (below). */
    PLAN_FD_ANSWER = PLAN_FD_DATA,
};
/*
 * 0, 1 and 2 may be anything or closed; everything else is closed by hoist-init.
 *
 * A root for many jobs
 * --------------------
 * With PLAN_ARGUMENT_ROOT as its only argument, and a plan with PLAN_MAKES_ROOT, hoist-init runs no
 * command: it executes the steps, sends one packet (wire/packet.h) through PLAN_FD_ANSWER, and
 * ends. The packet is a struct error, with code 0 beside a descriptor of its mount namespace, whose
 * root is then the one that was made. A job's hoist-init that is started in a copy of this
 * namespace goes on there: its plan's first step of a root is PLAN_ROOT_READY.
 */
#define PLAN_ARGUMENT_ROOT "root"

#define PLAN_FDS_MAX       32   /* for the steps */
#define PLAN_STEPS_MAX     512  /* the default profile needs about 60 */
#define PLAN_ARGUMENTS_MAX 4096 /* argv and env together are below ARG_MAX anyway */
#define PLAN_ENV_MAX       4096
#define PLAN_RLIMITS_MAX   16        /* RLIM_NLIMITS */
#define PLAN_FILTER_MAX    4096      /* BPF_MAXINSNS */
#define PLAN_SIZE_MAX      (4 << 20) /* argv and env (at most 2 MiB: execve(2)), steps, filter */

/*
 * The steps
 * ---------
 * `target` is an absolute path inside the *new root*, looked up from its descriptor with
 * openat2(2): RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, and RESOLVE_NO_SYMLINKS unless
 * PLAN_STEP_FOLLOW; mounts are moved onto the descriptor so found, never onto a path. `source` is
 * an absolute path of the host, looked up from the process's root, so it must be used before
 * PLAN_PIVOT. `attributes` are MOUNT_ATTR_* of mount_setattr(2), set on the mount before it is
 * attached. A step that fails ends the start: SPAWN_FAILURE_ISOLATION with errno and a sentence
 * that names it.
 */
enum plan_op {
    /* All mounts MS_REC | MS_PRIVATE. First of all, so that nothing propagates to the host. */
    PLAN_PRIVATE_MOUNTS,
    /* All mounts MS_REC | MS_SLAVE: nothing propagates to the host, but what the host unmounts is
     * unmounted here, too, where its mounts are shared. Mounts that come this way have no
     * attributes of ours. */
    PLAN_SLAVE_MOUNTS,
    /* The new root is an empty tmpfs; `options`, `attributes` as for PLAN_MOUNT. */
    PLAN_ROOT_TMPFS,
    /* The new root is a recursive clone of the tree at `source` with `attributes` on every mount.
     */
    PLAN_ROOT_CLONE,
    /* The new root is there already and is the process's own: made by a plan with PLAN_MAKES_ROOT.
     * Nothing of the host is in sight, so there is no PLAN_PIVOT and no source that is a path. */
    PLAN_ROOT_READY,
    /* A new file system of type `source` ("tmpfs", "proc", "devpts", "mqueue", "sysfs") at
     * `target`; `options` are "key=value" or "key", separated by commas:
     * "size=64m,mode=1777,uid=100000". */
    PLAN_MOUNT,
    /* A clone of the tree at `source`, or of inherited descriptor `fd` (an O_PATH descriptor of the
     * place, or a detached mount of open_tree(2)), at `target`. PLAN_STEP_RECURSIVE takes submounts
     * along. */
    PLAN_BIND,
    /* The host's device node `source`, which must be a character device `major`:`minor`, at
     * `target`; the file to mount it on is made. (mknod(2) doesn't work in a user namespace.) */
    PLAN_DEVICE,
    /* mount_setattr(2) of the mount at `target`: `attributes` are set, none is cleared. */
    PLAN_ATTRIBUTES,
    /* Hides `target`: a file behind /dev/null, a directory behind an empty read-only tmpfs.
     * Before PLAN_PIVOT. */
    PLAN_MASK,
    /* mkdir(2) with exactly `mode`, whatever the umask, owner `uid`:`gid`; existing: only checked
     * to be a directory. The parent must exist. */
    PLAN_MKDIR,
    /* A symbolic link at `target` with the contents `source`. */
    PLAN_SYMLINK,
    /* The new root becomes the root and the old one is detached. Working directory: "/". */
    PLAN_PIVOT,
    /* sethostname(2) to `source`. */
    PLAN_HOSTNAME,
    /* Brings the network interface "lo" up. */
    PLAN_LOOPBACK_UP,
    /* A fresh session keyring instead of the launcher's (keyctl(2) KEYCTL_JOIN_SESSION_KEYRING).
     * PLAN_STEP_OPTIONAL: where a container forbids it, go on with none of one's own. */
    PLAN_SESSION_KEYRING,
    /* What is at `target`, with all mounts below, becomes a mount of its own with `attributes`: a
     * part of a file system that is read-only while the rest is not (/proc/sys). */
    PLAN_OWN_MOUNT,
    _PLAN_OP_MAX,
};

enum plan_step_flags {
    PLAN_STEP_OPTIONAL = 1 << 0,  /* a target or source that is not there: skip the step */
    PLAN_STEP_FOLLOW = 1 << 1,    /* symbolic links in `target` are followed inside the new root */
    PLAN_STEP_RECURSIVE = 1 << 2, /* BIND and ATTRIBUTES: and all mounts below */
    PLAN_STEP_CREATE = 1 << 3,    /* BIND and MOUNT: make `target` (a file or a directory, as the
                                     source    is) if it is missing; its parent must exist */
    _PLAN_STEP_FLAGS_ALL = (1 << 4) - 1,
};

/* One step; what an op doesn't mention is 0 or NULL. */
struct plan_step {
    enum plan_op op;
    uint32_t flags; /* enum plan_step_flags */
    const char *source;
    const char *target;
    const char *options;
    int fd;              /* PLAN_FD_FIRST + n, or PLAN_STEP_NO_FD */
    uint64_t attributes; /* MOUNT_ATTR_* */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    uint32_t major, minor;
};

#define PLAN_STEP_NO_FD 0 /* so that a designated initialiser needn't say it */

/* Name of an op for sentences: "mount", "bind". */
const char *plan_op_name(enum plan_op op);

enum plan_flags {
    PLAN_MERGED = 1 << 0,     /* stdout and stderr share one pipe, recorded as stdout */
    PLAN_ROOTLESS = 1 << 1,   /* setgroups(2) and changes of uid are not possible */
    PLAN_HAS_CGROUP = 1 << 2, /* PLAN_FD_CGROUP is there; the command is cloned into it */
    /* The command is uid 0 of a user namespace of its own, in which there is no other: job_uid
     * and job_gid are what it is outside. Not with PLAN_ROOTLESS. */
    PLAN_USER_NAMESPACE = 1 << 3,
    /* No job: steps alone, to make a root. All other settings are 0 and there is no command. */
    PLAN_MAKES_ROOT = 1 << 4,
    _PLAN_FLAGS_ALL = (1 << 5) - 1,
};

/* What is there exactly once. */
struct plan_settings {
    struct id id;    /* the job's; must be that of the state file */
    uint32_t flags;  /* enum plan_flags */
    uid_t agent_uid; /* hoist-init's after the command was started */
    gid_t agent_gid;
    /* CPU time of all in the cgroup at PLAN_FD_CGROUP, after which the job is stopped; 0: any. */
    usec_t cpu_time;
    uid_t job_uid; /* the command's; never agent_uid unless PLAN_ROOTLESS */
    gid_t job_gid;
    int stop_signal;   /* 1 … SIGRTMAX; sent at the timeout */
    uint32_t fd_count; /* descriptors for steps, from PLAN_FD_FIRST */
    usec_t grace;      /* between the stop signal and SIGKILL, at the timeout */
    usec_t timeout;    /* after the exec; 0: none */
    usec_t adopt_wait; /* from the agent's death to the stop signal, unless another agent takes its
                          place; 0: the job goes on without one */
    struct output_rules output;
    uint32_t umask; /* of the command, 0 … 0777 */
};

/* Beyond what hoist-init may set (raising needs CAP_SYS_RESOURCE) its own hard limit is used. */
struct plan_rlimit {
    uint32_t resource; /* RLIMIT_* */
    uint64_t soft;     /* UINT64_MAX: RLIM_INFINITY */
    uint64_t hard;
};

/* --- building -----------------------------------------------------------------------------------
 */

/*
 * Collects a plan. Everything given is copied. The first error is remembered and returned by
 * plan_builder_seal(), so that a profile can be written as a list of calls without a check after
 * each.
 */
struct plan_builder;

struct plan_builder *plan_builder_new(void); /* NULL: no memory */
struct plan_builder *plan_builder_free(struct plan_builder *builder);
static inline void plan_builder_freep(struct plan_builder **builder)
{
    *builder = plan_builder_free(*builder);
}
#define _cleanup_plan_builder_ _cleanup_(plan_builder_freep)

void plan_builder_set(struct plan_builder *builder, const struct plan_settings *settings);
void plan_builder_step(struct plan_builder *builder, const struct plan_step *step);
void plan_builder_rlimit(struct plan_builder *builder, uint32_t resource, uint64_t soft,
                         uint64_t hard);
void plan_builder_argument(struct plan_builder *builder, const char *argument);
void plan_builder_env(struct plan_builder *builder, const char *assignment);
/* argv and env at once; NULL-terminated. */
void plan_builder_arguments(struct plan_builder *builder, char *const *argv);
void plan_builder_environment(struct plan_builder *builder, char *const *env);
void plan_builder_cwd(struct plan_builder *builder, const char *cwd); /* absolute; not given: "/" */
void plan_builder_filter(struct plan_builder *builder, const struct sock_filter *program,
                         size_t count); /* once; none: no seccomp filter */

/*
 * The plan as bytes, checked by plan_read(). Returns 0 or the first error (-ENOMEM, -E2BIG, -EINVAL
 * with a sentence). `out` must be empty.
 */
int plan_builder_encode(const struct plan_builder *builder, struct buffer *out, struct error *err);

/* The same in a memfd sealed against every change, read offset 0; *ret_fd is the caller's. */
int plan_builder_seal(const struct plan_builder *builder, int *ret_fd, struct error *err);

/* --- reading ------------------------------------------------------------------------------------
 */

/* A checked plan; points into the caller's bytes, allocates nothing. */
struct plan {
    struct plan_settings settings;
    const char *cwd;
    const char *arguments; /* `argument_count` strings, one after the other */
    const char *env;
    uint32_t argument_count; /* at least 1, unless PLAN_MAKES_ROOT */
    uint32_t env_count;
    uint32_t step_count;
    uint32_t rlimit_count;
    uint32_t filter_count;
    const struct sock_filter *filter; /* NULL: none */
    const void *steps;                /* see plan_step_at() */
    const void *rlimits;              /* see plan_rlimit_at() */
    const char *strings;              /* of the steps */
};

/*
 * Checks all of `data` (8-byte aligned, must stay valid and unchanged while *ret is used). -EPROTO
 * with a sentence for anything that is not exactly what a builder of this version makes.
 */
int plan_read(const void *data, size_t size, struct plan *ret, struct error *err);

/* Step `i` < step_count; its texts are "" where none was given. */
struct plan_step plan_step_at(const struct plan *plan, uint32_t i);
struct plan_rlimit plan_rlimit_at(const struct plan *plan, uint32_t i);

/* Fills `list` with pointers to `count` consecutive strings and a NULL: room for count + 1. */
void plan_list_strings(const char *strings, uint32_t count, char **list);
