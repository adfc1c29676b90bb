/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "agent/access.h"
#include "api/message.h"
#include "grpc/server.h"

struct agent_call;

/*
 * The table of RPCs: what each is called, what its request is, who may call it, and which function
 * answers. One file for each: rpc-<name>.c.
 */

struct method {
    struct grpc_method grpc; /* its id is the index in `methods` */
    const char *name;        /* "StartJob": for the log */
    const ProtobufCMessageDescriptor *request;
    enum permission permission;
    bool lasts; /* it may have no end of its own: a drain ends it */
    /*
     * On the connection thread, with the request unpacked and access granted. It answers at once,
     * or hands the call to the core thread by agent_call_to_core(). NULL: straight to the core.
     */
    void (*here)(struct agent_call *call, struct grpc_call *grpc);
    /* On the core thread: must lead to agent_call_finish…() once, now or later. */
    void (*core)(struct agent_call *call);
};

extern const struct method methods[];
extern const size_t methods_count;

/* The same as the server wants it: methods_count rows. Made by method_table(). */
const struct grpc_method *method_table(void);
