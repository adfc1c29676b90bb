/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/launcher-codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "base/strv.h"

static void *memory_alloc(void *data, size_t size)
{
    struct codec_memory *memory = data;

    if (size > memory->left)
        return NULL;
    memory->left -= size;
    return malloc(size);
}

static void memory_free(void *data, void *pointer)
{
    (void)data; /* what was given back isn't given out again: the bound is on the work, too */
    free(pointer);
}

void codec_memory_init(struct codec_memory *memory)
{
    *memory = (struct codec_memory){
        .allocator = {.alloc = memory_alloc, .free = memory_free, .allocator_data = memory},
        .left = CODEC_MEMORY_MAX,
    };
}

ProtobufCMessage *codec_unpack(const ProtobufCMessageDescriptor *descriptor, const void *data,
                               size_t size, struct codec_memory *memory, struct error *err)
{
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &memory->allocator, size, data);

    if (!message)
        error_set(err, -EPROTO, "%zu bytes are no message of the launcher's protocol", size);
    return message;
}

/* The members of field `field` that are messages: one or an array of them. */
static size_t field_messages(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                             ProtobufCMessage *const **ret)
{
    const uint8_t *base = (const uint8_t *)message;
    const void *member = base + field->offset, *quantifier = base + field->quantifier_offset;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *ret = *(ProtobufCMessage *const *const *)member;
        return *(const size_t *)quantifier;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && *(const uint32_t *)quantifier != field->id)
        return 0;
    *ret = member;
    return **ret ? 1 : 0;
}

bool codec_is_known(const ProtobufCMessage *message)
{
    if (message->n_unknown_fields > 0)
        return false;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        ProtobufCMessage *const *inner = NULL;
        size_t count = field_messages(message, &message->descriptor->fields[i], &inner);

        for (size_t j = 0; j < count; j++)
            if (!codec_is_known(inner[j]))
                return false;
    }
    return true;
}

int codec_pack(const ProtobufCMessage *message, size_t max, struct buffer *out, struct error *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room;
    int r;

    if (size > max)
        return error_set(err, -E2BIG, "a message of %zu bytes is longer than %zu", size, max);
    r = buffer_reserve(out, size, &room);
    if (r < 0)
        return error_set(err, r, "no memory for a message of %zu bytes", size);
    buffer_commit(out, protobuf_c_message_pack(message, room));
    return 0;
}

int codec_get_text(const ProtobufCBinaryData *bytes, char *ret, size_t room, const char *what,
                   struct error *err)
{
    if (bytes->len >= room)
        return error_set(err, -EPROTO, "%s has %zu bytes, at most %zu are allowed", what,
                         bytes->len, room - 1);
    if (bytes->len > 0 && memchr(bytes->data, 0, bytes->len))
        return error_set(err, -EPROTO, "%s holds a NUL byte", what);
    if (bytes->len > 0)
        memcpy(ret, bytes->data, bytes->len);
    ret[bytes->len] = 0;
    return 0;
}

ProtobufCBinaryData codec_put_text(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)text};
}

int codec_get_id(const ProtobufCBinaryData *bytes, struct id *ret, struct error *err)
{
    if (bytes->len != ID_SIZE)
        return error_set(err, -EPROTO, "an id has %zu bytes instead of %d", bytes->len, ID_SIZE);
    memcpy(ret->bytes, bytes->data, ID_SIZE);
    return 0;
}

ProtobufCBinaryData codec_put_id(const struct id *id)
{
    return (ProtobufCBinaryData){.len = ID_SIZE, .data = (uint8_t *)id->bytes};
}

int codec_check_job(const char *group, const struct id *id, struct error *err)
{
    if (!text_starts_with(group, "p-") || !principal_is_valid(group + 2))
        return error_set(err, -EINVAL, "the name of a job's group isn't \"p-\" and a principal");
    if (id_is_nil(id))
        return error_set(err, -EINVAL, "the id of a job is all zero");
    return 0;
}

int codec_get_job(const Hoist__Internal__JobRef *message, struct launcher_job_ref *ret,
                  struct error *err)
{
    int r;

    if (!message)
        return error_set(err, -EPROTO, "a job isn't named");
    r = codec_get_text(&message->group, ret->group, sizeof(ret->group), "the group", err);
    if (r < 0)
        return r;
    r = codec_get_id(&message->job, &ret->id, err);
    if (r < 0)
        return r;
    return codec_check_job(ret->group, &ret->id, err);
}

void codec_put_job(const struct launcher_job_ref *job, Hoist__Internal__JobRef *ret)
{
    *ret = (Hoist__Internal__JobRef)HOIST__INTERNAL__JOB_REF__INIT;
    ret->group = codec_put_text(job->group);
    ret->job = codec_put_id(&job->id);
}

int codec_get_limits(const Hoist__Internal__LimitValues *message, struct limits *ret,
                     struct error *err)
{
    *ret = (struct limits){.given = 0};
    for (size_t i = 0; message && i < message->n_values; i++) {
        const Hoist__Internal__LimitValue *value = message->values[i];

        if (value->limit >= _LIMIT_MAX)
            return error_set(err, -EPROTO, "limit number %u doesn't exist", value->limit);
        if (limit_is_given(ret, value->limit))
            return error_set(err, -EPROTO, "the limit %s is given twice", limit_name(value->limit));
        limit_set(ret, value->limit, value->value);
    }
    return 0;
}

void codec_put_limits(const struct limits *limits, struct codec_limits *ret)
{
    ret->message = (Hoist__Internal__LimitValues)HOIST__INTERNAL__LIMIT_VALUES__INIT;
    ret->message.values = ret->pointers;
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++) {
        Hoist__Internal__LimitValue *value = &ret->values[ret->message.n_values];

        if (!limit_is_given(limits, limit))
            continue;
        *value = (Hoist__Internal__LimitValue)HOIST__INTERNAL__LIMIT_VALUE__INIT;
        value->limit = limit;
        value->value = limits->value[limit];
        ret->pointers[ret->message.n_values++] = value;
    }
}
