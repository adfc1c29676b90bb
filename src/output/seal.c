/* SPDX-License-Identifier: Apache-2.0 */
#include "output/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/fd.h"
#include "output/files.h"
#include "output/index.h"
#include "output/totals.h"

/*
 * The steps are such that a seal that is itself cut off can simply be done again: entries are cut
 * and added at the end only, and END comes last.
 */

struct seal {
    const struct output_files *files;
    struct output_header header;
    uint64_t count;           /* entries that stay */
    struct output_entry last; /* entry count - 1, if count > 0 */
    uint64_t data_size;
    usec_t data_time; /* when the data file was last written */
};

static int seal_write_entry(struct seal *seal, const struct output_entry *entry, struct error *err)
{
    uint8_t bytes[OUTPUT_ENTRY_SIZE];
    int r;

    output_entry_encode(entry, bytes);
    r = fd_pwrite_full(seal->files->index, bytes, sizeof(bytes),
                       (off_t)output_entry_offset(seal->count));
    if (r < 0)
        return error_set(err, r, "can't write the output's index: %s", strerror(-r));
    seal->count++;
    seal->last = *entry;
    return 0;
}

static int seal_look(struct seal *seal, struct error *err)
{
    struct stat status;
    int r;

    r = output_index_header(seal->files->index, false, &seal->header, err);
    if (r < 0)
        return r;
    if (fstat(seal->files->data, &status) < 0)
        return error_set(err, -errno, "can't look at the output's data: %s", strerror(errno));
    seal->data_size = (uint64_t)status.st_size;
    seal->data_time = (usec_t)status.st_mtim.tv_sec * USEC_PER_SEC +
                      (usec_t)status.st_mtim.tv_nsec / NSEC_PER_USEC;
    return output_index_count(seal->files->index, &seal->count, err);
}

/* Goes back to the last entry that is good and has bytes in the data file. */
static int seal_find_last(struct seal *seal, struct error *err)
{
    for (; seal->count > 0; seal->count--) {
        unsigned good = 0;
        bool open;
        int r = output_index_read(seal->files->index, false, seal->count - 1, &seal->last, 1, &good,
                                  &open, err);

        if (r < 0 && r != -ENODATA && r != -EBADMSG && r != -EPROTO)
            return r;
        if (r < 0 || good == 0)
            continue;
        if (seal->last.kind == OUTPUT_ENTRY_END ||
            output_entry_start(&seal->last) < seal->data_size)
            return 0;
    }
    return 0;
}

static int seal_crc(struct seal *seal, uint64_t start, uint32_t size, uint32_t *ret,
                    struct error *err)
{
    _cleanup_free_ void *bytes = malloc(size);
    int r;

    if (!bytes)
        return error_set(err, -ENOMEM, "no memory");
    r = fd_pread_full(seal->files->data, bytes, size, (off_t)start);
    if (r < 0)
        return error_set(err, r, "can't read the output's data: %s", strerror(-r));
    *ret = crc32c(0, bytes, size);
    return 0;
}

/* The data file is shorter than the last entry says: keeps what there is of it. */
static int seal_shorten_last(struct seal *seal, struct error *err)
{
    struct output_entry entry = seal->last;
    int r;

    if (seal->count == 0 || entry.end <= seal->data_size)
        return 0;
    entry.size -= (uint32_t)(entry.end - seal->data_size);
    entry.end = seal->data_size;
    entry.flags |= OUTPUT_ENTRY_RECOVERED;
    r = seal_crc(seal, output_entry_start(&entry), entry.size, &entry.crc, err);
    if (r < 0)
        return r;
    seal->count--;
    return seal_write_entry(seal, &entry, err);
}

static bool gap_is_there(const struct output_gap *gap)
{
    return gap->start != gap->end;
}

/*
 * Where the bytes go on that no entry covers: behind the gap, if the entries end in it or (a power
 * loss that kept the header and not what came before it) never reached it.
 */
