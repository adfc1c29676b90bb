/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "output/files.h"
#include "output/reader.h"
#include "output/watch.h"
#include "output/writer.h"

/*
 * A job's directory that is made for one test and taken away after it, with a writer in it.
 */

struct fixture {
    char path[64];
    char index_path[80];
    int dir_fd;
    struct id job;
    struct output_files files;
    struct output_writer writer;
};

static inline void fixture_begin(struct fixture *fixture, bool merged)
{
    *fixture = (struct fixture){.dir_fd = FD_NONE, .files = OUTPUT_FILES_NULL, .job.bytes = {7}};
    strcpy(fixture->path, "/tmp/hoist-test-output-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    snprintf(fixture->index_path, sizeof(fixture->index_path), "%s/index", fixture->path);
    fixture->dir_fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fixture->dir_fd >= 0);
    assert_int_equal(
        output_files_create(fixture->dir_fd, &fixture->job, merged, 1000, &fixture->files, NULL),
        0);
    assert_int_equal(
        output_writer_init(&fixture->writer, fixture->files.data, fixture->files.index), 0);
}

static inline void fixture_end(struct fixture *fixture)
{
    (void)unlinkat(fixture->dir_fd, "output", 0);
    (void)unlinkat(fixture->dir_fd, "index", 0);
    output_files_close(&fixture->files);
    fixture->dir_fd = fd_close(fixture->dir_fd);
    assert_int_equal(rmdir(fixture->path), 0);
}

/* Whether the watch has something to do within `msec`. */
static inline bool fixture_wait(const struct output_watch *watch, int msec)
{
    struct pollfd sources[OUTPUT_WATCH_FDS];
    int fds[OUTPUT_WATCH_FDS];

    output_watch_fds(watch, fds);
    for (size_t i = 0; i < OUTPUT_WATCH_FDS; i++)
        sources[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    return poll(sources, OUTPUT_WATCH_FDS, msec) > 0;
}

static inline void fixture_append(struct fixture *fixture, enum output_stream stream,
                                  const void *data, size_t size, usec_t now)
{
    size_t taken;

    assert_int_equal(output_writer_append(&fixture->writer, stream, data, size, now, &taken), 0);
    assert_int_equal(taken, size);
}

static inline struct output_reader *fixture_reader(struct fixture *fixture, uint64_t offset,
                                                   unsigned streams, unsigned flags)
{
    _cleanup_output_files_ struct output_files files = OUTPUT_FILES_NULL;
    struct output_reader *reader = NULL;

    assert_int_equal(output_files_open(fixture->dir_fd, &files, NULL), 0);
    assert_int_equal(output_reader_open(&files, offset, streams, flags, &reader, NULL), 0);
    return reader;
}

/* Entry number `position` as it stands in the index; -1: the file ends before. */
static inline int fixture_entry(const struct fixture *fixture, uint64_t position,
                                struct output_entry *ret)
{
    uint8_t bytes[OUTPUT_ENTRY_SIZE];

    if (fd_pread_full(fixture->files.index, bytes, sizeof(bytes),
                      (off_t)output_entry_offset(position)) < 0)
        return -1;
    return output_entry_decode(bytes, ret);
}

static inline uint64_t fixture_size(int fd)
{
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    return (uint64_t)status.st_size;
}

static inline void fixture_overwrite(int fd, uint64_t offset, const void *data, size_t size)
{
    /* The data file is append-only for its writer. */
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_APPEND);
    assert_int_equal(fd_pwrite_full(fd, data, size, (off_t)offset), 0);
}
