/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protobuf-c unpacks 4 MiB of empty strings into 177 MB, keeps every unknown field, ends a string
 * at its first NUL, and doesn't ask whether it is UTF-8. So the bytes are walked once before
 * (encoding: protobuf.dev/programming-guides/encoding). Fields are counted for each message
 * instance, since that is what the limits are about; the sum over all instances is bounded as well.
 */
#include "api/wire-scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "api/wire-reader.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/utf8.h"

#define FIELDS_MAX     64 /* of one message type; more would be a bug of ours, not of the peer's */
#define PATH_TEXT_SIZE 128

/* What is counted over the whole message. */
struct scan {
    const struct wire_scan_options *options;
    unsigned elements;
    unsigned unknown;
};

/* Where the walk is: one for each open message, linked to the one around it. */
struct level {
    const ProtobufCMessageDescriptor *descriptor;
    const struct level *outer;
    const char *field; /* in the outer message */
    unsigned depth;
};

static size_t path_append(char *text, size_t size, size_t used, const char *name)
{
    int more = snprintf(text + used, size - used, "%s%s", used > 0 ? "." : "", name);

    return more < 0 || used + (size_t)more >= size ? used : used + (size_t)more;
}

static size_t level_path(const struct level *level, char *text, size_t size)
{
    size_t used;

    if (!level->outer)
        return 0;
    used = level_path(level->outer, text, size);
    return path_append(text, size, used, level->field);
}

/* "spec.args": the field (NULL: the message itself) at this level. */
static const char *path_format(const struct level *level, const char *field,
                               char text[static PATH_TEXT_SIZE])
{
    size_t used;

    text[0] = '\0';
    used = level_path(level, text, PATH_TEXT_SIZE);
    if (field)
        used = path_append(text, PATH_TEXT_SIZE, used, field);
    return used > 0 ? text : level->descriptor->short_name;
}

static int broken(const struct level *level, const char *field, const char *what, struct error *err)
{
    char path[PATH_TEXT_SIZE];

    return error_set(err, -EBADMSG, "%s %s", path_format(level, field, path), what);
}

static enum wire_type type_of_field(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LENGTH;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    default:
        return WIRE_VARINT;
    }
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *descriptor,
                                                  uint32_t id)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if (descriptor->fields[i].id == id)
            return &descriptor->fields[i];
    return NULL;
}

static unsigned limit_of(const struct scan *scan, const struct level *level, const char *field)
{
    const struct wire_scan_limit *limit = scan->options->limits;

    for (; limit && limit->message; limit++)
        if (limit->message == level->descriptor && strcmp(limit->field, field) == 0)
            return limit->max;
    return scan->options->elements_max;
}

static int count_elements(struct scan *scan, const struct level *level,
                          const ProtobufCFieldDescriptor *field, unsigned more, unsigned *count,
                          struct error *err)
{
    unsigned max = limit_of(scan, level, field->name);
    char path[PATH_TEXT_SIZE];

    *count += more;
    scan->elements += more;
    if (*count > max)
        return error_set(err, -E2BIG, "%s has more than %u elements",
                         path_format(level, field->name, path), max);
    if (scan->elements > scan->options->elements_max)
        return error_set(err, -E2BIG, "%s has more than %u elements in all its lists",
                         path_format(level, NULL, path), scan->options->elements_max);
    return 0;
}

/* The numbers of a packed field: whole ones, counted. */
static int scan_packed(struct scan *scan, const struct level *level,
                       const ProtobufCFieldDescriptor *field, struct wire_reader value,
                       unsigned *count, struct error *err)
{
    enum wire_type type = type_of_field(field);
    struct wire_reader number;
    int r;

    while (value.at < value.end) {
        if (!wire_read_value(&value, type, &number))
            return broken(level, field->name, "is cut off", err);
        r = count_elements(scan, level, field, 1, count, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int scan_text(const struct level *level, const ProtobufCFieldDescriptor *field,
                     struct wire_reader value, struct error *err)
{
    size_t size = (size_t)(value.end - value.at);

    if (size > 0 && memchr(value.at, '\0', size))
        return broken(level, field->name, "holds a NUL", err);
    if (!utf8_is_valid(value.at, size))
        return broken(level, field->name, "is not UTF-8", err);
    return 0;
}

static int scan_message(struct scan *scan, const struct level *level, struct wire_reader reader,
                        struct error *err);

static int scan_nested(struct scan *scan, const struct level *level,
                       const ProtobufCFieldDescriptor *field, struct wire_reader value,
                       struct error *err)
{
    const struct level inner = {
        .descriptor = field->descriptor,
        .outer = level,
        .field = field->name,
        .depth = level->depth + 1,
    };
    char path[PATH_TEXT_SIZE];

    if (inner.depth > WIRE_SCAN_DEPTH_MAX)
        return error_set(err, -E2BIG, "%s is nested more than %d deep",
                         path_format(level, field->name, path), WIRE_SCAN_DEPTH_MAX);
    return scan_message(scan, &inner, value, err);
}

/* One value of a known field; `count` says how many of it this message has had. */
static int scan_field(struct scan *scan, const struct level *level,
                      const ProtobufCFieldDescriptor *field, enum wire_type type,
                      struct wire_reader value, unsigned *count, struct error *err)
{
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    int r;

    if (repeated && type == WIRE_LENGTH && type_of_field(field) != WIRE_LENGTH)
        return scan_packed(scan, level, field, value, count, err);
    if (type != type_of_field(field))
        return broken(level, field->name, "has the wrong wire type", err);
    if (repeated) {
        r = count_elements(scan, level, field, 1, count, err);
        if (r < 0)
            return r;
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE && (*count)++ > 0) {
        return broken(level, field->name, "is given twice", err);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return scan_text(level, field, value, err);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return scan_nested(scan, level, field, value, err);
    return 0;
}

static int count_unknown(struct scan *scan, const struct level *level, struct error *err)
{
    char path[PATH_TEXT_SIZE];

    if (++scan->unknown > WIRE_SCAN_UNKNOWN_MAX)
        return error_set(err, -E2BIG, "%s has more than %d fields that are not known here",
                         path_format(level, NULL, path), WIRE_SCAN_UNKNOWN_MAX);
    return 0;
}

static int scan_message(struct scan *scan, const struct level *level, struct wire_reader reader,
                        struct error *err)
{
    unsigned counts[FIELDS_MAX] = {0};
    int r;

    if (level->descriptor->n_fields > FIELDS_MAX)
        return broken(level, NULL, "has more fields than can be counted", err);
    while (reader.at < reader.end) {
        const ProtobufCFieldDescriptor *field;
        enum wire_type type;
        struct wire_reader value;
        uint32_t id;

        if (!wire_read_tag(&reader, &id, &type))
            return broken(level, NULL, "has a malformed tag", err);
        field = find_field(level->descriptor, id);
        if (!wire_read_value(&reader, type, &value))
            return broken(level, field ? field->name : NULL, "is cut off or malformed", err);
        r = field ? scan_field(scan, level, field, type, value,
                               &counts[field - level->descriptor->fields], err)
                  : count_unknown(scan, level, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int wire_scan(const ProtobufCMessageDescriptor *descriptor, const void *data, size_t size,
              const struct wire_scan_options *options, struct error *err)
{
    struct scan scan = {.options = options};
    const struct level top = {.descriptor = descriptor};
    struct wire_reader reader = {data, data ? (const uint8_t *)data + size : NULL};

    return scan_message(&scan, &top, reader, err);
}
