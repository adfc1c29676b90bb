/* SPDX-License-Identifier: Apache-2.0 */
#include "api/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/start-job-check.h"
#include "api/wire-scan.h"
#include "base/buffer.h"
#include "base/error.h"

/*
 * What a message may cost, beside the limits of its fields: StartJob's largest lists are 1,024 +
 * 256 + 32 elements; a page of 500 jobs, each with its arguments, is the largest of the responses.
 */
static const struct peer_limits {
    size_t memory;
    unsigned elements;
} peer_limits[] = {
    [API_FROM_CLIENT] = {4 * 1024 * 1024, 2048},
    [API_FROM_SERVER] = {64 * 1024 * 1024, 1024 * 1024},
};

#define STATES_MAX  16
#define STREAMS_MAX 8
#define PAGE_MAX    500

/* START_JOB_… beside its meaning; what stands in a job of a response was let in by the same table.
 */
static const struct wire_scan_limit field_limits[] = {
    {&hoist__v1__job_spec__descriptor, "args", START_JOB_ARGS_MAX},
    {&hoist__v1__job_spec__descriptor, "env", START_JOB_ENV_MAX},
    {&hoist__v1__job_spec__descriptor, "labels", START_JOB_LABELS_MAX},
    {&hoist__v1__list_jobs_request__descriptor, "states", STATES_MAX},
    {&hoist__v1__list_jobs_request__descriptor, "labels", START_JOB_LABELS_MAX},
    {&hoist__v1__list_jobs_response__descriptor, "jobs", PAGE_MAX},
    {&hoist__v1__stream_output_request__descriptor, "streams", STREAMS_MAX},
    {0},
};

/* Hands out up to a budget; what was freed is not given back to it, which is what bounds the work.
 */
struct budget {
    size_t left;
    bool spent; /* it was not enough */
};

static void *budget_alloc(void *owner, size_t size)
{
    struct budget *budget = owner;

    if (size > budget->left) {
        budget->spent = true;
        return NULL;
    }
    budget->left -= size;
    return malloc(size);
}

static void budget_free(void *owner, void *pointer)
{
    (void)owner;
    free(pointer);
}

int api_unpack(const ProtobufCMessageDescriptor *descriptor, enum api_peer peer, const void *data,
               size_t size, ProtobufCMessage **ret, struct error *err)
{
    const struct peer_limits *limits = &peer_limits[peer];
    struct budget budget = {.left = limits->memory};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    ProtobufCMessage *message;
    int r;

    r = wire_scan(descriptor, data, size,
                  &(struct wire_scan_options){field_limits, limits->elements}, err);
    if (r < 0)
        return r;
    message = protobuf_c_message_unpack(descriptor, &allocator, size, size > 0 ? data : "");
    if (message) {
        *ret = message;
        return 0;
    }
    if (budget.spent)
        return error_set(err, -ENOBUFS, "%s needs more than %zu bytes of memory",
                         descriptor->short_name, limits->memory);
    return error_set(err, -EBADMSG, "%s is malformed", descriptor->short_name);
}

int api_pack(const ProtobufCMessage *message, struct buffer *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room;
    int r;

    r = buffer_reserve(out, size, &room);
    if (r < 0)
        return r;
    buffer_commit(out, protobuf_c_message_pack(message, room));
    return 0;
}

void api_free(ProtobufCMessage *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

ProtobufCMessage *api_message_new(const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = calloc(1, descriptor->sizeof_message);

    if (message)
        protobuf_c_message_init(descriptor, message);
    return message;
}

int api_set_text(char **field, const char *text)
{
    char *copy = strdup(text ? text : "");

    if (!copy)
        return -ENOMEM;
    if (*field != protobuf_c_empty_string)
        free(*field);
    *field = copy;
    return 0;
}

int api_set_bytes(ProtobufCBinaryData *field, const void *data, size_t size)
{
    uint8_t *copy = NULL;

    if (size > 0) {
        copy = malloc(size);
        if (!copy)
            return -ENOMEM;
        memcpy(copy, data, size);
    }
    free(field->data);
    *field = (ProtobufCBinaryData){.len = size, .data = copy};
    return 0;
}

/*
 * Room for one more element of `size` bytes. Exactly one: an array that protobuf-c made has no
 * spare room, and nothing says whose an array is.
 */
static void *list_grow(void *list, size_t count, size_t size)
{
    return reallocarray(list, count + 1, size);
}

int api_append_text(size_t *count, char ***list, const char *text)
{
    char **larger = list_grow(*list, *count, sizeof(**list));
    char *copy;

    if (!larger)
        return -ENOMEM;
    *list = larger;
    copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    larger[(*count)++] = copy;
    return 0;
}

int api_append_bytes(size_t *count, ProtobufCBinaryData **list, const void *data, size_t size)
{
    ProtobufCBinaryData *larger = list_grow(*list, *count, sizeof(**list));
    ProtobufCBinaryData element = {0};

    if (!larger)
        return -ENOMEM;
    *list = larger;
    if (api_set_bytes(&element, data, size) < 0)
        return -ENOMEM;
    larger[(*count)++] = element;
    return 0;
}

int api_append_message_take(size_t *count, void *list, ProtobufCMessage *element)
{
    ProtobufCMessage **array;

    /* `list` is the address of an array of pointers of some message type: read as bytes. */
    memcpy(&array, list, sizeof(array));
    array = list_grow(array, *count, sizeof(void *));
    if (!array)
        return -ENOMEM;
    array[(*count)++] = element;
    memcpy(list, &array, sizeof(array));
    return 0;
}

int api_append_entry(const ProtobufCMessageDescriptor *entry, size_t *count, void *list,
                     const char *key, const char *value)
{
    _cleanup_api_message_ ProtobufCMessage *message = api_message_new(entry);
    int r;

    if (!message ||
        api_set_text((char **)(void *)((char *)message + entry->fields[0].offset), key) ||
        api_set_text((char **)(void *)((char *)message + entry->fields[1].offset), value))
        return -ENOMEM;
    r = api_append_message_take(count, list, message);
    if (r >= 0)
        message = NULL;
    return r;
}

/* The address of the Amount called `name`, or NULL. */
static Hoist__V1__Amount **limits_field(const Hoist__V1__Limits *limits, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(&hoist__v1__limits__descriptor, name);

    return field ? (Hoist__V1__Amount **)(void *)((uintptr_t)limits + field->offset) : NULL;
}

int api_limits_get(const Hoist__V1__Limits *limits, const char *name, uint64_t *ret)
{
    Hoist__V1__Amount **field = limits_field(limits, name);

    if (!field)
        return -EINVAL;
    if (!*field)
        return 0;
    *ret = (*field)->value;
    return 1;
}

int api_limits_set(Hoist__V1__Limits *limits, const char *name, uint64_t value)
{
    Hoist__V1__Amount **field = limits_field(limits, name);

    if (!field)
        return -EINVAL;
    if (!*field)
        *field = api_new(hoist__v1__amount);
    if (!*field)
        return -ENOMEM;
    (*field)->value = value;
    return 0;
}
