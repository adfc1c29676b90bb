/* SPDX-License-Identifier: Apache-2.0 */
#include "launcher/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pidref.h"
#include "launcher/ceilings.h"
#include "launcher/job-files.h"
#include "launcher/notify.h"
#include "spawn/spawn.h"

/* --- Hello ----------------------------------------------------------------------------------- */

static int put_text(char *ret, size_t room, const char *text, const char *what, struct error *err)
{
    if (strlen(text) >= room)
        return error_set(err, -ENAMETOOLONG, "%s is longer than %zu bytes", what, room - 1);
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

/* As long as the launcher lives it is the same boot: nothing can go wrong with it later. */
static int boot_id_know(const struct launcher_hello *known, struct id *ret, struct error *err)
{
    int r = 0;

    if (!id_is_nil(&known->boot_id))
        *ret = known->boot_id;
    else
        r = boot_id_read(ret);
    return r < 0 ? error_set(err, r, "can't read the host's boot id: %s", strerror(-r)) : 0;
}

static void tell_profiles(const struct launcher_config *config, struct launcher_hello *facts)
{
    for (; facts->profile_count < config->profile_count; facts->profile_count++) {
        struct launcher_profile *told = &facts->profiles[facts->profile_count];
        const struct spawn_profile *profile = &config->profiles[facts->profile_count].profile;

        snprintf(told->name, sizeof(told->name), "%s", profile->name);
        told->uid = profile->uid;
    }
}

static void tell_lacks(const struct spawn_context *context, struct launcher_hello *facts)
{
    char *const *lacks = spawn_context_degradations(context);
    const char *unlimited = spawn_context_unlimited_place(context);

    snprintf(facts->unlimited_place, sizeof(facts->unlimited_place), "%s",
             unlimited ? unlimited : "");
    for (; lacks[facts->lack_count] && facts->lack_count < LAUNCHER_LACKS_MAX; facts->lack_count++)
        snprintf(facts->lacks[facts->lack_count], ERROR_TEXT_MAX, "%s", lacks[facts->lack_count]);
}

int launcher_facts(struct launcher *launcher, struct error *err)
{
    const struct launcher_config *config = launcher->config;
    struct launcher_hello facts = {
        .protocol = LAUNCHER_PROTOCOL_VERSION,
        .version = HOIST_VERSION,
        .job_uid_min = config->job_uid_min,
        .job_uid_max = config->job_uid_max,
        .agent_uid = config->agent_uid,
        .rootless = spawn_context_is_rootless(launcher->spawn),
        .network_host = config->network_host,
        .ceilings = config->ceilings,
        .enforceable = spawn_context_enforceable(launcher->spawn),
        .room = spawn_context_room(launcher->spawn),
    };
    int r = boot_id_know(&launcher->facts, &facts.boot_id, err);

    if (r >= 0)
        r = put_text(facts.cgroup_root, sizeof(facts.cgroup_root),
                     spawn_context_cgroup_root(launcher->spawn), "the path of the cgroup root",
                     err);
    if (r < 0)
        return r;
    tell_profiles(config, &facts);
    tell_lacks(launcher->spawn, &facts);
    launcher->facts = facts;
    return 0;
}

/* Adds the jobs' cgroup root to what goes with an answer. False: hoistd has to do without figures.
 */
static bool show_cgroups(struct launcher *launcher, struct packet_fds *ret_fds)
{
    struct error why;
    int fd = spawn_context_show_cgroups(launcher->spawn, &why);

    launcher->cgroups_told = spawn_context_cgroups_made(launcher->spawn);
    if (fd < 0) {
        log_event(LOG_LEVEL_WARNING, "hoistd can't tell what jobs use",
                  LOG_TEXT("error", why.text));
        return false;
    }
    ret_fds->fd[ret_fds->count++] = fd;
    return true;
}

int launcher_answer_hello(struct launcher *launcher, const struct launcher_request *request,
                          const struct packet_fds *fds, struct launcher_answer *answer,
                          struct packet_fds *ret_fds, struct error *err)
{
    (void)fds;
    if (request->hello.protocol != LAUNCHER_PROTOCOL_VERSION)
        return error_set(err, -EPROTONOSUPPORT,
                         "hoist-launcher " HOIST_VERSION " speaks protocol version %d, hoistd %s "
                         "version %u: restart hoist-launcher (jobs go on)",
                         LAUNCHER_PROTOCOL_VERSION, request->hello.version,
                         request->hello.protocol);
    answer->type = LAUNCHER_ANSWER_HELLO;
    answer->hello = launcher->facts;
    answer->hello.cgroups = launcher->facts.cgroup_root[0] && show_cgroups(launcher, ret_fds);
    return 0;
}

/* What hoistd can't have meant, or root has to allow first: no honest one asks twice. */
static int refused(struct launcher *launcher, const char *message, const struct error *why)
{
    refusal_log_add(&launcher->refusals, LOG_LEVEL_WARNING, message, NULL, NULL, why, clock_boot());
    return why->code;
}

/* --- Listen, Ready --------------------------------------------------------------------------- */

int launcher_answer_listen(struct launcher *launcher, const struct launcher_request *request,
                           const struct packet_fds *fds, struct launcher_answer *answer,
                           struct packet_fds *ret_fds, struct error *err)
{
    const struct listener *listener;
    int fd, r;

    (void)fds;
    r = listeners_open(&launcher->listeners, launcher->config->listen_rules,
                       launcher->config->listen_rule_count, &request->listen, &listener, err);
    if (r == -EACCES)
        return refused(launcher, "refused an address", err);
    if (r < 0)
        return r;
    fd = fd_duplicate(listener->fd);
    if (fd < 0)
        return error_set(err, fd, "can't duplicate a listening socket: %s", strerror(-fd));
    answer->type = LAUNCHER_ANSWER_LISTEN;
    answer->listen_port = listener->port;
    ret_fds->fd[ret_fds->count++] = fd;
    return 0;
}

int launcher_answer_ready(struct launcher *launcher, const struct launcher_request *request,
                          const struct packet_fds *fds, struct launcher_answer *answer,
                          struct packet_fds *ret_fds, struct error *err)
{
    char state[LAUNCHER_ADDRESS_MAX + 64];
    int r;

    (void)ret_fds;
    r = lifeline_take(&launcher->lifeline, fds, launcher->config->agent_uid, err);
    if (r < 0)
        return refused(launcher, "refused a lifeline", err);
    listeners_close_unwanted(&launcher->listeners);
    log_event(LOG_LEVEL_INFO, "hoistd serves", LOG_TEXT("address", request->ready_address));
    if (!launcher->stopping) {
        snprintf(state, sizeof(state), "READY=1\nSTATUS=serving on %s", request->ready_address);
        notify_manager(state);
    }
    answer->type = LAUNCHER_ANSWER_DONE;
    return 0;
}

/* --- Spawn, Kill, Remove --------------------------------------------------------------------- */

/* hoistd tells its client and logs the call; here only what says that hoistd's own check is amiss
 * is worth a warning. */
static int refused_job(struct launcher *launcher, const struct error *why, const char *message,
                       const struct spawn_spec *spec)
{
    refusal_log_add(&launcher->refusals, LOG_LEVEL_WARNING, message, spec->group, &spec->id, why,
                    clock_boot());
    return why->code;
}

/* Limits that this host can't put into force are told to those who have asked for them. */
static int failed_job(struct launcher *launcher, const struct error *why,
                      enum spawn_failure failure, const struct spawn_spec *spec)
{
    char id[ID_TEXT_MAX];
    bool beyond_max_jobs = failure == SPAWN_FAILURE_CGROUP && why->code == -EAGAIN;

    if (failure == SPAWN_FAILURE_REFUSED || beyond_max_jobs)
        return refused_job(launcher, why, "refused a job", spec);
    log_event(LOG_LEVEL_DEBUG, "can't start a job", LOG_TEXT("job", id_format(&spec->id, id)),
              LOG_TEXT("group", spec->group), LOG_TEXT("error", why->text));
    return why->code;
}

int launcher_answer_spawn(struct launcher *launcher, const struct launcher_request *request,
                          const struct packet_fds *fds, struct launcher_answer *answer,
                          struct packet_fds *ret_fds, struct error *err)
{
    const struct spawn_spec *spec = &request->spawn;
    const struct spawn_files files = {fds->fd[0], fds->fd[1], fds->fd[2]};
    enum spawn_failure failure = SPAWN_FAILURE_REFUSED;
    struct spawn_result result = SPAWN_RESULT_NULL;
    int r;

    answer->failure.spawn = SPAWN_FAILURE_UNAVAILABLE;
    if (launcher->stopping)
        return error_set(err, -ESHUTDOWN, "hoist-launcher is ending: no job is started any more");
    answer->failure.spawn = SPAWN_FAILURE_REFUSED;
    r = ceilings_check(launcher->config, spec, err);
    if (r < 0)
        return refused_job(launcher, err, "refused a job above the ceilings", spec);
    r = job_files_check(&files, launcher->config->agent_uid, err);
    if (r < 0)
        return refused_job(launcher, err, "refused the files of a job", spec);
    spawn_context_set_lifeline(launcher->spawn, launcher->lifeline.watch);
    r = spawn_job(launcher->spawn, spec, &files, &result, &failure, err);
    if (r < 0) {
        answer->failure.spawn = failure;
        answer->failure.refused = result.limits.refused;
        return failed_job(launcher, err, failure, spec);
    }
    ret_fds->fd[ret_fds->count++] = TAKE_FD(result.pidfd);
    answer->type = LAUNCHER_ANSWER_SPAWN;
    answer->spawn.result = result;
    answer->spawn.cgroups = launcher->cgroups_told != spawn_context_cgroups_made(launcher->spawn) &&
                            show_cgroups(launcher, ret_fds);
    return 0;
}

int launcher_answer_kill(struct launcher *launcher, const struct launcher_request *request,
                         const struct packet_fds *fds, struct launcher_answer *answer,
                         struct packet_fds *ret_fds, struct error *err)
{
    (void)fds;
    (void)ret_fds;
    answer->type = LAUNCHER_ANSWER_DONE;
    return spawn_kill(launcher->spawn, request->job.group, &request->job.id, err);
}

int launcher_answer_remove(struct launcher *launcher, const struct launcher_request *request,
                           const struct packet_fds *fds, struct launcher_answer *answer,
                           struct packet_fds *ret_fds, struct error *err)
{
    struct cgroup_usage usage = {.known = 0};
    int r;

    (void)fds;
    (void)ret_fds;
    r = spawn_remove(launcher->spawn, request->job.group, &request->job.id, &usage, err);
    if (r < 0 && r != -EBUSY)
        return r;
    answer->type = LAUNCHER_ANSWER_REMOVE;
    answer->remove.busy = r == -EBUSY;
    answer->remove.usage = usage;
    return 0;
}

/* --- Find, ListTasks ------------------------------------------------------------------------- */

int launcher_answer_find(struct launcher *launcher, const struct launcher_request *request,
                         const struct packet_fds *fds, struct launcher_answer *answer,
                         struct packet_fds *ret_fds, struct error *err)
{
    int r = spawn_find(launcher->spawn, request->find.job.group, &request->find.job.id,
                       &request->find.known, &answer->find, err);

    (void)fds;
    if (r < 0)
        return r;
    answer->type = LAUNCHER_ANSWER_FIND;
    ret_fds->fd[ret_fds->count++] = TAKE_FD(answer->find.pidfd);
    return 0;
}

int launcher_answer_list_tasks(struct launcher *launcher, const struct launcher_request *request,
                               const struct packet_fds *fds, struct launcher_answer *answer,
                               struct packet_fds *ret_fds, struct error *err)
{
    struct launcher_tasks tasks = {.count = 0};
    int count = spawn_tasks(launcher->spawn, request->job.group, &request->job.id, tasks.list, err);

    (void)fds;
    (void)ret_fds;
    if (count < 0)
        return count;
    answer->type = LAUNCHER_ANSWER_LIST_TASKS;
    tasks.count = (size_t)count;
    answer->tasks = tasks;
    return 0;
}

/* --- ListGroups ------------------------------------------------------------------------------ */

struct group_list {
    struct launcher_group *groups;
    size_t count;
    size_t room;
};

static int group_compare(const struct launcher_job_ref *a, const struct launcher_job_ref *b)
{
    int order = strcmp(a->group, b->group);

    return order ? order : id_compare(&a->id, &b->id);
}

static int group_order(const void *a, const void *b)
{
    return group_compare(&((const struct launcher_group *)a)->job,
                         &((const struct launcher_group *)b)->job);
}

static int group_found(const char *group, const struct id *id, bool populated, void *data)
{
    struct group_list *list = data;
    struct launcher_group *found;

    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : LAUNCHER_PAGE_MAX;
        struct launcher_group *more = reallocarray(list->groups, room, sizeof(*more));

        if (!more)
            return -ENOMEM;
        list->groups = more;
        list->room = room;
    }
    found = &list->groups[list->count];
    if (strlen(group) >= sizeof(found->job.group))
        return 0; /* no job's: hoistd could not name it */
    memcpy(found->job.group, group, strlen(group) + 1);
    found->job.id = *id;
    found->populated = populated;
    list->count++;
    return 0;
}

