/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn/ready-root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/clone.h"
#include "linux/privileges.h"
#include "spawn/context.h"
#include "spawn/profile-steps.h"
#include "spawn/profile.h"
#include "spawn/spawn.h"
#include "wire/packet.h"
#include "wire/plan.h"

#define LIST_MAX        (64u << 10) /* of "/": about 25 names; with more it isn't made ahead */
#define INITIAL_USER_NS 0xEFFFFFFDu /* its inode: linux/proc_ns.h, PROC_USER_INIT_INO */

/* --- has the host changed? ------------------------------------------------------------------- */

/*
 * Names, inodes and types in "/" as the directory itself has them: what is mounted there isn't
 * looked at, so that this can't hang. An inode that the root shows can't be another one's
 * meanwhile, for the root's mount holds it.
 */
static int list_read(struct buffer *ret)
{
    _cleanup_closedir_ DIR *directory = opendir("/");
    const struct dirent *entry;
    int r = 0;

    if (!directory)
        return -errno;
    ret->limit = LIST_MAX;
    while (r >= 0 && (entry = readdir(directory))) {
        r = buffer_append(ret, &entry->d_ino, sizeof(entry->d_ino));
        if (r >= 0)
            r = buffer_append(ret, &entry->d_type, sizeof(entry->d_type));
        if (r >= 0)
            r = buffer_append(ret, entry->d_name, strlen(entry->d_name) + 1);
    }
    return r;
}

static bool list_changed(const struct buffer *list)
{
    _cleanup_buffer_ struct buffer now = {.limit = 0};

    return list_read(&now) < 0 || buffer_size(&now) != buffer_size(list) ||
           memcmp(buffer_bytes(&now), buffer_bytes(list), buffer_size(list)) != 0;
}

/* --- giving up -------------------------------------------------------------------------------- */

/* A maker that is still at it is reaped as every child is; nobody waits for it. */
static void give_up(struct ready_root *root)
{
    if (root->maker_fd >= 0)
        (void)syscall(SYS_pidfd_send_signal, root->maker_fd, SIGKILL, NULL, 0);
    root->maker_fd = fd_close(root->maker_fd);
    root->answer_fd = fd_close(root->answer_fd);
    root->namespace_fd = fd_close(root->namespace_fd);
    buffer_done(&root->list);
    root->state = READY_ROOT_NONE;
}

static void fail(struct ready_root *root)
{
    give_up(root);
    root->state = READY_ROOT_FAILED;
}

/* --- making ----------------------------------------------------------------------------------- */

static int plan_make(const struct spawn_context *context, struct error *err)
{
    const struct profile *profile = &profile_default;
    const struct profile_sources from = {context, profile, &context->profiles[0], NULL};
    _cleanup_plan_builder_ struct plan_builder *plan = plan_builder_new();
    int fd = FD_NONE, r;

    if (!plan)
        return error_set(err, -ENOMEM, "no memory for a plan");
    plan_builder_set(plan, &(struct plan_settings){.flags = PLAN_MAKES_ROOT});
    profile_steps_add(plan, &profile->root, &from);
    profile_steps_add(plan, &profile->leave, &from);
    r = plan_builder_seal(plan, &fd, err);
    return r < 0 ? r : fd;
}

static int maker_start(const struct spawn_context *context, int plan_fd, int answer_fd,
                       pid_t *ret_pid, int *ret_pidfd, struct error *err)
{
    char *argv[] = {(char[]){"hoist-init"}, (char[]){PLAN_ARGUMENT_ROOT}, NULL};
    char *env[] = {NULL};
    const int fds[] = {
        [0] = context->null,      [1] = context->null,          [2] = context->null,
        [PLAN_FD_PLAN] = plan_fd, [PLAN_FD_ANSWER] = answer_fd,
    };
    const struct clone_request request = {
        .namespaces = CLONE_NEWNS | CLONE_NEWPID,
        .cgroup = FD_NONE,
        .program = context->program,
        .argv = argv,
        .env = env,
        .fds = fds,
        .fd_count = ARRAY_SIZE(fds),
    };

    return clone_execute(&request, ret_pid, ret_pidfd, err);
}

