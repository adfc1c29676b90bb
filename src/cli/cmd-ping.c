/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/moment.h"
#include "base/quantity.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/message-emit.h"
#include "cli/session.h"

static void show_pong(const Hoist__V1__PingResponse *response, usec_t round_trip)
{
    _cleanup_free_ char *version = utf8_escape(response->version);
    _cleanup_free_ char *principal = utf8_escape(response->principal);
    _cleanup_free_ char *role = utf8_escape(response->role);
    char time[CLOCK_TEXT_MAX] = "";
    usec_t wall;

    if (response->server_time && api_timestamp_read(response->server_time, &wall, NULL) == 0)
        clock_format_local(wall, time);
    printf("round trip  %llu us\nagent       hoistd %s\ntime        %s\nyou are     %s (%s)\n",
           (unsigned long long)round_trip, version ? version : "", time, principal ? principal : "",
           role && role[0] ? role : "no role");
}

int cmd_ping(struct session *session)
{
    Hoist__V1__PingRequest request = HOIST__V1__PING_REQUEST__INIT;
    _cleanup_api_message_ Hoist__V1__PingResponse *response = NULL;
    usec_t start = clock_boot();

    if (session_call_as(session, METHOD_AGENT("Ping"), &request, hoist__v1__ping_response,
                        &response) < 0)
        return EXIT_FAILED;
    if (session->format != OUTPUT_FORMAT_TABLE)
        return message_print(session, &response->base) < 0 ? EXIT_FAILED : EXIT_OK;
    show_pong(response, clock_boot() - start);
    return EXIT_OK;
}
