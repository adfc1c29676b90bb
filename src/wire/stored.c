/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/stored.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/strv.h"

/* NULL stays NULL. */
int stored_copy_text(const char *text, char **ret)
{
    if (!text)
        return 0;
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

int stored_copy_list(char *const *list, char ***ret)
{
    if (!list)
        return 0;
    *ret = strv_copy(list);
    return *ret ? 0 : -ENOMEM;
}

char *stored_text(const char *text)
{
    return (char *)(text ? text : "");
}

ProtobufCBinaryData stored_bytes(const char *text)
{
    return (ProtobufCBinaryData){
        .len = text ? strlen(text) : 0,
        .data = (uint8_t *)(uintptr_t)text,
    };
}

ProtobufCBinaryData stored_id(const struct id *id)
{
    return (ProtobufCBinaryData){.len = ID_SIZE, .data = (uint8_t *)(uintptr_t)id->bytes};
}

/* A list of texts as borrowed bytes: *ret is an array that the caller frees. */
int stored_list(char *const *list, size_t *ret_count, ProtobufCBinaryData **ret)
{
    size_t count = list ? strv_length(list) : 0;
    ProtobufCBinaryData *stored = calloc(count + 1, sizeof(*stored));

    if (!stored)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        stored[i] = stored_bytes(list[i]);
    *ret_count = count;
    *ret = stored;
    return 0;
}

int stored_pack(const ProtobufCMessage *message, struct buffer *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *room;
    int r = buffer_reserve(out, size, &room);

    if (r < 0)
        return r;
    protobuf_c_message_pack(message, room);
    buffer_commit(out, size);
    return 0;
}

int stored_read_id(const ProtobufCBinaryData *stored, struct id *ret)
{
    if (stored->len != ID_SIZE)
        return -EPROTO;
    memcpy(ret->bytes, stored->data, ID_SIZE);
    return 0;
}

int stored_read_text(const ProtobufCBinaryData *stored, char **ret)
{
    if (stored->len > 0 && memchr(stored->data, 0, stored->len))
        return -EPROTO;
    *ret = stored->len > 0 ? strndup((const char *)stored->data, stored->len) : strdup("");
    return *ret ? 0 : -ENOMEM;
}

int stored_read_list(const ProtobufCBinaryData *stored, size_t count, char ***ret)
{
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *text = NULL;
        int r = stored_read_text(&stored[i], &text);

        if (r == 0)
            r = strv_append(ret, text);
        if (r < 0)
            return r;
    }
    return 0;
}

int stored_read_limit(const Hoist__Internal__StoredLimit *stored, struct limits *limits)
{
    int limit = limit_from_name(stored->name);

    if (limit < 0)
        return -EPROTO;
    limit_set(limits, (enum limit)limit, stored->value);
    return limit;
}

/* Fills arrays of _LIMIT_MAX with the given limits; `report` may be NULL. Returns their number. */
size_t stored_limits(const struct limits *limits, const struct limit_report *report,
                     Hoist__Internal__StoredLimit *stored, Hoist__Internal__StoredLimit **pointers)
{
    size_t count = 0;

    for (enum limit limit = 0; limit < _LIMIT_MAX; limit++) {
        if (!limit_is_given(limits, limit))
            continue;
        stored[count] = (Hoist__Internal__StoredLimit)HOIST__INTERNAL__STORED_LIMIT__INIT;
        stored[count].name = stored_text(limit_name(limit));
        stored[count].value = limits->value[limit];
        if (report) {
            stored[count].enforced = (report->enforced & LIMIT_BIT(limit)) != 0;
            stored[count].detail = stored_text(report->detail[limit]);
        }
        pointers[count] = &stored[count];
        count++;
    }
    return count;
}

void stored_message_freep(ProtobufCMessage **message)
{
    if (*message)
        protobuf_c_message_free_unpacked(*message, NULL);
}

int stored_error(int code, const char *what, struct error *err)
{
    if (code == -ENOMEM)
        return error_set(err, code, "no memory to read %s", what);
    return error_set(err, code, "this is no %s that this version of hoist can read", what);
}