/* From the two questions on, every change is told by one of them. */
static int begin(struct spawn_context *context, struct error *err)
{
    struct ready_root *root = &context->ready_root;
    _cleanup_close_ int plan_fd = FD_NONE, theirs = FD_NONE;
    int ends[2], r;

    root->mounts = mount_watch_changes(&context->mounts);
    r = list_read(&root->list);
    if (r < 0)
        return error_set(err, r, "can't list \"/\": %s", strerror(-r));
    plan_fd = plan_make(context, err);
    r = plan_fd < 0 ? plan_fd : packet_pair(sizeof(struct error), ends, err);
    if (r < 0)
        return r;
    root->answer_fd = ends[0];
    theirs = ends[1];
    return maker_start(context, plan_fd, theirs, &root->maker, &root->maker_fd, err);
}

static void make(struct spawn_context *context)
{
    struct ready_root *root = &context->ready_root;

    if (begin(context, &root->failure) < 0)
        fail(root);
    else
        root->state = READY_ROOT_MAKING;
}

/* What the maker has said, if it has. */
static void answer_take(struct ready_root *root)
{
    _cleanup_packet_fds_ struct packet_fds fds = PACKET_FDS_NULL;
    struct error answer = {.code = 0};
    ssize_t size;

    root->failure.code = 0;
    size = packet_receive(root->answer_fd, &answer, sizeof(answer), &fds, &root->failure);
    if (size == -EAGAIN) {
        root->failure.code = 0;
        return;
    }
    if (size == sizeof(answer) && answer.code < 0)
        root->failure = answer;
    else if (size >= 0 && (size != sizeof(answer) || fds.count != 1))
        error_set(&root->failure, -EPROTO, "hoist-init has ended without an answer");
    if (root->failure.code < 0) {
        fail(root);
        return;
    }
    root->namespace_fd = TAKE_FD(fds.fd[0]);
    root->answer_fd = fd_close(root->answer_fd);
    root->maker_fd = fd_close(root->maker_fd);
    root->state = READY_ROOT_THERE;
}

/* --- the life of one -------------------------------------------------------------------------- */

/*
 * In a user namespace of a container's a job could mount /proc and /sys only where the host's are
 * in sight (user_namespaces(7)), which in this root they aren't.
 */
static bool is_possible(const struct spawn_context *context)
{
    struct stat status;

    return !context->rootless && capability_is_effective(CAP_SYS_ADMIN) &&
           capability_is_effective(CAP_SYS_CHROOT) && stat("/proc/self/ns/user", &status) == 0 &&
           status.st_ino == INITIAL_USER_NS;
}

void ready_root_init(struct spawn_context *context, bool wanted)
{
    struct ready_root *root = &context->ready_root;

    if (!wanted || !is_possible(context))
        return;
    root->wanted = true;
    make(context);
}

void ready_root_done(struct ready_root *root)
{
    give_up(root);
}

void ready_root_heed_mounts(struct spawn_context *context)
{
    struct ready_root *root = &context->ready_root;
    uint64_t mounts = mount_watch_changes(&context->mounts);

    if (!root->wanted || root->mounts == mounts)
        return;
    root->mounts = mounts;
    give_up(root);
    root->unsettled = true;
}

static void heed_list(struct ready_root *root)
{
    if (root->state != READY_ROOT_MAKING && root->state != READY_ROOT_THERE)
        return;
    if (!list_changed(&root->list))
        return;
    give_up(root);
    root->unsettled = true;
}

static bool is_for(const struct context_profile *used)
{
    return !used->given->rootfs && used->given->bind_count == 0;
}

int ready_root_use(struct spawn_context *context, const struct context_profile *used)
{
    struct ready_root *root = &context->ready_root;

    if (!root->wanted)
        return FD_NONE;
    ready_root_heed_mounts(context);
    heed_list(root);
    if (root->state == READY_ROOT_MAKING)
        answer_take(root);
    return root->state == READY_ROOT_THERE && is_for(used) ? root->namespace_fd : FD_NONE;
}

void ready_root_renew(struct spawn_context *context)
{
    struct ready_root *root = &context->ready_root;

    if (root->wanted && root->state == READY_ROOT_NONE && !root->unsettled)
        make(context);
    root->unsettled = false;
}

struct pollfd ready_root_waits(const struct ready_root *root)
{
    return (struct pollfd){.fd = root->answer_fd, .events = POLLIN};
}

void ready_root_settle(struct ready_root *root)
{
    if (root->state == READY_ROOT_MAKING)
        answer_take(root);
}

bool ready_root_reaped(struct ready_root *root, pid_t pid)
{
    bool is_maker = pid > 0 && pid == root->maker;

    if (is_maker)
        root->maker = 0;
    return is_maker;
}
