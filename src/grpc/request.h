/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "grpc/call.h"

/*
 * Is this header block a gRPC request for one of our methods?
 *
 * Looks at the headers of `call`, fills its method and deadline, and answers it right away when it
 * can't go on: the state is then ANSWERED. That happens as soon as the HEADERS are there, since an
 * unknown streaming method's client may never end its side (THREATS, "What the libraries do not do"
 * 9).
 */
void request_check_headers(struct grpc_call *call, const struct server_session *session);

/*
 * New bytes came into call->request, or the client's side ended. Moves the call to READY when
 * exactly one message is whole and the side has ended, or answers it when it can't become that any
 * more.
 */
void request_check_body(struct grpc_call *call, size_t message_max);
