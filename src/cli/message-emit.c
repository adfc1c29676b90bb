/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message-emit.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/moment.h"
#include "base/error.h"
#include "base/utf8.h"
#include "cli/print.h"
#include "cli/session.h"
#include "text/emitter.h"

/* "JOB_STATE_RUNNING" of enum JobState → "RUNNING". */
static const char *enum_text(const ProtobufCEnumDescriptor *descriptor, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);
    const char *type = descriptor->short_name, *text;

    if (!value)
        return "UNSPECIFIED";
    text = value->name;
    for (; *type; type++) {
        if (*text == '_')
            text++;
        if (toupper((unsigned char)*type) != *text)
            return value->name;
        text++;
    }
    return *text == '_' ? text + 1 : value->name;
}

static void emit_moment(struct emitter *emitter, const char *key, const void *message)
{
    char text[CLOCK_TEXT_MAX];
    usec_t wall;

    if (api_timestamp_read(message, &wall, NULL) == 0)
        emitter_text(emitter, key, clock_format_utc(wall, text));
    else
        emitter_null(emitter, key);
}

static void emit_duration(struct emitter *emitter, const char *key, const void *message)
{
    usec_t duration;

    if (api_duration_read(message, 0, &duration, NULL) == 0)
        emitter_real(emitter, key, (double)duration / (double)USEC_PER_SEC);
    else
        emitter_null(emitter, key);
}

static void emit_sub_message(struct emitter *emitter, const char *key,
                             const ProtobufCMessage *message)
{
    if (message->descriptor == &google__protobuf__timestamp__descriptor)
        emit_moment(emitter, key, message);
    else if (message->descriptor == &google__protobuf__duration__descriptor)
        emit_duration(emitter, key, message);
    else if (message->descriptor == &hoist__v1__amount__descriptor)
        emitter_unsigned(emitter, key, ((const Hoist__V1__Amount *)(const void *)message)->value);
    else
        message_emit(emitter, key, message);
}

/* One value of a field's type, which lies at `at`. */
static void emit_value(struct emitter *emitter, const char *key,
                       const ProtobufCFieldDescriptor *field, const void *at)
{
    const ProtobufCBinaryData *bytes;

    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        emitter_integer(emitter, key, *(const int32_t *)at);
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        emitter_integer(emitter, key, *(const int64_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        emitter_unsigned(emitter, key, *(const uint32_t *)at);
        break;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        emitter_unsigned(emitter, key, *(const uint64_t *)at);
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        emitter_real(emitter, key, (double)*(const float *)at);
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        emitter_real(emitter, key, *(const double *)at);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        emitter_bool(emitter, key, *(const protobuf_c_boolean *)at != 0);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        emitter_text(emitter, key, enum_text(field->descriptor, *(const int *)at));
        break;
    case PROTOBUF_C_TYPE_STRING:
        emitter_text(emitter, key, *(char *const *)at);
        break;
    case PROTOBUF_C_TYPE_BYTES:
        bytes = at;
        emitter_bytes(emitter, key, bytes->data, bytes->len);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
    default:
        emit_sub_message(emitter, key, *(ProtobufCMessage *const *)at);
        break;
    }
}

static size_t value_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_BOOL:
    default:
        return 4;
    }
}

/* The generated entry of any map<string, string> is {base, key, value}. */
static bool is_map_entry(const ProtobufCFieldDescriptor *field)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;

    return field->type == PROTOBUF_C_TYPE_MESSAGE && type->n_fields == 2 &&
           strcmp(type->fields[0].name, "key") == 0 && strcmp(type->fields[1].name, "value") == 0 &&
           strstr(type->name, "Entry") != NULL;
}

static void emit_repeated(struct emitter *emitter, const ProtobufCFieldDescriptor *field,
                          const char *values, size_t count)
{
    bool map = is_map_entry(field);

    if (map)
        emitter_begin_map(emitter, field->name);
    else
        emitter_begin_list(emitter, field->name);
    for (size_t i = 0; i < count; i++) {
        const char *at = values + i * value_size(field);

        if (map) {
            const char *entry = *(const char *const *)(const void *)at;
            const ProtobufCFieldDescriptor *fields =
                ((const ProtobufCMessageDescriptor *)field->descriptor)->fields;

            emitter_text(emitter, *(char *const *)(const void *)(entry + fields[0].offset),
                         *(char *const *)(const void *)(entry + fields[1].offset));
        } else {
            emit_value(emitter, NULL, field, at);
        }
    }
    emitter_end(emitter);
}

static bool is_absent(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *at = (const char *)message + field->offset;

    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(const void *)((const char *)message +
                                                 field->quantifier_offset) != field->id;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return *(void *const *)(const void *)at == NULL;
    return false;
}

void message_emit(struct emitter *emitter, const char *key, const ProtobufCMessage *message)
{
    emitter_begin_map(emitter, key);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const char *at = (const char *)message + field->offset;

        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            emit_repeated(
                emitter, field, *(const char *const *)(const void *)at,
                *(const size_t *)(const void *)((const char *)message + field->quantifier_offset));
        else if (!is_absent(message, field))
            emit_value(emitter, field->name, field, at);
    }
    emitter_end(emitter);
}

/* A terminal gets the document without control characters, which JSON allows above U+007F. */
static int print_document(const struct session *session, const struct buffer *document)
{
    _cleanup_buffer_ struct buffer shown = {0};
    struct utf8_filter filter = {0};
    int r = 0;

    if (session->arguments.raw || !isatty(STDOUT_FILENO))
        return print_bytes(buffer_bytes(document), buffer_size(document));
    r = utf8_filter_append(&filter, &shown, buffer_bytes(document), buffer_size(document));
    if (r == 0)
        r = utf8_filter_end(&filter, &shown);
    return r < 0 ? r : print_bytes(buffer_bytes(&shown), buffer_size(&shown));
}

int message_print(const struct session *session, const ProtobufCMessage *message)
{
    _cleanup_emitter_ struct emitter *emitter = emitter_new();
    _cleanup_buffer_ struct buffer document = {0};
    struct error err;
    int r;

    if (!emitter)
        return -ENOMEM;
    message_emit(emitter, NULL, message);
    r = emitter_finish(emitter, session->format == OUTPUT_FORMAT_YAML ? EMITTER_YAML : EMITTER_JSON,
                       &document, &err);
    if (r < 0) {
        tell("%s", err.text);
        return r;
    }
    return print_document(session, &document);
}
