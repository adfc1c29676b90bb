/* SPDX-License-Identifier: Apache-2.0 */
#include "output/cap.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "output/writer.h"

/*
 * Dropping goes forward only: the gap begins behind the first bytes, at a border that is found
 * once, and its end moves on. Each entry is thus read once more in a job's life, to find the next
 * border and to count what goes of stderr.
 *
 * Only whole blocks are given back, which is what makes room; parts of blocks would only be
 * overwritten with zeros.
 */

/* Blocks of file systems: what tells another size (NFS: that of its requests) isn't taken for one.
 */
#define BLOCK_MIN UINT64_C(4096)
#define BLOCK_MAX UINT64_C(65536)

/* At once a 64th of the cap is dropped, so that what is kept is never much less than it allows; but
 * so much at least, or a job would wait for the disk, where the header goes, all the time. */
#define STEP_MIN (UINT64_C(256) * 1024)

#define SCAN_BATCH 128 /* entries */

static uint64_t round_down(const struct output_cap *cap, uint64_t offset)
{
    return offset / cap->block * cap->block;
}

static uint64_t round_up(const struct output_cap *cap, uint64_t offset)
{
    return round_down(cap, offset + cap->block - 1);
}

/* Asks the file system to give back what isn't there yet: it says now whether it can. */
static int try_punch(const struct output_cap *cap, const struct output_writer *writer,
                     struct error *err)
{
    if (writer->calls->punch(writer->data_fd, 0, (off_t)cap->block) < 0)
        return error_set(err, -errno,
                         "the file system of the agent's state directory can't give back the "
                         "middle of a file (%s): keep that directory elsewhere, or choose "
                         "output.policy: stop_job",
                         strerror(errno));
    return 0;
}

int output_cap_init(struct output_cap *cap, uint64_t limit, uint64_t head,
                    enum output_cap_policy policy, const struct output_writer *writer,
                    struct error *err)
{
    struct stat status;

    *cap = (struct output_cap){.limit = limit, .head = head ? head : limit / 4, .policy = policy};
    if (limit == 0)
        return 0;
    if (limit < OUTPUT_CAP_MIN || cap->head > limit / 2)
        return error_set(err, -EINVAL, "a cap of %llu bytes with %llu of them for the first ones",
                         (unsigned long long)limit, (unsigned long long)cap->head);
    if (fstat(writer->data_fd, &status) < 0)
        return error_set(err, -errno, "can't look at the output's data: %s", strerror(errno));
    cap->block = MIN(MAX((uint64_t)status.st_blksize, BLOCK_MIN), BLOCK_MAX);
    return policy == OUTPUT_CAP_KEEP_ENDS ? try_punch(cap, writer, err) : 0;
}

/* Bytes of the index, what a full disk has held back included. */
static uint64_t index_size(const struct output_writer *writer)
{
    return output_entry_offset(writer->position + writer->batch_count);
}

static uint64_t used(const struct output_cap *cap, const struct output_writer *writer)
{
    return writer->end - cap->data_freed + index_size(writer) - cap->index_freed;
}

/* `size` bytes with their entries: full ones, a begun one at each side, and END. */
static uint64_t cost(uint64_t size)
{
    return size + (size / OUTPUT_ENTRY_BYTES_MAX + 3) * OUTPUT_ENTRY_SIZE;
}

size_t output_cap_room(const struct output_cap *cap, const struct output_writer *writer,
                       size_t size)
{
    uint64_t taken = used(cap, writer) + cost(size) - size;

    if (cap->limit == 0)
        return size;
    return taken < cap->limit ? (size_t)MIN(cap->limit - taken, (uint64_t)size) : 0;
}

/* Reads up to `count` final entries from `position` on. */
static int read_entries(const struct output_writer *writer, uint64_t position, unsigned count,
                        struct output_entry *entries)
{
    uint8_t bytes[SCAN_BATCH * OUTPUT_ENTRY_SIZE];
    int r = fd_pread_full(writer->index_fd, bytes, (size_t)count * OUTPUT_ENTRY_SIZE,
                          (off_t)output_entry_offset(position));

    if (r < 0)
        return r;
    for (unsigned i = 0; i < count; i++) {
        r = output_entry_decode(bytes + (size_t)i * OUTPUT_ENTRY_SIZE, &entries[i]);
        if (r < 0)
            return r == -ENODATA ? -EBADMSG : r;
    }
    return 0;
}

