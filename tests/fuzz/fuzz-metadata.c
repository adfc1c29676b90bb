/* SPDX-License-Identifier: Apache-2.0 */

/* The values of headers: timeouts, statuses, escaped texts, base64, and the counting of fields. */
#include <assert.h>
#include <string.h>

#include "grpc/frame.h"
#include "grpc/metadata.h"
#include "grpc/status.h"
#include "grpc/timeout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_buffer_ struct buffer text = {0}, bytes = {0}, again = {0};
    _cleanup_(metadata_done) struct metadata metadata = {0};
    char timeout[GRPC_TIMEOUT_TEXT_MAX];
    const uint8_t *message;
    size_t length;
    usec_t usec;

    if (size > 65536)
        return 0;
    if (grpc_timeout_parse(data, size, &usec) == 0)
        assert(strlen(grpc_timeout_format(usec, timeout)) < GRPC_TIMEOUT_TEXT_MAX);
    (void)grpc_status_parse(data, size);
    assert(grpc_message_decode(&text, data, size) == 0 && buffer_size(&text) <= size);
    if (grpc_base64_decode(&bytes, data, size) == 0)
        assert(grpc_base64_encode(&again, buffer_bytes(&bytes), buffer_size(&bytes)) == 0 &&
               buffer_size(&again) <= size);
    for (size_t i = 0; i + 1 < size; i += 1 + (size_t)data[i])
        (void)metadata_add(&metadata, data + i, MIN(size - i, data[i] / 8U), data, i);
    (void)metadata_get(&metadata, "te");
    assert(frame_parse(data, size, 1024, &message, &length) != 1 || length <= 1024);
    return 0;
}
