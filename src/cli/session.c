/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/reason.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/quantity.h"
#include "base/strv.h"
#include "grpc/tls.h"

#define PORT_DEFAULT 7443

/* flag > environment > nothing */
static const char *setting(const char *flag, const char *variable)
{
    const char *value = flag ? flag : getenv(variable);

    return text_is_empty(value) ? NULL : value;
}

static int need(const char *value, const char *what, const char *flag, const char *variable)
{
    if (value)
        return 0;
    tell("no %s: give --%s or set %s", what, flag, variable);
    return -EINVAL;
}

static int session_read_port(const struct arguments *arguments, uint16_t *ret)
{
    const char *text = setting(arguments->port, "HOIST_PORT");
    struct error err;
    uint64_t port = PORT_DEFAULT;

    if (text && quantity_parse_unsigned(text, UINT16_MAX, &port, &err) < 0) {
        tell("%s: %s", arguments->port ? "--port" : "HOIST_PORT", err.text);
        return -EINVAL;
    }
    if (port == 0) {
        tell("no agent has the port 0");
        return -EINVAL;
    }
    *ret = (uint16_t)port;
    return 0;
}

static int session_load_tls(const struct arguments *arguments, struct tls_context **ret)
{
    const struct tls_client_options options = {
        .cert = setting(arguments->cert, "HOIST_CERT"),
        .key = setting(arguments->key, "HOIST_KEY"),
        .key_passphrase_file = setting(arguments->key_passphrase_file, "HOIST_KEY_PASSPHRASE_FILE"),
        .ca = setting(arguments->ca, "HOIST_CA"),
    };
    struct error err;
    int r;

    if (need(options.ca, "CA of the agent", "ca", "HOIST_CA") < 0 ||
        need(options.cert, "certificate", "cert", "HOIST_CERT") < 0 ||
        need(options.key, "private key", "key", "HOIST_KEY") < 0)
        return -EINVAL;
    r = tls_context_new_client(&options, ret, &err);
    if (r < 0)
        tell("%s", err.text);
    return r;
}

int session_dial(struct session *session, usec_t timeout, struct error *err)
{
    const struct grpc_channel_options options = {
        .host = setting(session->arguments.host, "HOIST_HOST"),
        .port = session->port,
        .tls = session->tls,
        .connect_timeout = timeout,
    };

    session->channel = grpc_channel_free(session->channel);
    return grpc_channel_connect(&options, session->interrupt_fd, &session->channel, err);
}

/* An address of IPv6 has two colons at least, and no brackets. */
static int session_check_host(const struct arguments *arguments)
{
    const char *host = setting(arguments->host, "HOIST_HOST");
    const char *colon;

    if (need(host, "agent to talk to", "host", "HOIST_HOST") < 0)
        return -EINVAL;
    colon = strchr(host, ':');
    if (host[0] != '[' && (!colon || strchr(colon + 1, ':')))
        return 0;
    tell("\"%s\" is no host: write a name or an address alone; the port has --port or HOIST_PORT",
         host);
    return -EINVAL;
}

int session_connect(struct session *session)
{
    struct error err;
    int r = session_check_host(&session->arguments);

    if (r < 0)
        return r;
    r = session_read_port(&session->arguments, &session->port);
    if (r == 0)
        r = session_load_tls(&session->arguments, &session->tls);
    if (r < 0)
        return r;
    r = session_dial(session, 0, &err);
    if (r < 0)
        tell("%s", err.text);
    return r;
}

void session_done(struct session *session)
{
    session->channel = grpc_channel_free(session->channel);
    session->tls = tls_context_unref(session->tls);
    arguments_done(&session->arguments);
}

bool session_error_is_lost(const struct api_error *error)
{
    return error->code == GRPC_STATUS_UNAVAILABLE &&
           (error->reason == HOIST__V1__REASON__REASON_UNSPECIFIED ||
            error->reason == HOIST__V1__REASON__REASON_SHUTTING_DOWN);
}

int session_result(const struct grpc_result *result, struct api_error *error)
{
    if (result->status == GRPC_STATUS_OK)
        return 0;
    if (api_error_parse((int)result->status, result->message, result->details, result->details_size,
                        error) < 0)
        return -ENOMEM;
    return -EREMOTEIO;
}

int session_call(struct session *session, const char *method, const ProtobufCMessage *request,
                 const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret,
                 struct api_error *error)
{
    _cleanup_buffer_ struct buffer out = {0}, in = {0};
    struct grpc_result result = {.status = GRPC_STATUS_OK};
    struct error err;
    int r = api_pack(request, &out);

    if (r < 0)
        return api_error_set_from_unpack(error, &(struct error){r, "no memory"});
    r = grpc_channel_unary(session->channel, method, buffer_bytes(&out), buffer_size(&out), NULL,
                           session->interrupt_fd, &in, &result);
    if (r < 0) {
        api_error_set(error, HOIST__V1__REASON__REASON_UNSPECIFIED,
                      r == -EINTR ? "interrupted" : "the call could not be made: %s", strerror(-r));
        return r == -EINTR ? r : -EREMOTEIO;
    }
    r = session_result(&result, error);
    grpc_result_done(&result);
    if (r < 0)
        return r;
    r = api_unpack(response, API_FROM_SERVER, buffer_bytes(&in), buffer_size(&in), ret, &err);
    if (r < 0)
        return api_error_set(error, HOIST__V1__REASON__REASON_UNSPECIFIED,
                             "the agent's answer makes no sense: %s", err.text);
    return 0;
}

int session_call_or_tell(struct session *session, const char *method,
                         const ProtobufCMessage *request,
                         const ProtobufCMessageDescriptor *response, ProtobufCMessage **ret)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};
    int r = session_call(session, method, request, response, ret, &error);

    if (r < 0)
        tell_error(&error);
    return r;
}
