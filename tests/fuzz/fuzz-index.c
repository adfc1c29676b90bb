/* SPDX-License-Identifier: Apache-2.0 */
/* An index as it may be found on a disk; checksums are mended so that the values count. Whatever it
 * says, every read of it comes to an end and never goes back. The first four bytes choose the size
 * of the data, where reading starts, streams and flags. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "output/index.h"
#include "output/reader.h"
#include "output/totals.h"

static void mend(uint8_t *part, size_t size)
{
    uint32_t crc = htole32(crc32c(0, part, size - sizeof(crc)));

    memcpy(part + size - sizeof(crc), &crc, sizeof(crc));
}

static void read_all(struct output_reader *reader)
{
    struct output_chunk chunk;
    uint8_t buffer[512];
    int r;

    while ((r = output_reader_next(reader, true, buffer, sizeof(buffer), &chunk, NULL)) >= 0 &&
           r <= OUTPUT_GAP)
        if (output_reader_offset(reader) <= chunk.offset)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_output_files_ struct output_files files = {memfd_create("data", MFD_CLOEXEC),
                                                        memfd_create("index", MFD_CLOEXEC)};
    _cleanup_output_reader_ struct output_reader *reader = NULL;
    struct output_totals totals = {};
    uint8_t index[4096] = {0};
    uint64_t offset;

    if (size < 4 || size - 4 > sizeof(index) || ftruncate(files.data, data[0] * 4) < 0)
        return 0;
    memcpy(index, data + 4, size - 4);
    mend(index, OUTPUT_HEADER_SIZE);
    for (size_t at = OUTPUT_HEADER_SIZE; at + OUTPUT_ENTRY_SIZE <= size - 4;
         at += OUTPUT_ENTRY_SIZE)
        if (index[at + 27] == 0) /* else it stays torn */
            mend(index + at, OUTPUT_ENTRY_SIZE);
    if (fd_pwrite_full(files.index, index, size - 4, 0) < 0)
        return 0;
    (void)output_totals_update(files.index, &totals, NULL);
    (void)output_index_find_time(files.index, false, data[1], &offset, NULL);
    if (output_reader_open(&files, data[1], data[2], data[3], &reader, NULL) == 0)
        read_all(reader);
    return 0;
}
