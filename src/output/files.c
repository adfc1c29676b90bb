/* SPDX-License-Identifier: Apache-2.0 */
#include "output/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "output/format.h"

static const char output_data_name[] = "output";
static const char output_index_name[] = "index";

void output_files_close(struct output_files *files)
{
    files->data = fd_close(files->data);
    files->index = fd_close(files->index);
}

struct output_files output_files_take(struct output_files *files)
{
    struct output_files taken = *files;

    *files = OUTPUT_FILES_NULL;
    return taken;
}

static int file_create(int dir_fd, const char *name, int flags, int *ret, struct error *err)
{
    int fd = openat(dir_fd, name, flags | O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set(err, -errno, "can't create the job's file \"%s\": %s", name,
                         strerror(errno));
    *ret = fd;
    return 0;
}

static int header_write(int fd, const struct output_header *header, struct error *err)
{
    uint8_t bytes[OUTPUT_HEADER_SIZE];
    int r;

    output_header_encode(header, bytes);
    r = fd_pwrite_full(fd, bytes, sizeof(bytes), 0);
    if (r < 0)
        return error_set(err, r, "can't write the job's file \"%s\": %s", output_index_name,
                         strerror(-r));
    return 0;
}

static int index_create(int dir_fd, const struct output_header *header, int *ret, struct error *err)
{
    _cleanup_close_ int fd = FD_NONE;
    int r;

    r = file_create(dir_fd, output_index_name, 0, &fd, err);
    if (r < 0)
        return r;
    r = header_write(fd, header, err);
    if (r < 0) {
        (void)unlinkat(dir_fd, output_index_name, 0); /* the first failure is the one to tell */
        return r;
    }
    *ret = TAKE_FD(fd);
    return 0;
}

static struct output_header header_make(const struct id *job, bool merged, usec_t created)
{
    return (struct output_header){
        .job = *job,
        .flags = merged ? OUTPUT_HEADER_MERGED : 0,
        .created = created,
    };
}

int output_files_create(int dir_fd, const struct id *job, bool merged, usec_t created,
                        struct output_files *ret, struct error *err)
{
    _cleanup_output_files_ struct output_files files = OUTPUT_FILES_NULL;
    const struct output_header header = header_make(job, merged, created);
    int r;

    r = file_create(dir_fd, output_data_name, O_APPEND, &files.data, err);
    if (r < 0)
        return r;
    r = index_create(dir_fd, &header, &files.index, err);
    if (r < 0) {
        (void)unlinkat(dir_fd, output_data_name, 0); /* as above */
        return r;
    }
    *ret = output_files_take(&files);
    return 0;
}

int output_files_restore(int dir_fd, struct error *err)
{
    static const char *const names[] = {output_data_name, output_index_name};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_close_ int fd = FD_NONE;
        int r = file_create(dir_fd, names[i], 0, &fd, err);

        if (r < 0 && r != -EEXIST)
            return r;
    }
    return 0;
}

static int file_open(int dir_fd, const char *name, int flags, int *ret, struct error *err)
{
    struct stat status;
    _cleanup_close_ int fd = FD_NONE;

    /* O_NONBLOCK: a FIFO in its place must not hang us before it is refused. */
    flags |= O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    /* A file that is written all the time gets a new access time at each read: open(2), relatime in
     * mount(8). Only its owner may do without one. */
    fd = openat(dir_fd, name, flags | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = openat(dir_fd, name, flags);
    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set(err, -errno, "can't open the job's file \"%s\": %s", name,
                         strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(err, -EBADMSG, "the job's file \"%s\" is not a regular file", name);
    *ret = TAKE_FD(fd);
    return 0;
}

static int files_open(int dir_fd, int data_flags, int index_flags, struct output_files *ret,
                      struct error *err)
{
    _cleanup_output_files_ struct output_files files = OUTPUT_FILES_NULL;
    int r;

    r = file_open(dir_fd, output_data_name, data_flags, &files.data, err);
    if (r < 0)
        return r;
    r = file_open(dir_fd, output_index_name, index_flags, &files.index, err);
    if (r < 0)
        return r;
    *ret = output_files_take(&files);
    return 0;
}

int output_files_open(int dir_fd, struct output_files *ret, struct error *err)
{
    return files_open(dir_fd, O_RDONLY, O_RDONLY, ret, err);
}

int output_files_open_for_sealing(int dir_fd, struct output_files *ret, struct error *err)
{
    return files_open(dir_fd, O_RDWR | O_APPEND, O_RDWR, ret, err);
}

int output_files_restore_header(const struct output_files *files, const struct id *job, bool merged,
                                usec_t created, struct error *err)
{
    static const uint8_t blank[OUTPUT_HEADER_SIZE];
    const struct output_header header = header_make(job, merged, created);
    uint8_t bytes[OUTPUT_HEADER_SIZE] = {0};

    if (pread(files->index, bytes, sizeof(bytes), 0) < 0)
        return error_set(err, -errno, "can't read the job's file \"%s\": %s", output_index_name,
                         strerror(errno));
    if (memcmp(bytes, blank, sizeof(bytes)) != 0)
        return 0;
    return header_write(files->index, &header, err);
}
