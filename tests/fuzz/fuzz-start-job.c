/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a StartJobRequest: unpacked strictly, checked, and its error packed for the way
 * back. */
#include "api/error.h"
#include "api/message.h"
#include "api/start-job-check.h"
#include "base/buffer.h"
#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_api_message_ Hoist__V1__StartJobRequest *request = NULL;
    _cleanup_api_error_ struct api_error error = {0};
    _cleanup_buffer_ struct buffer out = {0};
    struct error err;

    if (api_unpack_as(hoist__v1__start_job_request, API_FROM_CLIENT, data, size, &request, &err) <
        0)
        (void)api_error_set_from_unpack(&error, &err);
    else
        (void)start_job_check(request, &error);
    (void)api_error_pack_details(&error, &out);
    return 0;
}
