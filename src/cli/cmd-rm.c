/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"
#include "cli/session.h"

int cmd_rm(struct session *session)
{
    Hoist__V1__DeleteJobRequest request = HOIST__V1__DELETE_JOB_REQUEST__INIT;
    int result = EXIT_OK;

    request.force = session->arguments.force;
    for (size_t i = 0; i < session->arguments.word_count; i++) {
        _cleanup_api_message_ Hoist__V1__DeleteJobResponse *response = NULL;

        request.name = session->arguments.words[i];
        if (session_call_as(session, METHOD_JOB("DeleteJob"), &request,
                            hoist__v1__delete_job_response, &response) < 0)
            result = EXIT_FAILED;
    }
    return result;
}
