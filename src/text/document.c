/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's event parser rather than its documents or a binding: only the events tell where a value
 * stands, and only here can anchors be refused before they multiply ("billion laughs"). A tree and
 * not the events themselves, so that the schema can ask for what comes later.
 */
#include "text/document.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/error.h"
#include "text/schema.h"

struct reader {
    yaml_parser_t yaml;
    const char *name;
    unsigned nodes;
    struct error *err;
};

static void event_done(yaml_event_t *event)
{
    yaml_event_delete(event);
}
#define _cleanup_event_ _cleanup_(event_done)

struct node *node_free(struct node *node)
{
    while (node) {
        struct node *next = node->next;

        node_free(node->first);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
    return NULL;
}

static int complain(struct reader *reader, yaml_mark_t mark, const char *what)
{
    return error_set(reader->err, -EINVAL, "%s:%zu:%zu: %s", reader->name, mark.line + 1,
                     mark.column + 1, what);
}

static int next_event(struct reader *reader, yaml_event_t *ret)
{
    const yaml_parser_t *yaml = &reader->yaml;

    if (yaml_parser_parse(&reader->yaml, ret))
        return 0;
    if (yaml->error == YAML_MEMORY_ERROR)
        return error_set(reader->err, -ENOMEM, "out of memory");
    if (yaml->error == YAML_READER_ERROR)
        return error_set(reader->err, -EINVAL, "%s: byte %zu: %s", reader->name,
                         yaml->problem_offset, yaml->problem);
    return error_set(reader->err, -EINVAL, "%s:%zu:%zu: %s%s%s", reader->name,
                     yaml->problem_mark.line + 1, yaml->problem_mark.column + 1, yaml->problem,
                     yaml->context ? " " : "", yaml->context ? yaml->context : "");
}

/* Anchors and tags, which a table has no use for. */
static int refuse_decoration(struct reader *reader, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (event->type == YAML_ALIAS_EVENT || anchor)
        return complain(reader, event->start_mark, "anchors and aliases (& and *) are not allowed");
    if (tag)
        return complain(reader, event->start_mark, "tags (!) are not allowed");
    return 0;
}

static int copy_text(struct reader *reader, const yaml_event_t *event, char **ret)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;

    if (memchr(text, '\0', size))
        return complain(reader, event->start_mark, "the text holds a NUL");
    *ret = strndup(text, size);
    return *ret ? 0 : error_set(reader->err, -ENOMEM, "out of memory");
}

static bool is_null(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0);
}

static void node_append(struct node *parent, struct node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

static const struct node *map_find(const struct node *map, const char *key)
{
    const struct node *child = map->first;

    while (child && strcmp(child->key, key) != 0)
        child = child->next;
    return child;
}

static int read_node(struct reader *reader, const yaml_event_t *event, unsigned depth,
                     struct node **ret);

static int read_list(struct reader *reader, struct node *list, unsigned depth)
{
    for (;;) {
        _cleanup_event_ yaml_event_t event = {0};
        struct node *child = NULL;
        int r;

        r = next_event(reader, &event);
        if (r < 0)
            return r;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        r = read_node(reader, &event, depth + 1, &child);
        if (r < 0)
            return r;
        node_append(list, child);
    }
}

/* The key of a map's next member; 1 at its end. */
static int read_key(struct reader *reader, const struct node *map, char **ret,
                    yaml_mark_t *ret_mark)
{
    _cleanup_event_ yaml_event_t event = {0};
    _cleanup_free_ char *key = NULL;
    const struct node *twin;
    int r;

    r = next_event(reader, &event);
    if (r < 0)
        return r;
    if (event.type == YAML_MAPPING_END_EVENT)
        return 1;
    r = refuse_decoration(reader, &event);
    if (r < 0)
        return r;
    if (event.type != YAML_SCALAR_EVENT)
        return complain(reader, event.start_mark, "a key must be a plain text");
    r = copy_text(reader, &event, &key);
    if (r < 0)
        return r;
    twin = map_find(map, key);
    if (twin)
        return error_set(reader->err, -EINVAL, "%s:%zu:%zu: \"%.64s\" stands in line %u already",
                         reader->name, event.start_mark.line + 1, event.start_mark.column + 1, key,
                         twin->key_line);
    *ret = TAKE_PTR(key);
    *ret_mark = event.start_mark;
    return 0;
}

static int read_map(struct reader *reader, struct node *map, unsigned depth)
{
    for (;;) {
        _cleanup_event_ yaml_event_t event = {0};
        _cleanup_free_ char *key = NULL;
        struct node *child = NULL;
        yaml_mark_t mark = {0};
        int r;

        r = read_key(reader, map, &key, &mark);
        if (r != 0)
            return r < 0 ? r : 0;
        r = next_event(reader, &event);
        if (r < 0)
            return r;
        r = read_node(reader, &event, depth + 1, &child);
        if (r < 0)
            return r;
        assert(child);
        child->key = TAKE_PTR(key);
        child->key_line = (unsigned)mark.line + 1;
        child->key_column = (unsigned)mark.column + 1;
        node_append(map, child);
    }
}

static int read_node(struct reader *reader, const yaml_event_t *event, unsigned depth,
                     struct node **ret)
{
    _cleanup_node_ struct node *node = NULL;
    int r;

    r = refuse_decoration(reader, event);
    if (r < 0)
        return r;
    if (depth > TEXT_DEPTH_MAX)
        return complain(reader, event->start_mark, "nested too deeply");
    if (++reader->nodes > TEXT_NODES_MAX)
        return complain(reader, event->start_mark, "too many values");
    node = calloc(1, sizeof(*node));
    if (!node)
        return error_set(reader->err, -ENOMEM, "out of memory");
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    if (event->type == YAML_SCALAR_EVENT) {
        node->null = is_null(event);
        r = copy_text(reader, event, &node->text);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        node->kind = NODE_LIST;
        r = read_list(reader, node, depth);
    } else {
        node->kind = NODE_MAP;
        r = read_map(reader, node, depth);
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(node);
    return 0;
}

static int read_documents(struct reader *reader, struct node **ret)
{
    _cleanup_node_ struct node *root = NULL;

    for (;;) {
        _cleanup_event_ yaml_event_t event = {0};
        int r;

        r = next_event(reader, &event);
        if (r < 0)
            return r;
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_STREAM_END_EVENT:
            *ret = TAKE_PTR(root);
            return 0;
        case YAML_DOCUMENT_START_EVENT:
            if (root)
                return complain(reader, event.start_mark, "a second document is not allowed");
            break;
        case YAML_NO_EVENT:
        case YAML_ALIAS_EVENT:
        case YAML_SCALAR_EVENT:
        case YAML_SEQUENCE_START_EVENT:
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_START_EVENT:
        case YAML_MAPPING_END_EVENT:
        default:
            r = read_node(reader, &event, 1, &root);
            if (r < 0)
                return r;
            break;
        }
    }
}

int document_parse(const char *name, const char *text, size_t size, struct node **ret,
                   struct error *err)
{
    struct reader reader = {.name = name, .err = err};
    int r;

    if (size > TEXT_SIZE_MAX)
        return error_set(err, -EFBIG, "%s: larger than %d bytes", name, TEXT_SIZE_MAX);
    if (!yaml_parser_initialize(&reader.yaml))
        return error_set(err, -ENOMEM, "out of memory");
    yaml_parser_set_encoding(&reader.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.yaml, (const unsigned char *)text, size);
    r = read_documents(&reader, ret);
    yaml_parser_delete(&reader.yaml);
    return r;
}
