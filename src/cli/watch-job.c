/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/watch-job.h"

#include <errno.h>
#include <string.h>

#include "api/moment.h"
#include "base/buffer.h"
#include "base/error.h"
#include "cli/session.h"

static int watch_ask(struct session *session, const char *name, usec_t interval,
                     struct grpc_client_call **ret)
{
    Hoist__V1__WatchJobRequest request = HOIST__V1__WATCH_JOB_REQUEST__INIT;
    _cleanup_buffer_ struct buffer bytes = {0};
    int r;

    request.name = (char *)name;
    r = api_duration_set(&request.interval, interval);
    if (r == 0)
        r = api_pack(&request.base, &bytes);
    api_free(request.interval ? &request.interval->base : NULL);
    if (r == 0)
        r = grpc_client_call_new(session->channel, METHOD_JOB("WatchJob"), buffer_bytes(&bytes),
                                 buffer_size(&bytes), NULL, ret);
    if (r < 0)
        tell("the job can't be asked for: %s", strerror(-r));
    return r;
}

static int watch_show(const struct session *session, const uint8_t *data, size_t size,
                      watch_job_fn *show)
{
    _cleanup_api_message_ Hoist__V1__WatchJobResponse *response = NULL;

    if (api_unpack_as(hoist__v1__watch_job_response, API_FROM_SERVER, data, size, &response, NULL) <
            0 ||
        !response->job) {
        tell("the agent's answer makes no sense");
        return -EPROTO;
    }
    return show(session, response->job);
}

static int watch_end(struct grpc_client_call *call)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    int r = session_result(grpc_client_call_result(call), &error);

    if (r < 0)
        tell_error(&error);
    return r;
}

int watch_job(struct session *session, const char *name, usec_t interval, watch_job_fn *show)
{
    struct grpc_client_call *call = NULL;
    const uint8_t *data;
    size_t size;
    int r = watch_ask(session, name, interval, &call);

    while (r == 0) {
        r = grpc_client_call_read(call, session->interrupt_fd, &data, &size);
        if (r <= 0)
            break;
        r = watch_show(session, data, size, show);
    }
    if (r == 0)
        r = watch_end(call);
    grpc_client_call_free(call);
    return r == -EINTR ? 0 : r;
}
