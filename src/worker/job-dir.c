/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job-dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/strv.h"
#include "wire/state-file.h"
#include "worker/state-dir.h"

/* In the order in which they are removed: a directory without the first is torn. */
static const char *const names[] = {"spec", "output", "index", "state"};
#define NAMES_OF_OUTPUT 1 /* from here on: what a reader of the output opens */

void job_files_close(struct job_files *files)
{
    output_files_close(&files->output);
    files->state = fd_close(files->state);
}

static int open_dir(int jobs, const struct id *id)
{
    char name[ID_TEXT_MAX];
    int fd = openat(jobs, id_format(id, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

bool job_dir_exists(int jobs, const struct id *id)
{
    _cleanup_close_ int dir = open_dir(jobs, id);

    return dir != -ENOENT;
}

static int write_specification(int dir, const struct specification *specification,
                               struct error *err)
{
    _cleanup_buffer_ struct buffer bytes = {.limit = SPECIFICATION_SIZE_MAX};
    _cleanup_close_ int fd = FD_NONE;
    int r = specification_encode(specification, &bytes);

    if (r < 0)
        return error_set(err, r, "can't write down the specification");
    fd = openat(dir, "spec", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, -errno, "can't make the job's file spec: %m");
    r = fd_write_full(fd, buffer_bytes(&bytes), buffer_size(&bytes));
    if (r < 0) {
        errno = -r;
        return error_set(err, r, "can't write the job's file spec: %m");
    }
    return 0;
}

static int create_state(int dir, const struct id *id, const struct id *boot, int *ret,
                        struct error *err)
{
    _cleanup_close_ int fd =
        openat(dir, "state", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return error_set(err, -errno, "can't make the job's file state: %m");
    r = state_file_create(fd, id, boot, err);
    if (r < 0)
        return r;
    *ret = TAKE_FD(fd);
    return 0;
}

static int create_files(int dir, const struct specification *specification, const struct id *boot,
                        struct job_files *files, struct error *err)
{
    int r = write_specification(dir, specification, err);

    if (r == 0)
        r = output_files_create(dir, &specification->id, specification->spec.merged,
                                specification->create_time, &files->output, err);
    if (r == 0)
        r = create_state(dir, &specification->id, boot, &files->state, err);
    return r;
}

int job_dir_create(int jobs, const struct specification *specification, const struct id *boot,
                   struct job_files *ret, struct error *err)
{
    _cleanup_job_files_ struct job_files files = JOB_FILES_NULL;
    _cleanup_close_ int dir = FD_NONE;
    char name[ID_TEXT_MAX];
    int r;

    if (mkdirat(jobs, id_format(&specification->id, name), 0700) < 0)
        return error_set(err, -errno, "can't make the job's directory: %m");
    dir = open_dir(jobs, &specification->id);
    r = dir < 0 ? error_set(err, dir, "can't open the job's directory")
                : create_files(dir, specification, boot, &files, err);
    if (r < 0) {
        (void)job_dir_remove(jobs, &specification->id,
                             NULL); /* the first error is the one to tell */
        return r;
    }
    ret->output = output_files_take(&files.output);
    ret->state = TAKE_FD(files.state);
    return 0;
}

static char *file_path(const struct state_dir *dir, const struct id *id, const char *name)
{
    char text[ID_TEXT_MAX];

    return text_format("%s/jobs/%s/%s", dir->path, id_format(id, text), name);
}

char *job_dir_state_path(const struct state_dir *dir, const struct id *id)
{
    return file_path(dir, id, "state");
}

char *job_dir_index_path(const struct state_dir *dir, const struct id *id)
{
    return file_path(dir, id, "index");
}

int job_dir_open_state(int jobs, const struct id *id)
{
    _cleanup_close_ int dir = open_dir(jobs, id);
    int fd;

    if (dir < 0)
        return dir;
    fd = openat(dir, "state", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

bool job_dir_is_known(int jobs, const struct id *id)
{
    const struct open_how how = {
        .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_CACHED,
    };
    char dir[ID_TEXT_MAX], path[ID_TEXT_MAX + 8];

    id_format(id, dir);
    for (size_t i = NAMES_OF_OUTPUT; i < ARRAY_SIZE(names); i++) {
        _cleanup_close_ int fd = FD_NONE;

        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        fd = (int)syscall(SYS_openat2, jobs, path, &how, sizeof(how));
        if (fd < 0 && errno != ENOENT &&
            errno != ENOTDIR) /* that there is none may be known, too */
            return false;
    }
    return true;
}

int job_dir_open_output(int jobs, const struct id *id, struct output_files *ret, struct error *err)
{
    _cleanup_close_ int dir = open_dir(jobs, id);

    if (dir < 0)
        return error_set(err, dir, "the job's directory is gone");
    return output_files_open(dir, ret, err);
}

int job_dir_open_for_sealing(int jobs, const struct id *id, struct output_files *ret,
                             struct error *err)
{
    _cleanup_close_ int dir = open_dir(jobs, id);

    if (dir < 0)
        return error_set(err, dir, "the job's directory is gone");
    return output_files_open_for_sealing(dir, ret, err);
}

int job_dir_restore(int jobs, const struct id *id, struct error *err)
{
    _cleanup_close_ int dir = FD_NONE;
    char name[ID_TEXT_MAX];

    if (mkdirat(jobs, id_format(id, name), 0700) < 0 && errno != EEXIST)
        return error_set(err, -errno, "can't make the job's directory: %m");
    dir = open_dir(jobs, id);
    return dir < 0 ? error_set(err, dir, "can't open the job's directory")
                   : output_files_restore(dir, err);
}

int job_dir_read_specification(int jobs, const struct id *id, struct specification *ret,
                               struct error *err)
{
    _cleanup_specification_ struct specification specification = {.spec = JOB_SPEC_NULL};
    _cleanup_close_ int dir = open_dir(jobs, id);
    _cleanup_free_ char *bytes = NULL;
    size_t size = 0;
    int r = dir < 0 ? dir : file_read(dir, "spec", SPECIFICATION_SIZE_MAX, &bytes, &size);

    if (r < 0)
        return error_set(err, r, "can't read the job's file spec: %s", strerrordesc_np(-r));
    r = specification_decode(bytes, size, &specification, err);
    if (r < 0)
        return r;
    if (!id_equal(&specification.id, id))
        return error_set(err, -EPROTO, "the job's file spec is another job's");
    *ret = specification;
    specification = (struct specification){.spec = JOB_SPEC_NULL};
    return 0;
}

uint64_t job_dir_usage(int jobs, const struct id *id)
{
    _cleanup_close_ int dir = open_dir(jobs, id);
    uint64_t usage = 0;

    for (size_t i = 0; dir >= 0 && i < ARRAY_SIZE(names); i++) {
        struct stat status;

        if (fstatat(dir, names[i], &status, AT_SYMLINK_NOFOLLOW) == 0)
            usage += (uint64_t)status.st_blocks * 512; /* stat(3type): whatever the blocks are */
    }
    return usage;
}

int job_dir_remove(int jobs, const struct id *id, struct error *err)
{
    _cleanup_close_ int dir = open_dir(jobs, id);
    char name[ID_TEXT_MAX];

    if (dir == -ENOENT)
        return 0;
    if (dir < 0)
        return error_set(err, dir, "can't open the job's directory");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (unlinkat(dir, names[i], 0) < 0 && errno != ENOENT)
            return error_set(err, -errno, "can't remove the job's file %s: %m", names[i]);
    if (unlinkat(jobs, id_format(id, name), AT_REMOVEDIR) < 0 && errno != ENOENT)
        return error_set(err, -errno, "can't remove the job's directory: %m");
    return 0;
}

int job_dir_list(int jobs, job_dir_found_fn *found, void *userdata, struct error *err)
{
    _cleanup_closedir_ DIR *listing = NULL;
    _cleanup_close_ int fd = openat(jobs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;

    listing = fd < 0 ? NULL : fdopendir(fd);
    if (!listing)
        return error_set(err, -errno, "can't list the jobs' directories: %m");
    (void)TAKE_FD(fd); /* the listing's now */
    while ((errno = 0, entry = readdir(listing))) {
        struct id id;
        int r = id_parse(entry->d_name, &id) < 0 ? 0 : found(&id, userdata);

        if (r != 0)
            return r;
    }
    return errno == 0 ? 0 : error_set(err, -errno, "can't list the jobs' directories: %m");
}
