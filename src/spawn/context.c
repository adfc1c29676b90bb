/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/context.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-view.h"
#include "linux/open-places.h"
#include "linux/privileges.h"
#include "linux/sealed-memfd.h"
#include "spawn/context-profile.h"
#include "spawn/disk-limits.h"
#include "spawn/job-limits.h"
#include "spawn/profile.h"
#include "spawn/ready-root.h"
#include "spawn/reserves.h"
#include "spawn/root-limits.h"
#include "spawn/spawn.h"

#define ROOT_DEFAULT "hoist"

bool spawn_context_is_rootless(const struct spawn_context *context)
{
    return context->rootless;
}

const char *spawn_context_cgroup_root(const struct spawn_context *context)
{
    return context->root ? context->root : "";
}

int spawn_context_cgroups(const struct spawn_context *context)
{
    return context->root_fd;
}

uint64_t spawn_context_cgroups_made(const struct spawn_context *context)
{
    return context->root_made;
}

int spawn_context_show_cgroups(const struct spawn_context *context, struct error *err)
{
    if (context->root_fd < 0)
        return error_set(err, -EOPNOTSUPP, "jobs have no cgroups here");
    return cgroup_view_open(&context->tree, context->root, err);
}

struct spawn_room spawn_context_room(const struct spawn_context *context)
{
    return context->room;
}

uint32_t spawn_context_enforceable(const struct spawn_context *context)
{
    return context->enforceable;
}

const char *spawn_context_unlimited_place(const struct spawn_context *context)
{
    char *const *unreachable = context->profiles[0].disks.unreachable;

    return unreachable ? unreachable[0] : NULL;
}

char *const *spawn_context_degradations(const struct spawn_context *context)
{
    static char *const none[] = {NULL};

    return context->degradations ? context->degradations : none;
}

void spawn_context_set_lifeline(struct spawn_context *context, int fd)
{
    context->lifeline = fd;
}

struct pollfd spawn_context_waits(const struct spawn_context *context)
{
    return ready_root_waits(&context->ready_root);
}

void spawn_context_settle(struct spawn_context *context)
{
    ready_root_settle(&context->ready_root);
}

bool spawn_context_reaped(struct spawn_context *context, pid_t pid)
{
    return ready_root_reaped(&context->ready_root, pid);
}

int spawn_context_failure(struct spawn_context *context, struct error *ret)
{
    int code = context->ready_root.failure.code;

    if (code < 0)
        *ret = context->ready_root.failure;
    context->ready_root.failure.code = 0;
    return code;
}

/* --- the cgroup root ----------------------------------------------------------------------------
 */

/* Our own cgroup, or the one above if we have stepped aside in it before (an exec of ourselves). */
static size_t own_size(const char *own)
{
    const char *leaf = strrchr(own, '/');

    leaf = leaf ? leaf + 1 : own;
    if (!text_equal(leaf, AGENT_LEAF))
        return strlen(own);
    return leaf == own ? 0 : (size_t)(leaf - own) - 1;
}

/* See spawn_options.cgroup_root for what is relative to what. NULL: no memory. */
static char *root_path(const struct cgroup_tree *tree, const char *name)
{
    size_t size = own_size(tree->own);
    _cleanup_free_ char *own = strndup(tree->own, size);
    _cleanup_close_ int fd = FD_NONE;

    if (!own)
        return NULL;
    if (name[0] == '/')
        return strdup(name + 1);
    fd = cgroup_open(tree->fd, own, NULL);
    if (size == 0 || fd < 0 || !cgroup_is_delegated(fd))
        return strdup(name);
    return text_format("%s/%s", own, name);
}

static bool root_name_is_valid(const char *name)
{
    name += name[0] == '/';
    if (name[0] == '\0' || name[0] == '/' || name[strlen(name) - 1] == '/')
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '/' || part[0] == '.')
            return false;
    }
    return true;
}

/* Nothing of it is bounded by this. */
static int root_make(struct spawn_context *context, struct error *err)
{
    int fd = cgroup_make(context->tree.fd, context->root, NULL, err);

    if (fd < 0)
        return fd;
    fd_close(context->root_fd);
    context->root_fd = fd;
    context->root_made++;
    return cgroup_tree_enable(&context->tree, context->root, CGROUP_CONTROLLERS_ALL, AGENT_LEAF,
                              &context->controllers, err);
}

