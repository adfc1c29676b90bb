/* SPDX-License-Identifier: Apache-2.0 */
/* Specifications and outcomes as recovery reads them: what is read is written and read as the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "wire/outcome.h"
#include "wire/specification.h"

static void read_specification(const uint8_t *data, size_t size)
{
    _cleanup_specification_ struct specification it = {.spec = JOB_SPEC_NULL};
    _cleanup_specification_ struct specification again = {.spec = JOB_SPEC_NULL};
    _cleanup_buffer_ struct buffer bytes = {.limit = 0};

    if (specification_decode(data, size, &it, NULL) < 0 || specification_encode(&it, &bytes) < 0)
        return;
    if (buffer_size(&bytes) <= SPECIFICATION_SIZE_MAX &&
        specification_decode(buffer_bytes(&bytes), buffer_size(&bytes), &again, NULL) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_outcome_ struct outcome outcome = {.state = 0};

    read_specification(data, size);
    (void)outcome_decode(data, size, &outcome, NULL);
    return 0;
}
