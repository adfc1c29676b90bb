/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of the launcher's socket, from both sides: refused, or such that they can be sent again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "wire/launcher-messages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_launcher_request_ struct launcher_request request = LAUNCHER_REQUEST_NULL;
    _cleanup_buffer_ struct buffer out = {.limit = 0};
    static struct launcher_answer answer;
    struct error err;

    if (launcher_request_decode(data, size, &request, &err) == 0 &&
        launcher_request_encode(&request, &out, &err) < 0)
        abort();
    buffer_clear(&out);
    if (launcher_answer_decode(data, size, &answer, &err) == 0 &&
        launcher_answer_encode(&answer, &out, &err) < 0)
        abort();
    return 0;
}
