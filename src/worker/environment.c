/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/environment.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/strv.h"

#define JOB_HOME "/job" /* where spawn's profile puts the job's own directory */

static bool is_set(char *const *list, const char *variable)
{
    size_t length = strcspn(variable, "=") + 1;

    for (; list && *list; list++)
        if (strncmp(*list, variable, length) == 0)
            return true;
    return false;
}

char **environment_build(const struct id *job, char *const *wanted)
{
    _cleanup_strv_ char **list = NULL;
    char id[ID_TEXT_MAX], job_id[ID_TEXT_MAX + 16];
    const char *const own[ENVIRONMENT_OWN] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=" JOB_HOME,
        "LANG=C.UTF-8",
        job_id,
    };

    snprintf(job_id, sizeof(job_id), "HOIST_JOB_ID=%s", id_format(job, id));
    for (size_t i = 0; i < ENVIRONMENT_OWN; i++)
        if (!is_set(wanted, own[i]) && strv_append(&list, own[i]) < 0)
            return NULL;
    for (; wanted && *wanted; wanted++)
        if (strv_append(&list, *wanted) < 0)
            return NULL;
    return TAKE_PTR(list);
}
