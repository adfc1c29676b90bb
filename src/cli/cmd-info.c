/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/quantity.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/message-emit.h"
#include "cli/session.h"
#include "cli/show-limits.h"

static void line(const char *key, const char *text)
{
    _cleanup_free_ char *shown = utf8_escape(text);

    printf("%-14s %s\n", key, shown ? shown : "");
}

static void show_class(const Hoist__V1__ClassInfo *class)
{
    _cleanup_free_ char *name = utf8_escape(class->name);

    printf("class %-12s ", name ? name : "");
    show_class_limits(class);
    putchar('\n');
}

static void show_reserved(const Hoist__V1__GetInfoResponse *info)
{
    char reserved[QUANTITY_TEXT_MAX], total[QUANTITY_TEXT_MAX];

    if (info->memory && info->cpu_millis && info->memory->total > 0)
        printf("%-14s %s of %s of memory, %llu%% of %llu%% CPU\n", "reserved",
               quantity_format_size(info->memory->reserved, reserved),
               quantity_format_size(info->memory->total, total),
               (unsigned long long)(info->cpu_millis->reserved / 10),
               (unsigned long long)(info->cpu_millis->total / 10));
}

static void show_info(const Hoist__V1__GetInfoResponse *info)
{
    line("agent", info->version);
    line("host", info->host);
    line("kernel", info->kernel);
    line("cgroup root", info->cgroup_root);
    printf("%-14s %u running, %u kept\n", "jobs", info->jobs_running, info->jobs_kept);
    show_reserved(info);
    if (info->stuck_stops > 0)
        printf("%-14s %u of the running: past the deadline of their stop, not gone yet\n",
               "stuck stops", info->stuck_stops);
    if (info->leftover_cgroups > 0)
        printf("%-14s %u cgroups without a running job, being removed\n", "leftovers",
               info->leftover_cgroups);
    line("default class", info->default_class);
    for (size_t i = 0; i < info->n_classes; i++)
        show_class(info->classes[i]);
    line("unenforced", info->unenforced_limits);
    show_limit_support(info);
    for (size_t i = 0; i < info->n_degradations; i++)
        line(i == 0 ? "degraded" : "", info->degradations[i]);
}

int cmd_info(struct session *session)
{
    Hoist__V1__GetInfoRequest request = HOIST__V1__GET_INFO_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__GetInfoResponse *info = NULL;

    if (session_call_as(session, METHOD_AGENT("GetInfo"), &request, hoist__v1__get_info_response,
                        &info) < 0)
        return EXIT_FAILED;
    if (session->format != OUTPUT_FORMAT_TABLE)
        return message_print(session, &info->base) < 0 ? EXIT_FAILED : EXIT_OK;
    show_info(info);
    return EXIT_OK;
}
