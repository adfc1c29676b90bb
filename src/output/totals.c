/* SPDX-License-Identifier: Apache-2.0 */
#include "output/totals.h"

#include <errno.h>

#include "base/error.h"
#include "output/index.h"

/*
 * Sums over final entries are kept in next_*; the last entry, which may grow, is added to the
 * answer only. Dropped entries can't be summed: the header says how much of each stream the gap
 * held, so the scan jumps from the gap's start to its end. A gap that has grown over a part that
 * was summed already changes nothing, since sums include everything before next_position.
 */

#define TOTALS_BATCH        64
#define TOTALS_STEP_BATCHES 64 /* some 100 µs */

static void totals_add(uint64_t *stdout_bytes, uint64_t *stderr_bytes,
                       const struct output_entry *entry)
{
    *(entry->stream == OUTPUT_STREAM_STDERR ? stderr_bytes : stdout_bytes) += entry->size;
}

static void totals_end(struct output_totals *totals, const struct output_entry *entry)
{
    totals->end = entry->end;
    totals->stderr_bytes = entry->stderr_bytes;
    totals->stdout_bytes = entry->end - entry->stderr_bytes;
    totals->complete = true;
    totals->lost = entry->flags & OUTPUT_ENTRY_LOST;
    totals->end_time = entry->time;
}

/* Looks for END in the last place. */
static int totals_try_end(int index_fd, bool nowait, struct output_totals *totals,
                          struct error *err)
{
    struct output_entry entry;
    uint64_t count;
    unsigned good;
    bool open;
    int r;

    r = output_index_count(index_fd, &count, err);
    if (r < 0 || count == 0)
        return r;
    r = output_index_read(index_fd, nowait, count - 1, &entry, 1, &good, &open, err);
    if (r == 0 && good == 1 && entry.kind == OUTPUT_ENTRY_END)
        totals_end(totals, &entry);
    return r;
}

static int totals_jump(int index_fd, bool nowait, const struct output_gap *gap,
                       struct output_totals *totals, struct error *err)
{
    int r = output_index_find_offset(index_fd, nowait, gap->end, gap, &totals->next_position, err);

    if (r < 0)
        return r;
    totals->next_stderr += gap->stderr_bytes;
    totals->next_stdout += gap->end - gap->start - gap->stderr_bytes;
    return 0;
}

static bool totals_stand_at_gap(const struct output_totals *totals, const struct output_gap *gap)
{
    return gap->start != gap->end && totals->next_stdout + totals->next_stderr == gap->start;
}

/* Sums one batch. Returns 1 when there may be more, 0 at the end. */
static int totals_step(int index_fd, bool nowait, struct output_totals *totals, struct error *err)
{
    struct output_entry entries[TOTALS_BATCH];
    struct output_header header;
    unsigned count;
    bool open;
    int r;

    r = output_index_header(index_fd, nowait, &header, err);
    if (r < 0)
        return r;
    if (totals_stand_at_gap(totals, &header.gap)) {
        r = totals_jump(index_fd, nowait, &header.gap, totals, err);
        return r < 0 ? r : 1;
    }
    r = output_index_read(index_fd, nowait, totals->next_position, entries, TOTALS_BATCH, &count,
                          &open, err);
    if (r < 0)
        return r;

    totals->stdout_bytes = totals->next_stdout;
    totals->stderr_bytes = totals->next_stderr;
    for (unsigned i = 0; i < count && entries[i].kind == OUTPUT_ENTRY_DATA; i++) {
        totals_add(&totals->stdout_bytes, &totals->stderr_bytes, &entries[i]);
        if (open && i == count - 1)
            break;
        totals_add(&totals->next_stdout, &totals->next_stderr, &entries[i]);
        totals->next_position++;
        if (totals_stand_at_gap(totals, &header.gap))
            return 1;
    }
    totals->end = totals->stdout_bytes + totals->stderr_bytes;
    return count == TOTALS_BATCH && !open;
}

int output_totals_step(int index_fd, bool nowait, struct output_totals *totals, struct error *err)
{
    int r;

    if (totals->complete)
        return 0;
    r = totals_try_end(index_fd, nowait, totals, err);
    if (r < 0 || totals->complete)
        return r;
    r = 1;
    for (unsigned batch = 0; r > 0 && batch < TOTALS_STEP_BATCHES; batch++)
        r = totals_step(index_fd, nowait, totals, err);
    return r;
}

int output_totals_update(int index_fd, struct output_totals *totals, struct error *err)
{
    bool again = true;
    int r;

    while ((r = output_totals_step(index_fd, false, totals, err)) != 0) {
        if (r == -ENODATA && again) { /* the gap has grown over the place where the scan stood */
            *totals = (struct output_totals){};
            again = false;
        } else if (r < 0) {
            return r;
        }
    }
    return 0;
}
