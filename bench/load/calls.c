/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "api/message.h"
#include "base/buffer.h"
#include "base/fd.h"
#include "load.h"
#include "measure.h"

#define METHOD_GET_JOB "/hoist.v1.JobService/GetJob"
#define METHOD_PING    "/hoist.v1.AgentService/Ping"

#define PARALLEL_MAX 100 /* the agent's limit for a connection */
#define COUNT_MAX    1000000

struct request {
    const char *method;
    struct buffer message; /* empty for Ping */
};

static void request_pack(struct request *request, const char *job)
{
    Hoist__V1__GetJobRequest message = HOIST__V1__GET_JOB_REQUEST__INIT;

    request->method = job ? METHOD_GET_JOB : METHOD_PING;
    message.name = (char *)(uintptr_t)job; /* packing only reads */
    if (job && api_pack(&message.base, &request->message) < 0)
        measure_usage("out of memory");
}

static struct grpc_client_call *begin(struct grpc_channel *channel, const struct request *request)
{
    struct grpc_client_call *call = NULL;

    if (grpc_client_call_new(channel, request->method, buffer_bytes(&request->message),
                             buffer_size(&request->message), NULL, &call) < 0)
        measure_usage("a call can't be made");
    return call;
}

static void measure_latency(struct grpc_channel *channel, const struct request *request,
                            double *samples, unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        uint64_t before = measure_nanoseconds();
        struct grpc_client_call *call = begin(channel, request);
        const uint8_t *message;
        size_t size;

        while (load_next(call, &message, &size))
            ;
        grpc_client_call_free(call);
        samples[i] = (double)(measure_nanoseconds() - before) / 1e3;
    }
}

/* True when the call in this place is over: another takes it. */
static bool is_over(struct grpc_client_call *call)
{
    const struct grpc_result *result;
    const uint8_t *message;
    size_t size;

    while (grpc_client_call_next(call, &message, &size) == 1)
        ;
    result = grpc_client_call_result(call);
    if (result)
        load_check(result);
    return result != NULL;
}

/* Keeps `parallel` calls under way until `count` are over; returns calls a second. */
static double measure_rate(struct grpc_channel *channel, const struct request *request,
                           unsigned long count, unsigned long parallel)
{
    struct grpc_client_call *calls[PARALLEL_MAX] = {NULL};
    double start = measure_seconds();
    unsigned long over = 0;

    for (unsigned long i = 0; i < parallel; i++)
        calls[i] = begin(channel, request);
    while (over < count) {
        if (grpc_channel_wait(channel, USEC_INFINITY, FD_NONE, NULL) < 0)
            measure_usage("the connection was lost");
        for (unsigned long i = 0; i < parallel; i++)
            if (is_over(calls[i])) {
                grpc_client_call_free(calls[i]);
                calls[i] = begin(channel, request);
                over++;
            }
    }
    start = measure_seconds() - start;
    for (unsigned long i = 0; i < parallel; i++)
        grpc_client_call_free(calls[i]);
    return (double)over / start;
}

void load_calls(const char *job, unsigned long count, unsigned long parallel)
{
    struct request request = {.method = NULL};
    struct grpc_channel *channel;
    double *samples;

    if (parallel > PARALLEL_MAX || count > COUNT_MAX)
        measure_usage("so many calls are too many");
    samples = calloc(count, sizeof(*samples));
    if (!samples)
        measure_die("memory");
    request_pack(&request, job);
    channel = load_connect();
    measure_latency(channel, &request, samples, count / 10 + 1); /* to warm up */
    measure_latency(channel, &request, samples, count);
    (void)printf("{");
    measure_print_percentiles("latency_us", samples, count);
    (void)printf(", \"calls_per_second\": %.0f}\n",
                 measure_rate(channel, &request, 10 * count, parallel));
    grpc_channel_free(channel);
    buffer_done(&request.message);
    free(samples);
}
