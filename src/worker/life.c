/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/operation.h"

void job_advance(struct job *job)
{
    if (job->worker->closing)
        return;
    job_start_advance(job);
    if (!job->start.pending && job->process_ended)
        job_end(job);
    if (job->ending)
        job_end_advance(job);
}
