/* SPDX-License-Identifier: Apache-2.0 */
/* The state file as the agent reads it after a crash; checksums are mended so that the values
 * count. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "wire/state-file.h"

#define SLOT 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t file[STATE_FILE_SIZE] = {0};
    struct state_file state;

    memcpy(file, data, size < sizeof(file) ? size : sizeof(file));
    (void)state_file_parse(file, &state, NULL);
    for (uint8_t *slot = file; slot < file + sizeof(file); slot += SLOT) {
        uint32_t crc = crc32c(0, slot, SLOT - sizeof(crc));

        memcpy(slot + SLOT - sizeof(crc), &crc, sizeof(crc));
    }
    if (state_file_parse(file, &state, NULL) == 0 &&
        strlen(state.progress.sentence) >= STATE_SENTENCE_MAX)
        abort();
    return 0;
}
