/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/job-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/spawn-spec.h"
#include "wire/state-file.h"

struct file_rule {
    const char *name;
    int fd;
    bool reading; /* beside writing */
    int flag;     /* of open(2) */
    off_t size;   /* exactly; -1: any */
};

/* An O_PATH descriptor has neither mode. */
static bool is_open_as(const struct file_rule *rule)
{
    int flags = fcntl(rule->fd, F_GETFL), mode = flags & O_ACCMODE;

    if (flags < 0 || flags & O_PATH || (flags & rule->flag) != rule->flag)
        return false;
    return mode == O_RDWR || (mode == O_WRONLY && !rule->reading);
}

static int file_check(const struct file_rule *rule, uid_t agent_uid, struct stat *ret,
                      struct error *err)
{
    if (!is_open_as(rule))
        return error_set(err, -EPERM, "the job's %s isn't open for what is done with it",
                         rule->name);
    if (fstat(rule->fd, ret) < 0)
        return error_set(err, -EPERM, "the job's %s can't be examined: %s", rule->name,
                         strerror(errno));
    if (!S_ISREG(ret->st_mode))
        return error_set(err, -EPERM, "the job's %s is no regular file", rule->name);
    if (ret->st_uid != agent_uid)
        return error_set(err, -EPERM, "the job's %s belongs to uid %u, not to hoistd", rule->name,
                         ret->st_uid);
    if (rule->size >= 0 && ret->st_size != rule->size)
        return error_set(err, -EPERM, "the job's %s hasn't the size that it must have", rule->name);
    return 0;
}

int job_files_check(const struct spawn_files *files, uid_t agent_uid, struct error *err)
{
    const struct file_rule rules[] = {
        {"state file", files->state, true, 0, STATE_FILE_SIZE},
        {"index", files->index, true, 0, -1},
        {"output", files->data, false, O_APPEND, -1},
    };
    struct stat state, other;
    int r = file_check(&rules[0], agent_uid, &state, err);

    for (size_t i = 1; r >= 0 && i < ARRAY_SIZE(rules); i++) {
        r = file_check(&rules[i], agent_uid, &other, err);
        if (r >= 0 && other.st_dev != state.st_dev)
            r = error_set(err, -EPERM, "the job's %s is on another file system than its state file",
                          rules[i].name);
    }
    return r;
}
