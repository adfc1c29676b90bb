/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "api/error.h"
#include "api/message.h"
#include "base/clock.h"
#include "cli/arguments.h"
#include "grpc/channel.h"

struct command;
struct error;
struct tls_context;

/*
 * One run of hoist: what the command line says, and the connection to the agent.
 */
struct session {
    const struct command *command;
    struct arguments arguments;
    enum output_format format;
    struct tls_context *tls;
    uint16_t port;
    struct grpc_channel *channel; /* NULL until the first call */
    int interrupt_fd;             /* readable after SIGINT or SIGTERM; FD_NONE: not caught */
};

/* Connects by flags, environment, defaults. Prints why it can't. Returns 0 or a negative errno. */
int session_connect(struct session *session);

/*
 * Connects once more, within `timeout`; the calls on the connection before must have been freed.
 * Returns 0 or a negative errno of grpc_channel_connect() with its sentence; there is no channel
 * then.
 */
int session_dial(struct session *session, usec_t timeout, struct error *err);
void session_done(struct session *session);

/*
 * One unary call. On success *ret is the response, which the caller frees with api_free(). A
 * refusal is in *error (api_error_done()) and -EREMOTEIO is returned, -EINTR when the session's
 * interrupt came first; nothing is printed.
 */
int session_call(struct session *session, const char *method, const ProtobufCMessage *request,
                 const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret,
                 struct api_error *error);

/* The same; prints a refusal as `hoist: …` on stderr. */
int session_call_or_tell(struct session *session, const char *method,
                         const ProtobufCMessage *request,
                         const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret);

#define session_call_as(session, method, request, type, ret)                                       \
    ({                                                                                             \
        ProtobufCMessage *_response = NULL;                                                        \
        int _result = session_call_or_tell((session), (method), &(request)->base,                  \
                                           &type##__descriptor, &_response);                       \
        if (_result >= 0)                                                                          \
            *(ret) = (__typeof__(type##__unpack(NULL, 0, NULL)))(void *)_response;                 \
        _result;                                                                                   \
    })

#define METHOD_JOB(name)   "/hoist.v1.JobService/" name
#define METHOD_AGENT(name) "/hoist.v1.AgentService/" name

/*
 * The agent, or the way to it, went away: the connection broke, or it is going down or coming up.
 * The same call may be answered later; every other refusal is final.
 */
bool session_error_is_lost(const struct api_error *error);

/* Turns the result of a call into *error; -EREMOTEIO, or 0 when it was OK. */
int session_result(const struct grpc_result *result, struct api_error *error);

/* `hoist: <sentence>`, what can be done, and the issues one by one; all made harmless. */
void tell_error(const struct api_error *error);

/* `hoist: <text>`, made harmless. */
void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a text that is harmless already, whose backslashes are to stay as they are. */
void tell_harmless(const char *format, ...) __attribute__((format(printf, 1, 2)));
