/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/call.h"
#include "agent/rpc.h"
#include "base/cleanup.h"

/*
 * grpc.health.v1: the whole server ("") and its two services live and go down together. Check
 * answers NOT_FOUND for a service that isn't here; Watch says SERVICE_UNKNOWN and stays, as the
 * protocol wants it.
 */

static bool service_is_known(const char *service)
{
    static const char *const services[] = {"", "hoist.v1.JobService", "hoist.v1.AgentService"};

    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        if (strcmp(services[i], service) == 0)
            return true;
    return false;
}

static Grpc__Health__V1__HealthCheckResponse__ServingStatus status_of(const struct agent *agent,
                                                                      const char *service)
{
    if (!service_is_known(service))
        return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
    if (atomic_load(&agent->shutting_down))
        return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
}

static const char *service_of(const struct agent_call *call)
{
    return ((const Grpc__Health__V1__HealthCheckRequest *)(void *)call->request)->service;
}

void rpc_health_check_here(struct agent_call *call, struct grpc_call *grpc)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    if (!service_is_known(service_of(call))) {
        (void)grpc_call_fail(grpc, GRPC_STATUS_NOT_FOUND, "there is no such service here", NULL, 0);
        return;
    }
    response.status = status_of(call->agent, service_of(call));
    agent_call_answer(call, grpc, &response.base);
}

/* A watched service: says what has changed since it was last asked, every second at most. */
struct health_source {
    struct source source;
    struct agent_call *call;
    struct grpc_call *grpc;
    struct grpc_timer *timer;
    int told; /* the status sent last; -1: none */
};

#define HEALTH_INTERVAL USEC_PER_SEC

static void health_source_free(struct source *source)
{
    struct health_source *health = (struct health_source *)(void *)source;

    grpc_timer_free(health->timer);
    free(health);
}

static void health_elapsed(void *arg)
{
    struct health_source *health = arg;

    grpc_timer_set(health->timer, clock_boot() + HEALTH_INTERVAL);
    grpc_call_resume(health->grpc);
}

static enum grpc_pull health_pull(struct grpc_call *grpc, uint8_t *buffer, size_t room,
                                  size_t *ret_size, void *arg)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    struct health_source *health = arg;

    (void)room; /* a few bytes always fit */
    response.status = status_of(health->call->agent, service_of(health->call));
    if ((int)response.status == health->told && health->call->drains) {
        agent_call_drained(health->call, grpc);
        return GRPC_PULL_END;
    }
    if ((int)response.status == health->told)
        return GRPC_PULL_WAIT;
    health->told = (int)response.status;
    *ret_size = protobuf_c_message_pack(&response.base, buffer);
    return GRPC_PULL_MESSAGE;
}

static const struct grpc_source_ops health_ops = {.pull = health_pull};

void rpc_health_watch_here(struct agent_call *call, struct grpc_call *grpc)
{
    struct health_source *health = calloc(1, sizeof(*health));

    if (health)
        health->timer = grpc_timer_new(grpc_call_thread(grpc), health_elapsed, health);
    if (!health || !health->timer) {
        free(health);
        (void)grpc_call_fail(grpc, GRPC_STATUS_RESOURCE_EXHAUSTED, "the agent has no memory left",
                             NULL, 0);
        return;
    }
    health->source.free = health_source_free;
    health->call = call;
    health->grpc = grpc;
    health->told = -1;
    call->source = &health->source;
    grpc_timer_set(health->timer, clock_boot() + HEALTH_INTERVAL);
    (void)grpc_call_set_source(grpc, &health_ops, health);
}
