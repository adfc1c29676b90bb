/* SPDX-License-Identifier: Apache-2.0 */
#include "output/fetch.h"

#include <errno.h>

#include "base/fd.h"
#include "output/index.h"
#include "output/read-at.h"
#include "output/reader.h"

#define PIECE   ((size_t)64 * 1024)
#define ENTRIES 64

int output_fetch_init(struct output_fetch *fetch, const struct output_reader *reader)
{
    const struct output_files *files = output_reader_files(reader);

    fetch->kind = OUTPUT_FETCH_CHUNK;
    fetch->offset = output_reader_offset(reader);
    fetch->files.data = fd_duplicate(files->data);
    if (fetch->files.data < 0)
        return -errno;
    fetch->files.index = fd_duplicate(files->index);
    if (fetch->files.index < 0) {
        int r = -errno;

        fetch->files.data = fd_close(fetch->files.data);
        return r;
    }
    return 0;
}

void output_fetch_done(struct output_fetch *fetch)
{
    output_files_close(&fetch->files);
}

/* The header, the way to the entry of `offset`, and those behind it. */
static void fetch_index(const struct output_fetch *fetch)
{
    struct output_entry entries[ENTRIES];
    struct output_header header;
    uint64_t position;
    unsigned count;
    bool open;

    if (output_index_header(fetch->files.index, false, &header, NULL) == 0 &&
        output_index_find_offset(fetch->files.index, false, fetch->offset, &header.gap, &position,
                                 NULL) == 0)
        (void)output_index_read(fetch->files.index, false, position, entries, ENTRIES, &count,
                                &open, NULL);
}

static void fetch_chunk(const struct output_fetch *fetch)
{
    uint8_t piece[PIECE];

    fetch_index(fetch);
    for (uint64_t at = 0; at < OUTPUT_FETCH_BYTES; at += sizeof(piece))
        if (output_read_at(fetch->files.data, false, piece, sizeof(piece), fetch->offset + at) <= 0)
            return;
}

static void fetch_tail(const struct output_fetch *fetch)
{
    struct output_tail tail = fetch->tail;
    uint64_t offset;

    tail.files = fetch->files;
    (void)output_tail_step(&tail, false, &offset, NULL);
}

void output_fetch_run(const struct output_fetch *fetch)
{
    struct output_totals totals;
    uint64_t offset;

    switch (fetch->kind) {
    case OUTPUT_FETCH_TIME:
        (void)output_index_find_time(fetch->files.index, false, fetch->time, &offset, NULL);
        break;
    case OUTPUT_FETCH_TAIL:
        fetch_tail(fetch);
        break;
    case OUTPUT_FETCH_TOTALS:
        totals = fetch->totals;
        (void)output_totals_step(fetch->files.index, false, &totals, NULL);
        break;
    case OUTPUT_FETCH_CHUNK:
    default:
        fetch_chunk(fetch);
        break;
    }
}
