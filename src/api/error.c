/* SPDX-License-Identifier: Apache-2.0 */
#include "api/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/message.h"
#include "api/reason.h"
#include "base/error.h"

#define ERROR_INFO_URL     "type.googleapis.com/google.rpc.ErrorInfo"
#define STATUS_DETAILS_MAX 16
#define CODE_MAX           16
#define CODE_UNKNOWN       2
#define CODE_EXHAUSTED     8
#define METADATA_VALUE_MAX 512

void api_error_done(struct api_error *error)
{
    for (size_t i = 0; i < error->metadata_count; i++) {
        free(error->metadata[i].key);
        free(error->metadata[i].value);
    }
    free(error->metadata);
    free(error->text);
    *error = (struct api_error){0};
}

/* Cuts UTF-8 at `size` bytes or before, never inside a character. */
static void text_cut(char *text, size_t size)
{
    if (!text || strlen(text) <= size)
        return;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    text[size] = '\0';
}

int api_error_set(struct api_error *error, Hoist__V1__Reason reason, const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    text_cut(text, API_ERROR_TEXT_MAX);
    api_error_done(error);
    *error =
        (struct api_error){.code = api_reason_code((int)reason), .reason = reason, .text = text};
    return -EREMOTEIO;
}

static size_t metadata_bytes(const struct api_error *error)
{
    size_t sum = 0;

    for (size_t i = 0; i < error->metadata_count; i++)
        sum += strlen(error->metadata[i].key) + strlen(error->metadata[i].value);
    return sum;
}

/* Takes both texts, whatever happens. */
static void metadata_add_consume(struct api_error *error, char *key, char *value)
{
    struct api_pair *larger = NULL;

    if (key && value && error->metadata_count < API_ERROR_METADATA_MAX &&
        metadata_bytes(error) + strlen(key) + strlen(value) <= API_ERROR_METADATA_BYTES_MAX)
        larger = reallocarray(error->metadata, error->metadata_count + 1, sizeof(*larger));
    if (!larger) {
        free(key);
        free(value);
        return;
    }
    error->metadata = larger;
    error->metadata[error->metadata_count++] = (struct api_pair){key, value};
}

void api_error_add(struct api_error *error, const char *key, const char *format, ...)
{
    va_list arguments;
    char *value = NULL;

    va_start(arguments, format);
    if (vasprintf(&value, format, arguments) < 0)
        value = NULL;
    va_end(arguments);
    text_cut(value, METADATA_VALUE_MAX);
    metadata_add_consume(error, strdup(key), value);
}

const char *api_error_get(const struct api_error *error, const char *key)
{
    for (size_t i = 0; i < error->metadata_count; i++)
        if (strcmp(error->metadata[i].key, key) == 0)
            return error->metadata[i].value;
    return NULL;
}

int api_error_set_from_unpack(struct api_error *error, const struct error *cause)
{
    switch (cause->code) {
    case -ENOMEM:
        (void)api_error_set(error, HOIST__V1__REASON__REASON_UNSPECIFIED,
                            "the agent is out of memory");
        error->code = CODE_EXHAUSTED;
        return -EREMOTEIO;
    case -E2BIG:
    case -ENOBUFS:
        (void)api_error_set(error, HOIST__V1__REASON__REASON_TOO_LARGE,
                            "the request is too large: %s", cause->text);
        /* The sentences of unpacking begin with the path of what they are about. */
        api_error_add(error, "limit", "%.*s", (int)strcspn(cause->text, " "), cause->text);
        return -EREMOTEIO;
    default:
        return api_error_set(error, HOIST__V1__REASON__REASON_MALFORMED_REQUEST,
                             "the request is malformed: %s", cause->text);
    }
}

static int error_info_make(const struct api_error *error, Google__Rpc__ErrorInfo **ret)
{
    _cleanup_api_message_ Google__Rpc__ErrorInfo *info = api_new(google__rpc__error_info);

    if (!info || api_set_text(&info->reason, api_reason_name((int)error->reason)) < 0 ||
        api_set_text(&info->domain, API_ERROR_DOMAIN) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < error->metadata_count; i++)
        if (api_append_entry(&google__rpc__error_info__metadata_entry__descriptor,
                             &info->n_metadata, &info->metadata, error->metadata[i].key,
                             error->metadata[i].value) < 0)
            return -ENOMEM;
    *ret = TAKE_PTR(info);
    return 0;
}

/* An Any that holds `message`. */
static int any_make(const char *url, const ProtobufCMessage *message, Google__Protobuf__Any **ret)
{
    _cleanup_api_message_ Google__Protobuf__Any *any = api_new(google__protobuf__any);
    size_t size = protobuf_c_message_get_packed_size(message);

    if (!any || api_set_text(&any->type_url, url) < 0)
        return -ENOMEM;
    any->value.data = malloc(size + 1);
    if (!any->value.data)
        return -ENOMEM;
    any->value.len = protobuf_c_message_pack(message, any->value.data);
    *ret = TAKE_PTR(any);
    return 0;
}

int api_error_pack_details(const struct api_error *error, struct buffer *out)
{
    _cleanup_api_message_ Google__Rpc__Status *status = api_new(google__rpc__status);
    _cleanup_api_message_ Google__Rpc__ErrorInfo *info = NULL;
    _cleanup_api_message_ Google__Protobuf__Any *any = NULL;

    if (!status || api_set_text(&status->message, error->text) < 0 ||
        error_info_make(error, &info) < 0 || any_make(ERROR_INFO_URL, &info->base, &any) < 0 ||
        api_append_take(&status->n_details, &status->details, any) < 0)
        return -ENOMEM;
    any = NULL;
    status->code = error->code;
    return api_pack(&status->base, out);
}

/* What an ErrorInfo of our domain says; broken ones say nothing. */
static void error_read_info(struct api_error *error, const ProtobufCBinaryData *packed)
{
    _cleanup_api_message_ Google__Rpc__ErrorInfo *info = NULL;
    int reason;

    if (api_unpack_as(google__rpc__error_info, API_FROM_SERVER, packed->data, packed->len, &info,
                      NULL) < 0 ||
        strcmp(info->domain, API_ERROR_DOMAIN) != 0)
        return;
    reason = api_reason_from_name(info->reason);
    if (reason > 0)
        error->reason = (Hoist__V1__Reason)reason;
    for (size_t i = 0; i < info->n_metadata; i++)
        api_error_add(error, info->metadata[i]->key, "%s", info->metadata[i]->value);
}

int api_error_parse(int code, const char *text, const void *details, size_t size,
                    struct api_error *ret)
{
    _cleanup_api_error_ struct api_error error = {
        .code = code >= 0 && code <= CODE_MAX ? code : CODE_UNKNOWN,
    };
    _cleanup_api_message_ Google__Rpc__Status *status = NULL;

    if (size > 0)
        (void)api_unpack_as(google__rpc__status, API_FROM_SERVER, details, size, &status, NULL);
    if (!text && status)
        text = status->message;
    error.text = text ? strdup(text) : NULL;
    if (text && !error.text)
        return -ENOMEM;
    text_cut(error.text, API_ERROR_TEXT_MAX);
    for (size_t i = 0; status && i < status->n_details && i < STATUS_DETAILS_MAX; i++)
        if (strcmp(status->details[i]->type_url, ERROR_INFO_URL) == 0)
            error_read_info(&error, &status->details[i]->value);
    *ret = error;
    error = (struct api_error){0};
    return 0;
}