static uint64_t seal_first_uncovered(const struct seal *seal)
{
    const struct output_gap *gap = &seal->header.gap;
    uint64_t end = seal->count > 0 ? seal->last.end : 0;

    return gap_is_there(gap) && end < gap->end && MIN(seal->data_size, gap->start) <= end ? gap->end
                                                                                          : end;
}

/* The data file is longer: the writer ended between data and index. */
static int seal_adopt_rest(struct seal *seal, struct error *err)
{
    const struct output_gap *gap = &seal->header.gap;

    for (;;) {
        uint64_t start = seal_first_uncovered(seal), until = seal->data_size;
        struct output_entry entry = {
            .kind = OUTPUT_ENTRY_DATA,
            .stream = seal->header.flags & OUTPUT_HEADER_MERGED ? OUTPUT_STREAM_MERGED
                                                                : OUTPUT_STREAM_STDOUT,
            .flags = OUTPUT_ENTRY_RECOVERED,
            .time = seal->data_time,
        };
        int r;

        if (gap_is_there(gap) && start < gap->start)
            until = MIN(until, gap->start);
        if (start >= until)
            return 0;
        entry.size = (uint32_t)MIN(until - start, (uint64_t)OUTPUT_ENTRY_BYTES_MAX);
        entry.end = start + entry.size;
        r = seal_crc(seal, start, entry.size, &entry.crc, err);
        if (r == 0)
            r = seal_write_entry(seal, &entry, err);
        if (r < 0)
            return r;
    }
}

/* What lay before the gap and is lost, is dropped like the rest; the gap's end stays where it is.
 */
static int seal_join_gap(struct seal *seal, struct error *err)
{
    struct output_gap *gap = &seal->header.gap;
    uint8_t bytes[OUTPUT_HEADER_SIZE];
    int r;

    if (!gap_is_there(gap) || seal->data_size >= gap->start)
        return 0;
    gap->start = seal->data_size;
    output_header_encode(&seal->header, bytes);
    r = fd_pwrite_full(seal->files->index, bytes, sizeof(bytes), 0);
    return r < 0 ? error_set(err, r, "can't write the output's index: %s", strerror(-r)) : 0;
}

static int seal_write_end(struct seal *seal, usec_t now, struct error *err)
{
    const struct output_gap *gap = &seal->header.gap;
    struct output_totals totals = {};
    uint64_t end = gap_is_there(gap) ? MAX(seal->data_size, gap->end) : seal->data_size;
    int r;

    /* Damage in the middle makes the totals of the streams wrong, and is no reason not to end. */
    r = output_totals_update(seal->files->index, &totals, err);
    if (r < 0 && r != -EBADMSG && r != -EPROTO && r != -ENODATA)
        return r;
    return seal_write_entry(
        seal,
        &(struct output_entry){
            .kind = OUTPUT_ENTRY_END,
            .flags = OUTPUT_ENTRY_LOST,
            .end = end,
            .time = now,
            .stderr_bytes = MIN(r < 0 ? totals.next_stderr : totals.stderr_bytes, end),
        },
        err);
}

int output_seal(const struct output_files *files, usec_t now, struct error *err)
{
    struct seal seal = {.files = files};
    int r;

    r = seal_look(&seal, err);
    if (r < 0)
        return r;
    r = seal_find_last(&seal, err);
    if (r < 0)
        return r;
    if (seal.count > 0 && seal.last.kind == OUTPUT_ENTRY_END)
        return 0;
    if (ftruncate(files->index, (off_t)output_entry_offset(seal.count)) < 0)
        return error_set(err, -errno, "can't cut the output's index: %s", strerror(errno));
    r = seal_shorten_last(&seal, err);
    if (r < 0)
        return r;
    r = seal_adopt_rest(&seal, err);
    if (r < 0)
        return r;
    r = seal_join_gap(&seal, err);
    if (r < 0)
        return r;
    r = seal_write_end(&seal, now, err);
    if (r < 0)
        return r;
    if (fdatasync(files->data) < 0 || fdatasync(files->index) < 0)
        return error_set(err, -errno, "can't sync the output: %s", strerror(errno));
    return 0;
}
