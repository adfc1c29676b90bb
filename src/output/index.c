/* SPDX-License-Identifier: Apache-2.0 */
#include "output/index.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "output/read-at.h"

/*
 * read(2) and write(2) of the same bytes are not atomic to each other on most file systems, so
 * whoever reads what is just being rewritten can get half of each. Only two things are ever
 * rewritten, the header and the last entry; both carry a checksum. A copy of 32 or 64 bytes takes
 * nanoseconds, hence a few more tries; a writer that lost its CPU in the middle of one is not
 * waited for: its write ends with a notification.
 */
#define TORN_TRIES 16

/* Entries per read when many are passed. */
#define SCAN_BATCH 128

/* The page cache ends at a multiple of it: of the smallest page, and so of any. */
#define CACHED_PAGE 4096

int output_index_header(int index_fd, bool nowait, struct output_header *ret, struct error *err)
{
    uint8_t bytes[OUTPUT_HEADER_SIZE];
    int r = -EBADMSG;

    for (unsigned i = 0; i < TORN_TRIES && r == -EBADMSG; i++) {
        ssize_t n = output_read_at(index_fd, nowait, bytes, sizeof(bytes), 0);

        if (i > 0)
            (void)sched_yield(); /* only a courtesy to the writer */
        if (n < 0)
            return error_set(err, (int)n, "can't read the output's index: %s", strerror((int)-n));
        r = n == OUTPUT_HEADER_SIZE ? output_header_decode(bytes, ret) : -EBADMSG;
    }
    if (r == -EBADMSG)
        return error_set(err, r, "the header of the output's index is damaged");
    if (r < 0)
        return error_set(err, r, "the output's index is of a version that this program can't read");
    return 0;
}

int output_index_count(int index_fd, uint64_t *ret, struct error *err)
{
    struct stat status;

    if (fstat(index_fd, &status) < 0)
        return error_set(err, -errno, "can't look at the output's index: %s", strerror(errno));
    *ret = status.st_size > OUTPUT_HEADER_SIZE
               ? ((uint64_t)status.st_size - OUTPUT_HEADER_SIZE) / OUTPUT_ENTRY_SIZE
               : 0;
    return 0;
}

/* Decodes as many as are good; -errno is of the first one when that isn't. */
static int entries_decode(const uint8_t *bytes, unsigned count, struct output_entry *entries,
                          unsigned *ret_count)
{
    unsigned good = 0;
    int r = 0;

    for (; good < count; good++) {
        r = output_entry_decode(bytes + (size_t)good * OUTPUT_ENTRY_SIZE, &entries[good]);
        if (r < 0)
            break;
    }
    if (r < 0 && good == 0)
        return r;
    *ret_count = good;
    return 0;
}

/*
 * Where a read ended that got less than it asked for: at the end of the file, unless it was told
 * not to wait and the page cache ended there. *ret_cut: the cache did.
 */
static int find_cut(int index_fd, bool nowait, uint64_t position, bool *ret_cut, struct error *err)
{
    uint64_t total;
    int r;

    *ret_cut = false;
    if (!nowait || output_entry_offset(position) % CACHED_PAGE != 0)
        return 0;
    r = output_index_count(index_fd, &total, err);
    *ret_cut = r == 0 && total > position;
    return r;
}

/*
 * One try of output_index_read(). One entry more than asked for is read: when there is one, the one
 * before it is final, and nobody has to ask for the size of the file.
 */
static int entries_read(int index_fd, bool nowait, uint64_t position, struct output_entry *entries,
                        unsigned count, unsigned *ret_count, bool *ret_open, struct error *err)
{
    /* Clearing it, as all that is on the stack is, would cost a live line more than the read. */
    __attribute__((uninitialized)) uint8_t bytes[(SCAN_BATCH + 1) * OUTPUT_ENTRY_SIZE];
    unsigned whole, given;
    bool cut = false;
    ssize_t n;
    int r;

    *ret_count = 0;
    *ret_open = false;
    count = MIN(count, (unsigned)SCAN_BATCH);
    n = output_read_at(index_fd, nowait, bytes, (size_t)(count + 1) * OUTPUT_ENTRY_SIZE,
                       output_entry_offset(position));
    if (n < 0)
        return error_set(err, (int)n, "can't read the output's index: %s", strerror((int)-n));
    whole = (unsigned)((size_t)n / OUTPUT_ENTRY_SIZE);
    if (whole == 0) /* the end of the file; that of the page cache is -EAGAIN */
        return 0;
    if (whole <= count) {
        r = find_cut(index_fd, nowait, position + whole, &cut, err);
        if (r < 0)
            return r;
    }
    given = cut ? whole - 1 : MIN(whole, count); /* what is cut off is there: the last is known */
    if (given == 0)
        return error_set(err, -EAGAIN, "the output's index isn't in the page cache");

    r = entries_decode(bytes, given, entries, ret_count);
    if (r < 0)
        return error_set(err, r, "entry %llu of the output's index is %s",
                         (unsigned long long)position, r == -ENODATA ? "gone" : "damaged");
    *ret_open = *ret_count == whole && entries[whole - 1].kind != OUTPUT_ENTRY_END;
    return 0;
}