int context_make_root(struct spawn_context *context, struct error *err)
{
    int r = root_make(context, err);

    return r < 0 ? r : root_limits_apply(context, err);
}

static int root_open(struct spawn_context *context, const char *name,
                     const struct spawn_context *predecessor, struct error *err)
{
    int r;

    r = cgroup_tree_open(&context->tree, err);
    if (r < 0)
        return r;
    context->root = root_path(&context->tree, name);
    if (!context->root)
        return error_set(err, -ENOMEM, "no memory for a path");
    if (strlen(context->root) > SPAWN_ROOT_MAX)
        return error_set(err, -ENAMETOOLONG,
                         "the jobs' cgroup root %s has a path of more than %d bytes", context->root,
                         SPAWN_ROOT_MAX);
    r = root_make(context, err);
    return r < 0 || predecessor ? r : root_limits_unbound_jobs(context, err);
}

/* Jobs go without cgroups: only an ordinary user may need to. */
static void root_give_up(struct spawn_context *context)
{
    context->root_fd = fd_close(context->root_fd);
    context->root = (free(context->root), NULL);
    context->controllers = 0;
}

/* --- what is missing ----------------------------------------------------------------------------
 */

static int add_lack(struct spawn_context *context, char *sentence)
{
    int r = sentence ? strv_append(&context->lacks, sentence) : -ENOMEM;

    free(sentence);
    return r;
}

static int add_missing_controllers(struct spawn_context *context)
{
    uint32_t missing = CGROUP_CONTROLLERS_ALL & ~context->controllers;
    char names[64] = "";
    size_t used = 0;

    if (!missing || context->root_fd < 0)
        return 0;
    for (uint32_t bit = 1; bit <= missing; bit <<= 1)
        if (missing & bit)
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
                                     cgroup_controller_name(bit));
    return add_lack(context,
                    text_format("limits of the cgroup controllers %s can't be enforced: %s", names,
                                context->tree.hybrid
                                    ? "cgroup v1 holds them; boot with "
                                      "systemd.unified_cgroup_hierarchy=1"
                                    : "they are not available below the jobs' cgroup root"));
}

/* Of a profile what it shows besides. */
static int add_unreachable_disks(const struct spawn_context *context, char ***list)
{
    const struct disk_set *always = &context->profiles[0].disks;
    int r = 0;

    for (size_t i = 0; i < context->profile_count; i++) {
        const struct context_profile *profile = &context->profiles[i];

        for (char **path = profile->disks.unreachable; r >= 0 && path && *path; path++) {
            _cleanup_free_ char *sentence = NULL;

            if (i > 0 && strv_has((const char *const *)always->unreachable, *path))
                continue;
            sentence = text_format(
                "limits of disk input and output are not enforceable here: %s%s%s", *path,
                i == 0 ? "" : ", which is seen in the profile ", profile->given->name);
            r = sentence ? strv_append(list, sentence) : -ENOMEM;
        }
    }
    return r;
}

static bool lists_are_equal(char *const *a, char *const *b)
{
    for (; a && *a && b && *b; a++, b++)
        if (!text_equal(*a, *b))
            return false;
    return !(a && *a) && !(b && *b);
}

/* 1: they are others than before. */
static int degradations_renew(struct spawn_context *context)
{
    _cleanup_strv_ char **list = NULL;
    int r = 0;

    for (char **lack = context->lacks; r >= 0 && lack && *lack; lack++)
        r = strv_append(&list, *lack);
    if (r >= 0)
        r = add_unreachable_disks(context, &list);
    if (r < 0 || lists_are_equal(list, context->degradations))
        return r;
    strv_free(context->degradations);
    context->degradations = TAKE_PTR(list);
    return 1;
}

struct pollfd spawn_context_mounts(const struct spawn_context *context)
{
    return mount_watch_waits(&context->mounts);
}

int spawn_context_heed_mounts(struct spawn_context *context, struct error *err)
{
    int r;

    ready_root_heed_mounts(context);
    r = disk_limits_refresh(context, err);
    if (r < 0)
        return r;
    r = degradations_renew(context);
    return r < 0 ? error_set(err, r, "no memory for the list of degradations") : r;
}

/* What jobs can use of the host although they see it read-only only (linux/open-places.h). */
struct open_finding {
    const struct host_view *view;
    size_t count;
    char first[256];
};

static bool place_is_hidden(const char *path, void *data)
{
    const struct open_finding *finding = data;

    return !host_view_shows(finding->view, path);
}

