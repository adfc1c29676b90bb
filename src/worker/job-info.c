/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job-info.h"

#include <stdlib.h>

#include "base/strv.h"

struct job_info *job_info_ref(struct job_info *info)
{
    __atomic_fetch_add(&info->shared, 1, __ATOMIC_RELAXED);
    return info;
}

void job_info_free(struct job_info *info)
{
    if (!info || __atomic_fetch_sub(&info->shared, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    job_spec_done(&info->spec);
    free(info->created_by);
    free(info->stopped_by);
    free(info->error);
    strv_free(info->degradations);
    strv_free(info->usage.statistics);
    free(info);
}