/* Directories have no order of their own, so all are read for each page, and the page is cut out of
 * the sorted whole: jobs may come and go between two pages without any other being missed. */
int launcher_answer_list_groups(struct launcher *launcher, const struct launcher_request *request,
                                const struct packet_fds *fds, struct launcher_answer *answer,
                                struct packet_fds *ret_fds, struct error *err)
{
    struct group_list list = {.groups = NULL};
    size_t first = 0;
    int r;

    (void)fds;
    (void)ret_fds;
    r = spawn_list(launcher->spawn, group_found, &list, err);
    if (r < 0) {
        free(list.groups);
        return r == -ENOMEM ? error_set(err, r, "no memory for a list of jobs") : r;
    }
    if (list.count > 0)
        qsort(list.groups, list.count, sizeof(*list.groups), group_order);
    while (!request->list_groups.from_start && first < list.count &&
           group_compare(&list.groups[first].job, &request->list_groups.after) <= 0)
        first++;
    answer->type = LAUNCHER_ANSWER_LIST_GROUPS;
    answer->page.count = MIN(list.count - first, (size_t)LAUNCHER_PAGE_MAX);
    answer->page.more = first + answer->page.count < list.count;
    if (answer->page.count > 0)
        memcpy(answer->page.groups, &list.groups[first], answer->page.count * sizeof(*list.groups));
    free(list.groups);
    return 0;
}
