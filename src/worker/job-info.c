/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/job-info.h"

#include <stdlib.h>

#include "base/strv.h"

void job_info_free(struct job_info *info)
{
    if (!info)
        return;
    job_spec_done(&info->spec);
    free(info->created_by);
    free(info->stopped_by);
    free(info->error);
    strv_free(info->degradations);
    strv_free(info->usage.statistics);
    free(info);
}
