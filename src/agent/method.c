/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/method.h"

#include "agent/rpc.h"
#include "base/cleanup.h"

#define JOB_SERVICE   "/hoist.v1.JobService/"
#define AGENT_SERVICE "/hoist.v1.AgentService/"
#define HEALTH        "/grpc.health.v1.Health/"

#define LASTS true
#define ENDS  false

/* clang-format off */
#define UNARY(service, method) .grpc = {.path = service method, .kind = GRPC_KIND_UNARY}, .name = (method)
#define STREAM(service, method) .grpc = {.path = service method, .kind = GRPC_KIND_SERVER_STREAMING}, .name = (method)

const struct method methods[] = {
    {UNARY(JOB_SERVICE, "StartJob"), &hoist__v1__start_job_request__descriptor, PERMISSION_START, ENDS, NULL, rpc_start_job},
    {UNARY(JOB_SERVICE, "StopJob"), &hoist__v1__stop_job_request__descriptor, PERMISSION_STOP, ENDS, NULL, rpc_stop_job},
    {UNARY(JOB_SERVICE, "SignalJob"), &hoist__v1__signal_job_request__descriptor, PERMISSION_STOP, ENDS, NULL, rpc_signal_job},
    {UNARY(JOB_SERVICE, "GetJob"), &hoist__v1__get_job_request__descriptor, PERMISSION_SEE, ENDS, NULL, rpc_get_job},
    {UNARY(JOB_SERVICE, "ListJobs"), &hoist__v1__list_jobs_request__descriptor, PERMISSION_SEE, ENDS, NULL, rpc_list_jobs},
    {UNARY(JOB_SERVICE, "WaitJob"), &hoist__v1__wait_job_request__descriptor, PERMISSION_SEE, LASTS, NULL, rpc_wait_job},
    {STREAM(JOB_SERVICE, "WatchJob"), &hoist__v1__watch_job_request__descriptor, PERMISSION_SEE, LASTS, rpc_watch_job_here, rpc_watch_job},
    {STREAM(JOB_SERVICE, "StreamOutput"), &hoist__v1__stream_output_request__descriptor, PERMISSION_READ, LASTS, NULL, rpc_stream_output},
    {UNARY(JOB_SERVICE, "DeleteJob"), &hoist__v1__delete_job_request__descriptor, PERMISSION_STOP, ENDS, NULL, rpc_delete_job},
    {UNARY(AGENT_SERVICE, "Ping"), &hoist__v1__ping_request__descriptor, PERMISSION_NONE, ENDS, rpc_ping_here, NULL},
    {UNARY(AGENT_SERVICE, "GetInfo"), &hoist__v1__get_info_request__descriptor, PERMISSION_INFO, ENDS, NULL, rpc_get_info},
    {UNARY(HEALTH, "Check"), &grpc__health__v1__health_check_request__descriptor, PERMISSION_NONE, ENDS, rpc_health_check_here, NULL},
    {STREAM(HEALTH, "Watch"), &grpc__health__v1__health_check_request__descriptor, PERMISSION_NONE, LASTS, rpc_health_watch_here, NULL},
};
/* clang-format on */

const size_t methods_count = ARRAY_SIZE(methods);

static struct grpc_method table[ARRAY_SIZE(methods)];

const struct grpc_method *method_table(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        table[i] = methods[i].grpc;
        table[i].id = (unsigned)i;
    }
    return table;
}
