/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "init/step.h"
#include "init/syscalls.h"
#include "init/target.h"

int step_mkdir(struct step_state *state, const struct plan_step *step)
{
    return target_make_directory(state->root_fd, step->target, step_has(step, PLAN_STEP_FOLLOW),
                                 step->mode, step->uid, step->gid);
}

int step_symlink(struct step_state *state, const struct plan_step *step)
{
    struct target_place place;
    int r =
        target_open_parent(state->root_fd, step->target, step_has(step, PLAN_STEP_FOLLOW), &place);

    if (r < 0)
        return r;
    r = symlinkat(step->source, place.parent_fd, place.name) < 0 ? -errno : 0;
    (void)fd_close(place.parent_fd);
    return r;
}
