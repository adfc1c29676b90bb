/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/agent.h"
#include "agent/call.h"
#include "agent/rpc.h"
#include "api/moment.h"
#include "base/strv.h"

/* What a job of this class has that asks for nothing else. */
static int fill_class_output(const struct config *config, const struct class *class,
                             Hoist__V1__ClassInfo *message)
{
    const struct output_rules agent = config_output_rules(&config->output);
    const struct output_rules rules = output_rules_choose(&agent, &class->output);

    message->output_cap = api_new(hoist__v1__amount);
    if (!message->output_cap)
        return -ENOMEM;
    message->output_cap->value = rules.cap;
    message->output_policy = rules.stop_at_cap ? HOIST__V1__OUTPUT_POLICY__OUTPUT_POLICY_STOP_JOB
                                               : HOIST__V1__OUTPUT_POLICY__OUTPUT_POLICY_KEEP_ENDS;
    return 0;
}

static int fill_classes(const struct config *config, Hoist__V1__GetInfoResponse *info)
{
    const struct classes *classes = &config->classes;

    for (size_t i = 0; i < classes->count; i++) {
        const struct class *class = &classes->list[i];
        Hoist__V1__ClassInfo *message = api_new(hoist__v1__class_info);
        int r;

        if (!message)
            return -ENOMEM;
        r = api_set_text(&message->name, class->name);
        if (r == 0) {
            message->limits = api_new(hoist__v1__limits);
            r = message->limits ? 0 : -ENOMEM;
        }
        for (unsigned limit = 0; r == 0 && limit < _LIMIT_MAX; limit++)
            if (limit_is_given(&class->limits, limit))
                r = api_limits_set(message->limits, limit_name(limit), class->limits.value[limit]);
        if (r == 0)
            r = fill_class_output(config, class, message);
        if (r == 0)
            r = api_append_take(&info->n_classes, &info->classes, message);
        if (r < 0) {
            api_free(&message->base);
            return r;
        }
    }
    return 0;
}

/* As it is for a job of the default profile: in others other disks are in sight. */
static int fill_limit_support(const struct launcher_hello *launcher, enum limit limit,
                              Hoist__V1__LimitSupport *support)
{
    _cleanup_free_ char *detail = NULL;
    const char *controller = limit_controller(limit);
    int r = api_set_text(&support->name, limit_name(limit));

    if (r < 0)
        return r;
    if (!(launcher->enforceable & LIMIT_BIT(limit)))
        detail = controller
                     ? text_format("no controller \"%s\" for cgroup v2 on this host", controller)
                     : strdup("this host lets no process raise it");
    else if (text_equal(controller, "io") && !text_is_empty(launcher->unlimited_place))
        detail = text_format("not enforceable here: %s", launcher->unlimited_place);
    else
        support->enforceable = true;
    if (!detail)
        return support->enforceable ? 0 : -ENOMEM;
    return api_set_text(&support->detail, detail);
}

static int fill_support(const struct launcher_hello *launcher, Hoist__V1__GetInfoResponse *info)
{
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++) {
        Hoist__V1__LimitSupport *support = api_new(hoist__v1__limit_support);
        int r = support ? fill_limit_support(launcher, limit, support) : -ENOMEM;

        if (r == 0)
            r = api_append_take(&info->n_limits, &info->limits, support);
        if (r < 0) {
            if (support)
                api_free(&support->base);
            return r;
        }
    }
    return 0;
}

static int fill_host(const struct agent *agent, Hoist__V1__GetInfoResponse *info)
{
    char boot_id[ID_TEXT_MAX];
    struct utsname kernel = {.release = ""};
    int r;

    (void)uname(&kernel); /* fails only for a bad address */
    r = api_set_text(&info->version, HOIST_VERSION);
    if (r == 0)
        r = api_set_text(&info->host, agent->host);
    if (r == 0)
        r = api_set_text(&info->kernel, kernel.release);
    if (r == 0)
        r = api_set_text(&info->boot_id, id_format(&agent->launcher.boot_id, boot_id));
    if (r == 0)
        r = api_set_text(&info->cgroup_root, agent->launcher.cgroup_root);
    if (r == 0)
        r = api_timestamp_set(&info->start_time, agent->start_time);
    for (size_t i = 0; r == 0 && i < agent->launcher.lack_count; i++)
        r = api_append_text(&info->n_degradations, &info->degradations, agent->launcher.lacks[i]);
    return r;
}

static int fill_rules(const struct config *config, Hoist__V1__GetInfoResponse *info)
{
    int r = api_set_text(&info->default_class, config->default_class);

    if (r < 0)
        return r;
    return api_set_text(&info->unenforced_limits,
                        config->unenforced_limits == CONFIG_UNENFORCED_WARN ? "warn" : "refuse");
}

static int fill_room(Hoist__V1__Reservable **field, uint64_t total, uint64_t reserved)
{
    *field = api_new(hoist__v1__reservable);
    if (!*field)
        return -ENOMEM;
    (*field)->total = total;
    (*field)->reserved = reserved;
    return 0;
}

void rpc_get_info(struct agent_call *call)
{
    _cleanup_api_message_ Hoist__V1__GetInfoResponse *info = api_new(hoist__v1__get_info_response);
    const struct agent *agent = call->agent;
    struct worker_counts counts;

    if (!info || fill_host(agent, info) < 0 || fill_rules(&agent->config, info) < 0 ||
        fill_classes(&agent->config, info) < 0 || fill_support(&agent->launcher, info) < 0) {
        agent_call_finish_errno(call, -ENOMEM);
        return;
    }
    worker_count(agent->worker, &counts);
    info->jobs_running = counts.running;
    info->jobs_kept = counts.kept;
    info->leftover_cgroups = counts.leftover_cgroups;
    info->stuck_stops = counts.stuck_stops;
    if (fill_room(&info->memory, counts.room.memory, counts.reserved.memory) < 0 ||
        fill_room(&info->cpu_millis, counts.room.cpu_millis, counts.reserved.cpu_millis) < 0) {
        agent_call_finish_errno(call, -ENOMEM);
        return;
    }
    agent_call_finish(call, &info->base);
}
