/* SPDX-License-Identifier: Apache-2.0 */
#include "init/steps.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/fd.h"
#include "init/step.h"
#include "init/syscalls.h"

static step_fn *const step_table[] = {
    [PLAN_PRIVATE_MOUNTS] = step_private_mounts,
    [PLAN_SLAVE_MOUNTS] = step_slave_mounts,
    [PLAN_ROOT_TMPFS] = step_root_tmpfs,
    [PLAN_ROOT_CLONE] = step_root_clone,
    [PLAN_ROOT_READY] = step_root_ready,
    [PLAN_MOUNT] = step_mount,
    [PLAN_BIND] = step_bind,
    [PLAN_DEVICE] = step_device,
    [PLAN_ATTRIBUTES] = step_attributes,
    [PLAN_MASK] = step_mask,
    [PLAN_MKDIR] = step_mkdir,
    [PLAN_SYMLINK] = step_symlink,
    [PLAN_PIVOT] = step_pivot,
    [PLAN_HOSTNAME] = step_hostname,
    [PLAN_LOOPBACK_UP] = step_loopback_up,
    [PLAN_SESSION_KEYRING] = step_session_keyring,
    [PLAN_OWN_MOUNT] = step_own_mount,
};

static_assert(ARRAY_SIZE(step_table) == _PLAN_OP_MAX, "each op has a function");

static int name_failure(const struct plan_step *step, uint32_t number, int r, struct error *err)
{
    const char *about = step->target[0] ? step->target : step->source;

    return error_set(err, r, "step %u (%s%s%s): %s", number + 1, plan_op_name(step->op),
                     about[0] ? " " : "", about, strerror(-r));
}

static bool may_skip(const struct plan_step *step, int r)
{
    if (!step_has(step, PLAN_STEP_OPTIONAL))
        return false;
    return r == -ENOENT || r == -ENOTDIR || step->op == PLAN_SESSION_KEYRING;
}

int steps_run(const struct plan *plan, int null_fd, struct error *err)
{
    struct step_state state = {FD_NONE, null_fd, FD_NONE, FD_NONE};
    int r = 0;

    for (uint32_t i = 0; i < plan->step_count && r >= 0; i++) {
        struct plan_step step = plan_step_at(plan, i);

        r = step_table[step.op](&state, &step);
        if (r < 0)
            r = may_skip(&step, r) ? 0 : name_failure(&step, i, r, err);
    }
    (void)fd_close(state.root_fd);
    (void)fd_close(state.mask_file_fd);
    (void)fd_close(state.mask_folder_fd);
    return r;
}

int steps_open_null(int flags, struct error *err)
{
    _cleanup_close_ int fd = open("/dev/null", flags | O_CLOEXEC);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0) {
        int code = -errno;

        return error_set(err, code, "/dev/null can't be opened: %s", strerror(-code));
    }
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        return error_set(err, -ENODEV, "/dev/null is not the null device");
    return TAKE_FD(fd);
}
