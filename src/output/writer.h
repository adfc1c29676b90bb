/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "output/format.h"

/*
 * The writing end of a job's output, used by exactly one process at a time (hoist-init).
 *
 * Bytes go to the data file first, then to the index, one write each, so that a reader who sees an
 * entry finds its bytes. Nothing is kept in user memory that a crash could lose but the index
 * entries of a write that met a full disk; those are written first thing at the next call, or found
 * again from the data by output_seal(). No memory is allocated; the struct is the caller's.
 */

/* Appended by one pair of writes; larger pieces are taken in several. */
#define OUTPUT_APPEND_MAX (UINT32_C(1024) * 1024)

/* Entries that one append can touch: the one that is extended, the full ones, the last. */
#define OUTPUT_BATCH_MAX (OUTPUT_APPEND_MAX / OUTPUT_ENTRY_BYTES_MAX + 2)

/* A positive answer: the disk (or a quota) is full. Documented at each call that gives it. */
#define OUTPUT_DISK_FULL 1

/* How bytes reach the files: the system calls, unless a test wants them to fail. */
struct output_writer_calls {
    ssize_t (*write)(int fd, const void *data, size_t size);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    int (*fdatasync)(int fd);
    int (*write_out)(int fd, off_t offset, off_t size); /* to the disk, before what follows */
    int (*punch)(int fd, off_t offset, off_t size);     /* gives these blocks back */
};

extern const struct output_writer_calls output_system_calls;

struct output_writer {
    const struct output_writer_calls *calls;
    int data_fd;  /* borrowed; O_APPEND */
    int index_fd; /* borrowed */
    struct output_header header;
    uint64_t end;                        /* bytes in the data file */
    uint64_t totals[_OUTPUT_STREAM_MAX]; /* bytes of each stream, dropped ones included */
    uint64_t position;                   /* number of batch[0] in the index */
    unsigned batch_count;                /* entries in `batch`; the last one may be extended */
    unsigned batch_unwritten; /* the first of them that the index doesn't hold as it is */
    struct output_entry batch[OUTPUT_BATCH_MAX];
    int broken; /* negative errno of the failure after which nothing works */
    bool finished;
};

/*
 * Starts at the beginning of two files fresh from output_files_create() (files.h). The descriptors
 * are borrowed and must stay open; both files must be positioned and filled as created: the header
 * is read and checked. Returns 0; -EBADMSG or -EPROTO (format.h); -EEXIST when there is output
 * already; another negative errno.
 */
int output_writer_init(struct output_writer *writer, int data_fd, int index_fd);

/*
 * Appends `size` bytes of `stream` that were read at `now` (wall). A merged job's bytes are MERGED
 * whatever `stream` says.
 *
 * *ret_taken (always set) is how many of them are in the data file: the caller forgets these and
 * offers the others again. 0: all were taken and readers see them. OUTPUT_DISK_FULL: some may be
 * left, or are not in the index yet; wait, then call again with what is left (or with nothing,
 * which writes what the index lacks). Any other failure (-EIO, -EFBIG, …) is final: every later
 * call returns it too, and what was taken stays readable after output_seal().
 */
int output_writer_append(struct output_writer *writer, enum output_stream stream, const void *data,
                         size_t size, usec_t now, size_t *ret_taken);

/*
 * Says that data bytes [gap->start, gap->end) are gone, also to who reads after a power loss. To be
 * called, with success, before they are punched: readers look at the gap again after they have read
 * and before they send. A gap may only grow and must lie inside the data (-EINVAL). Returns 0,
 * OUTPUT_DISK_FULL (a file system that never writes in place: call again later), or a negative
 * errno.
 */
int output_writer_publish_gap(struct output_writer *writer, const struct output_gap *gap);

/*
 * Writes what the index lacks and the END entry with totals: from now on readers know that they
 * have all. 0 also when it was there already; OUTPUT_DISK_FULL: nothing is lost, call again; or a
 * negative errno. Doesn't sync.
 */
int output_writer_finish(struct output_writer *writer, usec_t now);

/* fdatasync(2) of the data, then of the index: after it, what the index says survives a power loss.
 */
int output_writer_sync(struct output_writer *writer);
