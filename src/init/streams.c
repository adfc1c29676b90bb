/* SPDX-License-Identifier: Apache-2.0 */
#include "init/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "init/steps.h"

#define PIPE_SIZE (1024 * 1024)

static int refuse(struct error *err, const char *what)
{
    int code = -errno;

    return error_set(err, code, "%s: %s", what, strerror(-code));
}

static void streams_close(struct streams *streams)
{
    streams_close_command_ends(streams);
    for (int i = 0; i < 2; i++)
        streams->readers[i] = fd_close(streams->readers[i]);
}

void streams_close_command_ends(struct streams *streams)
{
    for (int i = 0; i < 3; i++)
        streams->command[i] = fd_close(streams->command[i]);
}

/* A smaller pipe than asked for works as well, only with more switches. */
static int open_pipe(uid_t uid, gid_t gid, int *ret_reader, int *ret_writer, struct error *err)
{
    _cleanup_close_ int reader = FD_NONE;
    _cleanup_close_ int writer = FD_NONE;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return refuse(err, "no pipe for output");
    reader = fds[0];
    writer = fds[1];
    (void)fcntl(writer, F_SETPIPE_SZ, PIPE_SIZE);
    if (fd_set_nonblocking(reader, true) < 0 || fchmod(writer, 0200) < 0 ||
        fchown(writer, uid, gid) < 0)
        return refuse(err, "the pipe for output can't be set up");
    *ret_reader = TAKE_FD(reader);
    *ret_writer = TAKE_FD(writer);
    return 0;
}

static int open_error_stream(bool merged, uid_t uid, gid_t gid, struct streams *streams,
                             struct error *err)
{
    if (!merged)
        return open_pipe(uid, gid, &streams->readers[1], &streams->command[2], err);
    streams->command[2] = fd_duplicate(streams->command[1]);
    return streams->command[2] < 0 ? refuse(err, "stderr can't be joined to stdout") : 0;
}

int streams_open(bool merged, uid_t uid, gid_t gid, struct streams *ret, struct error *err)
{
    struct streams streams = {{FD_NONE, FD_NONE, FD_NONE}, {FD_NONE, FD_NONE}};
    int r = streams.command[0] = steps_open_null(O_RDONLY, err);

    if (r >= 0)
        r = open_pipe(uid, gid, &streams.readers[0], &streams.command[1], err);
    if (r >= 0)
        r = open_error_stream(merged, uid, gid, &streams, err);
    if (r < 0) {
        streams_close(&streams);
        return r;
    }
    *ret = streams;
    return 0;
}