static void note_place(const char *path, void *data)
{
    struct open_finding *finding = data;

    if (finding->count++ == 0)
        snprintf(finding->first, sizeof(finding->first), "%s", path);
}

static int add_open_places(struct spawn_context *context)
{
    struct open_finding finding = {.view = &context->profiles[0].view};
    const struct open_places places = {place_is_hidden, note_place, &finding};

    if (open_places_bound(&places) < 0 || finding.count == 0)
        return 0;
    return add_lack(context,
                    text_format("jobs can use %zu unix sockets of the host, the first is %s: hide "
                                "them (launcher.conf: hide)",
                                finding.count, finding.first));
}

static int find_lacks(struct spawn_context *context, const struct error *no_root)
{
    char told[LIMIT_DETAIL_MAX] = "its cgroup can't be opened";
    int r = 0;

    if (context->rootless)
        r = add_lack(context, text_format("not started as root: jobs run as user %u in a user "
                                          "namespace",
                                          (unsigned)geteuid()));
    if (r >= 0 && context->root_fd < 0)
        r = add_lack(context, text_format("jobs have no cgroups, so no limits, usage or kill by "
                                          "cgroup: %s",
                                          no_root->text));
    if (r >= 0)
        r = add_missing_controllers(context);
    if (r >= 0)
        r = add_open_places(context);
    if (r >= 0 && root_protect_agent(context, told, sizeof(told)) < 0)
        r = add_lack(context, text_format("the agent's own memory is not protected: %s", told));
    if (r >= 0 && !context->rootless && !capability_is_effective(CAP_SYS_RESOURCE))
        r = add_lack(context, strdup("CAP_SYS_RESOURCE is missing: rlimits can't be raised, nor "
                                     "oom_score_adj lowered"));
    return r;
}

/* --- the rest -----------------------------------------------------------------------------------
 */

/* How far an rlimit can go: the hard limit, unless we may raise it. */
static uint64_t rlimit_largest(int resource)
{
    struct rlimit limit = {0};

    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return 0;
    if (limit.rlim_max == RLIM_INFINITY || capability_is_effective(CAP_SYS_RESOURCE))
        return UINT64_MAX;
    return limit.rlim_max;
}

static int options_check(const struct spawn_options *options, bool rootless, struct error *err)
{
    if (text_is_empty(options->init_path) || options->init_path[0] != '/')
        return error_set(err, -EINVAL, "hoist-init is not given by an absolute path");
    if (options->cgroup_root && !root_name_is_valid(options->cgroup_root))
        return error_set(err, -EINVAL, "\"%s\" can't be the jobs' cgroup root",
                         options->cgroup_root);
    if (rootless)
        return 0;
    if (options->job_uid_min == 0 || options->job_uid_min > options->job_uid_max)
        return error_set(err, -EINVAL, "%u to %u is no range of uids for jobs",
                         (unsigned)options->job_uid_min, (unsigned)options->job_uid_max);
    if (options->agent_uid == 0)
        return error_set(err, -EINVAL, "hoist-init may not stay root: the agent needs a uid");
    return 0;
}

static int context_fill_images(struct spawn_context *context, const struct spawn_options *options,
                               struct error *err)
{
    int r;

    if (options->predecessor) {
        context->program = fd_duplicate(options->predecessor->program);
        if (context->program < 0)
            return error_set(err, context->program, "can't keep hoist-init: %s",
                             strerror(-context->program));
    } else {
        context->program = memfd_program(options->init_path, err);
        if (context->program < 0)
            return context->program;
    }
    context->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (context->null < 0)
        return error_set(err, -errno, "can't open /dev/null: %s", strerror(errno));
    r = syscall_filter_compile(profile_default.calls, &context->filter, err);
    return r < 0 ? r : context_profiles_make(context, options, err);
}

/* A root that is full has no place for the cgroup in which it is found out. */
static int find_enforceable(struct spawn_context *context, const struct spawn_context *predecessor,
                            struct error *err)
{
    int r = job_limits_probe(context, &context->enforceable, err);

    if (r != -EAGAIN || !predecessor)
        return r;
    context->enforceable = predecessor->enforceable;
    return 0;
}

static int context_fill_limits(struct spawn_context *context, const struct spawn_options *options,
                               struct error *err)
{
    const char *root = options->cgroup_root ? options->cgroup_root : ROOT_DEFAULT;
    struct error no_root = {0};
    int r;

