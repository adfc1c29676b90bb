/* SPDX-License-Identifier: Apache-2.0 */
#include "output/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crc32c.h"
#include "base/fd.h"

/*
 * The order is the whole point: data, then index. A crash between the two leaves bytes that no
 * entry covers (output_seal() finds them), never an entry for bytes that aren't there.
 *
 * `batch` is a window on the end of the index: what the last write touched. After a flush only its
 * last entry stays, since that one may still be extended in place.
 */

/* Journals commit what they hold in order, so a page that is on the disk stays before what is done
 * next to the file system; a sync, which waits for the journal as well, isn't needed. */
static int write_out(int fd, off_t offset, off_t size)
{
    return sync_file_range(fd, offset, size,
                           SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                               SYNC_FILE_RANGE_WAIT_AFTER);
}

static int punch(int fd, off_t offset, off_t size)
{
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

const struct output_writer_calls output_system_calls = {
    .write = write,
    .pwrite = pwrite,
    .fdatasync = fdatasync,
    .write_out = write_out,
    .punch = punch,
};

static bool errno_means_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

/* The answer to a failed system call: full disks are waited for, everything else is the end. */
static int writer_fail(struct output_writer *writer, int error)
{
    if (errno_means_full(error))
        return OUTPUT_DISK_FULL;
    writer->broken = -error;
    return -error;
}

/* Like pwrite(2), but after EINTR and short counts it goes on; *ret_done is always set. */
static int writer_pwrite(struct output_writer *writer, const uint8_t *data, size_t size,
                         uint64_t offset, size_t *ret_done)
{
    *ret_done = 0;
    while (*ret_done < size) {
        ssize_t n = writer->calls->pwrite(writer->index_fd, data + *ret_done, size - *ret_done,
                                          (off_t)(offset + *ret_done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return writer_fail(writer, n < 0 ? errno : EIO);
        *ret_done += (size_t)n;
    }
    return 0;
}

static int writer_write_data(struct output_writer *writer, const uint8_t *data, size_t size,
                             size_t *ret_done)
{
    *ret_done = 0;
    while (*ret_done < size) {
        ssize_t n = writer->calls->write(writer->data_fd, data + *ret_done, size - *ret_done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return writer_fail(writer, n < 0 ? errno : EIO);
        *ret_done += (size_t)n;
    }
    return 0;
}

/* Brings the index up to the batch. What a full disk cut in the middle of an entry is written anew.
 */
static int writer_flush(struct output_writer *writer)
{
    uint8_t bytes[OUTPUT_BATCH_MAX * OUTPUT_ENTRY_SIZE];
    size_t size = 0, done;
    int r;

    for (unsigned i = writer->batch_unwritten; i < writer->batch_count; i++) {
        output_entry_encode(&writer->batch[i], bytes + size);
        size += OUTPUT_ENTRY_SIZE;
    }
    if (size == 0)
        return 0;

    r = writer_pwrite(writer, bytes, size,
                      output_entry_offset(writer->position + writer->batch_unwritten), &done);
    writer->batch_unwritten += (unsigned)(done / OUTPUT_ENTRY_SIZE);
    if (r != 0)
        return r;

    writer->position += writer->batch_count - 1;
    writer->batch[0] = writer->batch[writer->batch_count - 1];
    writer->batch_count = 1;
    writer->batch_unwritten = 1;
    return 0;
}

static struct output_entry *writer_push(struct output_writer *writer, struct output_entry entry)
{
    assert(writer->batch_count < OUTPUT_BATCH_MAX);
    writer->batch[writer->batch_count] = entry;
    return &writer->batch[writer->batch_count++];
}

/* The last entry if bytes of `stream` read at `now` may still join it, else a fresh empty one. */
static struct output_entry *writer_entry_for(struct output_writer *writer,
                                             enum output_stream stream, usec_t now)
{
    if (writer->batch_count > 0) {
        struct output_entry *last = &writer->batch[writer->batch_count - 1];

        /* A clock that was set back begins an entry too: `now < time`. */
        if (last->stream == stream && last->size < OUTPUT_ENTRY_BYTES_MAX && now >= last->time &&
            now - last->time < OUTPUT_ENTRY_USEC_MAX) {
            writer->batch_unwritten = MIN(writer->batch_unwritten, writer->batch_count - 1);
            return last;
        }
    }
    return writer_push(writer, (struct output_entry){
                                   .kind = OUTPUT_ENTRY_DATA,
                                   .stream = stream,
                                   .end = writer->end,
                                   .time = now,
                               });
}

/* Enters `size` bytes that are in the data file into the batch. */
static void writer_account(struct output_writer *writer, enum output_stream stream,
                           const uint8_t *data, size_t size, usec_t now)
{
    while (size > 0) {
        struct output_entry *entry = writer_entry_for(writer, stream, now);
        uint32_t part = (uint32_t)MIN(size, (size_t)(OUTPUT_ENTRY_BYTES_MAX - entry->size));

        entry->crc = crc32c(entry->crc, data, part);
        entry->size += part;
        entry->end += part;
        writer->end += part;
        writer->totals[stream] += part;
        data += part;
        size -= part;
    }
}

int output_writer_init(struct output_writer *writer, int data_fd, int index_fd)
{
    uint8_t bytes[OUTPUT_HEADER_SIZE];
    struct output_header header;
    struct stat data, index;
    int r;

    if (fstat(data_fd, &data) < 0 || fstat(index_fd, &index) < 0)
        return -errno;
    r = fd_pread_full(index_fd, bytes, sizeof(bytes), 0);
    if (r < 0)
        return r == -ENODATA ? -EBADMSG : r;
    r = output_header_decode(bytes, &header);
    if (r < 0)
        return r;
    if (data.st_size != 0 || index.st_size != OUTPUT_HEADER_SIZE)
        return -EEXIST;

    *writer = (struct output_writer){
        .calls = &output_system_calls,
        .data_fd = data_fd,
        .index_fd = index_fd,
        .header = header,
    };
    return 0;
}

int output_writer_append(struct output_writer *writer, enum output_stream stream, const void *data,
                         size_t size, usec_t now, size_t *ret_taken)
{
    const uint8_t *bytes = data;
    int r;

    *ret_taken = 0;
    if (writer->broken < 0)
        return writer->broken;
    if (writer->finished)
        return -ESHUTDOWN;
    if (writer->header.flags & OUTPUT_HEADER_MERGED)
        stream = OUTPUT_STREAM_MERGED;
    else if (stream != OUTPUT_STREAM_STDOUT && stream != OUTPUT_STREAM_STDERR)
        return -EINVAL;

    r = writer_flush(writer);
    while (r == 0 && *ret_taken < size) {
        size_t part = MIN(size - *ret_taken, (size_t)OUTPUT_APPEND_MAX), done;
        int flushed;

        r = writer_write_data(writer, bytes + *ret_taken, part, &done);
        writer_account(writer, stream, bytes + *ret_taken, done, now);
        *ret_taken += done;
        flushed = writer_flush(writer);
        if (r >= 0 && flushed != 0)
            r = flushed;
    }
    return r;
}

int output_writer_publish_gap(struct output_writer *writer, const struct output_gap *gap)
{
    const struct output_gap *old = &writer->header.gap;
    struct output_header header = writer->header;
    uint8_t bytes[OUTPUT_HEADER_SIZE];
    size_t done;
    int r;

    if (writer->broken < 0)
        return writer->broken;
    if (gap->start >= gap->end || gap->end > writer->end ||
        gap->stderr_bytes > gap->end - gap->start)
        return -EINVAL;
    if (old->start != old->end && (gap->start > old->start || gap->end < old->end))
        return -EINVAL;

    header.gap = *gap;
    output_header_encode(&header, bytes);
    r = writer_pwrite(writer, bytes, sizeof(bytes), 0, &done);
    if (r != 0)
        return r;
    if (writer->calls->write_out(writer->index_fd, 0, sizeof(bytes)) < 0)
        return writer_fail(writer, errno);
    writer->header = header;
    return 0;
}

int output_writer_finish(struct output_writer *writer, usec_t now)
{
    int r;

    if (writer->broken < 0)
        return writer->broken;
    r = writer_flush(writer);
    if (r != 0 || writer->finished)
        return r;

    writer_push(writer, (struct output_entry){
                            .kind = OUTPUT_ENTRY_END,
                            .end = writer->end,
                            .time = now,
                            .stderr_bytes = writer->totals[OUTPUT_STREAM_STDERR],
                        });
    writer->finished = true;
    return writer_flush(writer);
}

int output_writer_sync(struct output_writer *writer)
{
    if (writer->calls->fdatasync(writer->data_fd) < 0 ||
        writer->calls->fdatasync(writer->index_fd) < 0)
        return -errno;
    return 0;
}