/* The last border at which data and index before it fit into the head. */
static int find_head(struct output_cap *cap, const struct output_writer *writer,
                     struct output_gap *gap)
{
    uint64_t low = 0, high = writer->position;
    struct output_entry entry;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int r = read_entries(writer, middle, 1, &entry);

        if (r < 0)
            return r;
        if (entry.end + output_entry_offset(middle + 1) <= cap->head) {
            low = middle + 1;
            gap->start = entry.end;
        } else {
            high = middle;
        }
    }
    gap->end = gap->start;
    cap->head_count = cap->tail_position = low;
    cap->data_punched = round_up(cap, gap->start);
    cap->index_punched = round_up(cap, output_entry_offset(low));
    return 0;
}

/* What a gap that ends there lets go: whole blocks behind those that are gone. */
static uint64_t freed_by(const struct output_cap *cap, uint64_t data_end, uint64_t position)
{
    uint64_t data = round_down(cap, data_end),
             index = round_down(cap, output_entry_offset(position));

    return (data > cap->data_punched ? data - cap->data_punched : 0) +
           (index > cap->index_punched ? index - cap->index_punched : 0);
}

/* Moves the gap's end forward until `need` bytes are free, but not into the last entries. */
static int widen(struct output_cap *cap, const struct output_writer *writer, uint64_t need,
                 struct output_gap *gap)
{
    struct output_entry entries[SCAN_BATCH];
    uint64_t position = cap->tail_position;

    while (position < writer->position && freed_by(cap, gap->end, position) < need) {
        unsigned count = (unsigned)MIN((uint64_t)SCAN_BATCH, writer->position - position);
        int r = read_entries(writer, position, count, entries);

        if (r < 0)
            return r;
        for (unsigned i = 0; i < count && freed_by(cap, gap->end, position) < need; i++) {
            gap->end = entries[i].end;
            if (entries[i].stream == OUTPUT_STREAM_STDERR)
                gap->stderr_bytes += entries[i].size;
            position++;
        }
    }
    cap->tail_position = position;
    return 0;
}

/* To give blocks back a file system may need some of its own, for a map that has more pieces. */
static int punch(const struct output_writer *writer, int fd, uint64_t until, uint64_t *punched,
                 uint64_t *freed)
{
    uint64_t size;

    if (until <= *punched)
        return 0;
    size = until - *punched;
    while (writer->calls->punch(fd, (off_t)*punched, (off_t)size) < 0)
        if (errno == ENOSPC || errno == EDQUOT)
            return OUTPUT_DISK_FULL;
        else if (errno != EINTR)
            return -errno;
    *punched = until;
    *freed += size;
    return 0;
}

static int punch_gap(struct output_cap *cap, const struct output_writer *writer)
{
    int r = punch(writer, writer->data_fd, round_down(cap, writer->header.gap.end),
                  &cap->data_punched, &cap->data_freed);

    if (r != 0)
        return r;
    return punch(writer, writer->index_fd, round_down(cap, output_entry_offset(cap->tail_position)),
                 &cap->index_punched, &cap->index_freed);
}

/*
 * Publishes a gap that is wider by `need` bytes; unchanged where nothing can be dropped. On the
 * disk the header comes before the holes too: else a power loss could leave holes that nobody
 * explains.
 */
static int drop(struct output_cap *cap, struct output_writer *writer, uint64_t need)
{
    struct output_gap gap = writer->header.gap;
    struct output_cap next = *cap;
    int r = 0;

    if (gap.start == gap.end)
        r = find_head(&next, writer, &gap);
    if (r == 0)
        r = widen(&next, writer, need, &gap);
    if (r < 0 || gap.end == MAX(gap.start, writer->header.gap.end))
        return r;
    r = output_writer_publish_gap(writer, &gap);
    if (r == 0)
        *cap = next;
    return r;
}

int output_cap_make_room(struct output_cap *cap, struct output_writer *writer, size_t size)
{
    uint64_t wanted, limit = cap->limit, step;
    int r;

    if (limit == 0 || cap->policy != OUTPUT_CAP_KEEP_ENDS)
        return 0;
    r = punch_gap(cap, writer); /* what a full disk has held up the last time */
    wanted = used(cap, writer) + cost(size);
    if (r != 0 || wanted <= limit)
        return r;
    step = MAX(limit / 64, MIN(STEP_MIN, limit / 8));
    r = drop(cap, writer, MAX(wanted - limit, step));
    return r != 0 ? r : punch_gap(cap, writer);
}