    r = root_open(context, root, options->predecessor, &no_root);
    if (r < 0 && !context->rootless) {
        if (err)
            *err = no_root;
        return r;
    }
    if (r < 0)
        root_give_up(context);
    context->room = root_limits_room(context);
    context->keeps = reserves_found(context);
    r = disk_limits_refresh(context, err);
    if (r < 0)
        return r;
    r = find_enforceable(context, options->predecessor, err);
    if (r < 0)
        return r;
    context->open_files = rlimit_largest(RLIMIT_NOFILE);
    context->core_size = rlimit_largest(RLIMIT_CORE);
    r = find_lacks(context, &no_root);
    if (r >= 0)
        r = degradations_renew(context);
    return r < 0 ? error_set(err, r, "no memory for the list of degradations") : 0;
}

/* Last of all, when nothing else can fail: the predecessor's jobs and its next ones feel it. */
static int bound_root(const struct spawn_context *context, const struct spawn_context *predecessor,
                      struct error *err)
{
    int r = context->root_fd < 0 ? 0 : root_limits_apply(context, err);

    if (r < 0 && predecessor && predecessor->root_fd >= 0)
        (void)root_limits_apply(predecessor, NULL); /* what of it can be taken back */
    return r;
}

static bool is_same_file(int fd, int other)
{
    struct stat one, two;

    return fd >= 0 && other >= 0 && fstat(fd, &one) == 0 && fstat(other, &two) == 0 &&
           one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* Who was shown the root of the predecessor is to know whether it is still the same one. */
static void count_roots(struct spawn_context *context, const struct spawn_context *predecessor)
{
    if (predecessor)
        context->root_made =
            predecessor->root_made + !is_same_file(context->root_fd, predecessor->root_fd);
}

struct spawn_context *spawn_context_free(struct spawn_context *context)
{
    if (!context)
        return NULL;
    if (context->root_fd >= 0)
        (void)cgroup_remove_empty(context->tree.fd, context->root); /* -EBUSY: jobs run on */
    fd_close(context->root_fd);
    free(context->root);
    cgroup_tree_done(&context->tree);
    fd_close(context->sysfs_fd);
    ready_root_done(&context->ready_root);
    mount_watch_close(&context->mounts);
    context_profiles_done(context);
    syscall_filter_done(&context->filter);
    fd_close(context->program);
    fd_close(context->null);
    strv_free(context->lacks);
    strv_free(context->degradations);
    free(context);
    return NULL;
}

struct spawn_context *spawn_context_retire(struct spawn_context *context)
{
    context->root_fd = fd_close(context->root_fd);
    return spawn_context_free(context);
}

int spawn_context_new(const struct spawn_options *options, struct spawn_context **ret,
                      struct error *err)
{
    _cleanup_spawn_context_ struct spawn_context *context = malloc(sizeof(*context));
    bool rootless = geteuid() != 0;
    int r;

    if (!context)
        return error_set(err, -ENOMEM, "no memory for starting jobs");
    *context = (struct spawn_context){
        .rootless = rootless,
        .agent_uid = options->agent_uid,
        .agent_gid = options->agent_gid,
        .jobs_max = options->jobs_max,
        .reserve_memory = options->reserve_memory,
        .reserve_pids = options->reserve_pids,
        .job_uid_min = options->job_uid_min,
        .job_uid_max = options->job_uid_max,
        .tree = CGROUP_TREE_NULL,
        .root_fd = FD_NONE,
        .sysfs_fd = FD_NONE,
        .mounts = MOUNT_WATCH_NULL,
        .ready_root = READY_ROOT_NULL,
        .program = FD_NONE,
        .null = FD_NONE,
        .lifeline = FD_NONE,
    };
    r = options_check(options, rootless, err);
    if (r >= 0)
        r = mount_watch_open(&context->mounts, err);
    if (r >= 0)
        r = context_fill_images(context, options, err);
    if (r >= 0)
        r = context_fill_limits(context, options, err);
    if (r >= 0)
        r = bound_root(context, options->predecessor, err);
    if (r < 0) {
        if (options->predecessor)
            context = spawn_context_retire(context);
        return r;
    }
    count_roots(context, options->predecessor);
    ready_root_init(context, options->root_ahead);
    *ret = TAKE_PTR(context);
    return 0;
}
