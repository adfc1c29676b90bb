/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/job-request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/limit-choice.h"
#include "agent/output-choice.h"
#include "api/error.h"
#include "api/moment.h"
#include "api/start-job-check.h"
#include "base/error.h"
#include "base/signal-name.h"
#include "base/strv.h"
#include "grpc/status.h"
#include "output/cap.h"
#include "worker/job-spec.h"

_Static_assert(START_JOB_OUTPUT_CAP_MIN == OUTPUT_CAP_MIN, "what is let in can be kept");

static int no_memory(struct api_error *error)
{
    int r =
        api_error_set(error, HOIST__V1__REASON__REASON_UNSPECIFIED, "the agent has no memory left");

    error->code = GRPC_STATUS_RESOURCE_EXHAUSTED;
    return r;
}

/* A bytes field as a string; start_job_check() has refused NULs. */
static char *text_of(const ProtobufCBinaryData *bytes)
{
    return strndup(bytes->len > 0 ? (const char *)bytes->data : "", bytes->len);
}

static int copy_words(const Hoist__V1__JobSpec *from, struct job_spec *to)
{
    to->command = text_of(&from->command);
    if (!to->command)
        return -ENOMEM;
    to->args = calloc(from->n_args + 1, sizeof(char *));
    if (!to->args)
        return -ENOMEM;
    for (size_t i = 0; i < from->n_args; i++) {
        to->args[i] = text_of(&from->args[i]);
        if (!to->args[i])
            return -ENOMEM;
    }
    return 0;
}

static int copy_env(const Hoist__V1__JobSpec *from, struct job_spec *to)
{
    to->env = calloc(from->n_env + 1, sizeof(char *));
    if (!to->env)
        return -ENOMEM;
    for (size_t i = 0; i < from->n_env; i++) {
        const Hoist__V1__EnvVar *variable = from->env[i];

        to->env[i] = text_format("%s=%.*s", variable->name, (int)variable->value.len,
                                 variable->value.len > 0 ? (const char *)variable->value.data : "");
        if (!to->env[i])
            return -ENOMEM;
    }
    return 0;
}

static int copy_labels(const Hoist__V1__JobSpec *from, struct job_spec *to)
{
    to->labels = calloc(from->n_labels + 1, sizeof(*to->labels));
    if (!to->labels)
        return -ENOMEM;
    for (size_t i = 0; i < from->n_labels; i++) {
        struct job_label *label = &to->labels[to->label_count++];

        label->key = strdup(from->labels[i]->key);
        label->value = strdup(from->labels[i]->value);
        if (!label->key || !label->value)
            return -ENOMEM;
    }
    return 0;
}

static int copy_texts(const struct agent *agent, const Hoist__V1__JobSpec *from,
                      struct job_spec *to)
{
    const char *class = from->job_class[0] ? from->job_class : agent->config.default_class;

    to->display_name = strdup(from->display_name);
    to->cwd = strdup(from->cwd);
    to->job_class = strdup(class);
    return to->display_name && to->cwd && to->job_class ? 0 : -ENOMEM;
}

/* These were checked with the rest, so what fails here is a fault of ours. */
static int copy_numbers(const Hoist__V1__JobSpec *from, struct job_spec *to)
{
    struct error err;
    int r = api_duration_read(from->timeout, 0, &to->timeout, &err);

    if (r == 0)
        r = api_duration_read(from->grace, USEC_INFINITY, &to->grace, &err);
    if (r == 0 && from->stop_signal[0])
        r = signal_from_name(from->stop_signal, &to->stop_signal, &err);
    to->merged = from->merged;
    return r;
}

static int unknown_class(const struct agent *agent, const char *name, struct api_error *error)
{
    char names[256] = "";
    size_t used = 0;
    int r;

    for (size_t i = 0; i < agent->config.classes.count && used < sizeof(names); i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
                                 agent->config.classes.list[i].name);
    r = api_error_set(error, HOIST__V1__REASON__REASON_UNKNOWN_CLASS,
                      "there is no class \"%s\" here; choose one of %s", name, names);
    api_error_add(error, "classes", "%s", names);
    return r;
}

/* The launcher has told which there are, and which of them have a user of their own. */
static int choose_profile(const struct agent *agent, const struct class *class, struct job_spec *to)
{
    const struct launcher_hello *launcher = &agent->launcher;

    for (size_t i = 0; i < launcher->profile_count; i++)
        if (text_equal(launcher->profiles[i].name, class->profile))
            to->profile_uid = launcher->rootless ? 0 : launcher->profiles[i].uid;
    to->profile = strdup(class->profile);
    return to->profile ? 0 : -ENOMEM;
}

static struct output_choice output_asked(const Hoist__V1__JobSpec *from)
{
    struct output_choice asked = {.policy = (enum output_policy)from->output_policy};

    if (from->output_cap)
        asked.cap = from->output_cap->value > 0 ? from->output_cap->value : OUTPUT_CAP_NONE;
    return asked;
}

static int choose_by_class(const struct agent *agent, const Hoist__V1__JobSpec *from,
                           struct job_spec *to, struct api_error *error)
{
    const struct class *class = classes_find_const(&agent->config.classes, to->job_class);
    const struct output_choice output = output_asked(from);
    struct limits asked = {.given = 0};
    int r;

    if (!class)
        return unknown_class(agent, to->job_class, error);
    if (choose_profile(agent, class, to) < 0)
        return no_memory(error);
    for (unsigned limit = 0; from->limits && limit < _LIMIT_MAX; limit++) {
        uint64_t value;

        if (api_limits_get(from->limits, limit_name(limit), &value) == 1)
            limit_set(&asked, limit, value);
    }
    to->warn_unenforced = agent->config.unenforced_limits == CONFIG_UNENFORCED_WARN;
    r = limits_choose(class, &asked, &agent->launcher.ceilings, &to->limits, error);
    if (r == 0 && !to->warn_unenforced)
        r = limits_check_enforceable(&to->limits, agent->launcher.enforceable, error);
    return r < 0 ? r
                 : output_choose(class, &agent->config.output, &output, &to->output_choice, error);
}

int job_spec_from_request(const struct agent *agent, const Hoist__V1__StartJobRequest *request,
                          struct job_spec *ret, struct api_error *error)
{
    _cleanup_job_spec_ struct job_spec spec = JOB_SPEC_NULL;
    int r = start_job_check(request, error);

    if (r < 0)
        return r;
    if (copy_texts(agent, request->spec, &spec) < 0 || copy_words(request->spec, &spec) < 0 ||
        copy_env(request->spec, &spec) < 0 || copy_labels(request->spec, &spec) < 0 ||
        copy_numbers(request->spec, &spec) < 0)
        return no_memory(error);
    r = choose_by_class(agent, request->spec, &spec, error);
    if (r < 0)
        return r;
    *ret = spec;
    spec = JOB_SPEC_NULL;
    return 0;
}
