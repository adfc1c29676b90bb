/* SPDX-License-Identifier: Apache-2.0 */
#include "text/yaml-write.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/buffer.h"
#include "base/cleanup.h"

/* Hands an event on, which the emitter takes whatever happens. */
static bool emit(yaml_emitter_t *yaml, yaml_event_t *event, int made)
{
    return made && yaml_emitter_emit(yaml, event);
}

static bool begins_like_text(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/';
}

/* Safe without quotes in every version of YAML: nothing but a word or a path. */
static bool is_plain(const char *text, size_t size)
{
    static const char *const words[] = {"y",   "n",    "yes",   "no",  "on",
                                        "off", "true", "false", "null"};

    if (size == 0 || !begins_like_text(text[0]))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!begins_like_text(text[i]) && !(text[i] >= '0' && text[i] <= '9') &&
            (text[i] == '\0' || !strchr("._-", text[i])))
            return false;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strlen(words[i]) == size && strncasecmp(words[i], text, size) == 0)
            return false;
    return true;
}

static bool write_scalar(yaml_emitter_t *yaml, const char *text, size_t size, bool quoted)
{
    yaml_event_t event;
    int made = yaml_scalar_event_initialize(
        &event, NULL, NULL, (const yaml_char_t *)text, (int)size, !quoted, quoted,
        quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE);

    return emit(yaml, &event, made);
}

static bool write_text(yaml_emitter_t *yaml, const char *text, size_t size)
{
    return write_scalar(yaml, text, size, !is_plain(text, size));
}

static bool write_word(yaml_emitter_t *yaml, const char *word)
{
    return write_scalar(yaml, word, strlen(word), false);
}

static bool write_node(yaml_emitter_t *yaml, const json_t *node);

static bool write_map(yaml_emitter_t *yaml, const json_t *map)
{
    yaml_event_t event;
    const char *key;
    json_t *value;

    if (!emit(yaml, &event,
              yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)))
        return false;
    json_object_foreach((json_t *)(uintptr_t)map, key,
                        value) if (!write_text(yaml, key, strlen(key)) ||
                                   !write_node(yaml, value)) return false;
    return emit(yaml, &event, yaml_mapping_end_event_initialize(&event));
}

static bool write_list(yaml_emitter_t *yaml, const json_t *list)
{
    yaml_event_t event;
    const json_t *value;
    size_t i;

    if (!emit(
            yaml, &event,
            yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE)))
        return false;
    json_array_foreach(list, i, value) if (!write_node(yaml, value)) return false;
    return emit(yaml, &event, yaml_sequence_end_event_initialize(&event));
}

static bool write_number(yaml_emitter_t *yaml, const json_t *node)
{
    char text[64];

    if (json_is_integer(node))
        (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(node));
    else
        (void)snprintf(text, sizeof(text), "%.6g", json_real_value(node));
    return write_word(yaml, text);
}

static bool write_node(yaml_emitter_t *yaml, const json_t *node)
{
    switch (json_typeof(node)) {
    case JSON_OBJECT:
        return write_map(yaml, node);
    case JSON_ARRAY:
        return write_list(yaml, node);
    case JSON_STRING:
        return write_text(yaml, json_string_value(node), json_string_length(node));
    case JSON_INTEGER:
    case JSON_REAL:
        return write_number(yaml, node);
    case JSON_TRUE:
        return write_word(yaml, "true");
    case JSON_FALSE:
        return write_word(yaml, "false");
    case JSON_NULL:
    default:
        return write_word(yaml, "null");
    }
}

static int append_chunk(void *owner, unsigned char *data, size_t size)
{
    return buffer_append(owner, data, size) >= 0;
}

static bool write_document(yaml_emitter_t *yaml, const json_t *root)
{
    yaml_event_t event;

    return emit(yaml, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
           emit(yaml, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
           write_node(yaml, root) &&
           emit(yaml, &event, yaml_document_end_event_initialize(&event, 1)) &&
           emit(yaml, &event, yaml_stream_end_event_initialize(&event));
}

int yaml_write(const json_t *root, struct buffer *out)
{
    yaml_emitter_t yaml;
    bool written;

    if (!yaml_emitter_initialize(&yaml))
        return -ENOMEM;
    yaml_emitter_set_output(&yaml, append_chunk, out);
    yaml_emitter_set_unicode(&yaml, 1);
    yaml_emitter_set_width(&yaml, -1);
    written = write_document(&yaml, root);
    yaml_emitter_delete(&yaml);
    return written ? 0 : -ENOMEM;
}
