/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "grpc/client-session.h"

/*
 * What a server's headers and trailers mean for a call.
 */

/* A header block of the response is complete; `is_last`: END_STREAM. Ends the call when that says
 * so. */
void response_check_headers(struct grpc_client_call *call, bool is_last);

/* The stream was closed with this error code and no trailers had come. */
void response_check_close(struct grpc_client_call *call, uint32_t error_code);
