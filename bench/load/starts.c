/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "api/message.h"
#include "base/buffer.h"
#include "load.h"
#include "measure.h"

#define COUNT_MAX 100000

struct samples {
    double *started; /* request → the command was executed */
    double *ended;   /* request → the job has ended */
};

/* One job: started, waited for, and removed so that the next ones find what this one found. */
static void run_one(struct grpc_channel *channel, double *ret_started, double *ret_ended)
{
    static uint8_t program[] = "/bin/true";
    Hoist__V1__StartJobRequest start = HOIST__V1__START_JOB_REQUEST__INIT;
    Hoist__V1__JobSpec spec = HOIST__V1__JOB_SPEC__INIT;
    Hoist__V1__WaitJobRequest wait = HOIST__V1__WAIT_JOB_REQUEST__INIT;
    Hoist__V1__DeleteJobRequest remove = HOIST__V1__DELETE_JOB_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__Job *job = NULL;
    _cleanup_buffer_ struct buffer answer = {0};
    uint64_t begin;

    spec.command = (ProtobufCBinaryData){sizeof(program) - 1, program};
    start.spec = &spec;
    begin = measure_nanoseconds();
    load_call(channel, "/hoist.v1.JobService/StartJob", &start.base, &answer);
    *ret_started = (double)(measure_nanoseconds() - begin) / 1e3;
    if (api_unpack_as(hoist__v1__job, API_FROM_SERVER, buffer_bytes(&answer), buffer_size(&answer),
                      &job, NULL) < 0)
        measure_usage("the answer makes no sense");
    wait.name = remove.name = job->name;
    load_call(channel, "/hoist.v1.JobService/WaitJob", &wait.base, NULL);
    *ret_ended = (double)(measure_nanoseconds() - begin) / 1e3;
    load_call(channel, "/hoist.v1.JobService/DeleteJob", &remove.base, NULL);
}

void load_starts(unsigned long count)
{
    struct samples samples = {calloc(count, sizeof(double)), calloc(count, sizeof(double))};
    struct grpc_channel *channel;

    if (count > COUNT_MAX)
        measure_usage("so many jobs are too many");
    if (!samples.started || !samples.ended)
        measure_die("memory");
    channel = load_connect();
    run_one(channel, samples.started, samples.ended); /* to warm up */
    for (unsigned long i = 0; i < count; i++)
        run_one(channel, &samples.started[i], &samples.ended[i]);
    (void)printf("{");
    measure_print_percentiles("started_us", samples.started, count);
    (void)printf(", ");
    measure_print_percentiles("ended_us", samples.ended, count);
    (void)printf("}\n");
    grpc_channel_free(channel);
    free(samples.started);
    free(samples.ended);
}