/* Once more, as the first entry couldn't be used: whatever the last one of a file may be, it isn't
 * there yet. */
static int entries_read_again(int index_fd, bool nowait, uint64_t position,
                              struct output_entry *entries, unsigned count, unsigned *ret_count,
                              bool *ret_open, struct error *err)
{
    uint64_t total = 0;
    int r = -EBADMSG;

    for (unsigned i = 0; i < TORN_TRIES && r == -EBADMSG; i++) {
        (void)sched_yield(); /* only a courtesy to the writer */
        r = output_index_count(index_fd, &total, err);
        if (r == 0)
            r = entries_read(index_fd, nowait, position, entries, count, ret_count, ret_open, err);
    }
    return (r == -EBADMSG || r == -ENODATA) && position + 1 >= total ? 0 : r;
}

int output_index_read(int index_fd, bool nowait, uint64_t position, struct output_entry *entries,
                      unsigned count, unsigned *ret_count, bool *ret_open, struct error *err)
{
    int r;

    assert(count > 0);
    r = entries_read(index_fd, nowait, position, entries, count, ret_count, ret_open, err);
    if (r == -EBADMSG || r == -ENODATA)
        r = entries_read_again(index_fd, nowait, position, entries, count, ret_count, ret_open,
                               err);
    return r;
}

int output_index_find_offset(int index_fd, bool nowait, uint64_t offset,
                             const struct output_gap *gap, uint64_t *ret_position,
                             struct error *err)
{
    uint64_t low = 0, high;
    int r;

    r = output_index_count(index_fd, &high, err);
    if (r < 0)
        return r;
    if (offset == 0)
        high = 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct output_entry entry;
        unsigned count;
        bool open, beyond;

        r = output_index_read(index_fd, nowait, middle, &entry, 1, &count, &open, err);
        if (r == -ENODATA)
            beyond = offset < gap->end;
        else if (r < 0)
            return r;
        else
            beyond = count == 0 || entry.kind == OUTPUT_ENTRY_END || entry.end > offset;
        if (beyond)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_position = low;
    return 0;
}

/* The first entry at or after `position` that was not dropped; *ret_count 0: there is none. */
static int index_read_kept(int index_fd, bool nowait, uint64_t position, struct output_entry *entry,
                           unsigned *ret_count, struct error *err)
{
    bool open;
    int r;

    while ((r = output_index_read(index_fd, nowait, position, entry, 1, ret_count, &open, err)) ==
           -ENODATA) {
        off_t next;

        position++;
        next = lseek(index_fd, (off_t)output_entry_offset(position), SEEK_DATA);
        if (next > OUTPUT_HEADER_SIZE)
            position = MAX(position, ((uint64_t)next - OUTPUT_HEADER_SIZE) / OUTPUT_ENTRY_SIZE);
    }
    return r;
}

int output_index_find_time(int index_fd, bool nowait, usec_t time, uint64_t *ret_offset,
                           struct error *err)
{
    struct output_entry entry;
    uint64_t low = 0, high, offset = 0;
    unsigned count;
    bool open;
    int r;

    r = output_index_count(index_fd, &high, err);
    if (r < 0)
        return r;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        r = index_read_kept(index_fd, nowait, middle, &entry, &count, err);
        if (r < 0)
            return r;
        if (count == 0 || entry.kind == OUTPUT_ENTRY_END || entry.time >= time)
            high = middle;
        else
            low = middle + 1;
    }

    r = index_read_kept(index_fd, nowait, low, &entry, &count, err);
    if (r < 0)
        return r;
    if (count > 0) {
        offset = entry.kind == OUTPUT_ENTRY_END ? entry.end : output_entry_start(&entry);
    } else if (low > 0) {
        r = output_index_read(index_fd, nowait, low - 1, &entry, 1, &count, &open, err);
        if (r < 0)
            return r;
        offset = count > 0 ? entry.end : 0;
    }
    *ret_offset = offset;
    return 0;
}
