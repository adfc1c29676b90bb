/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct error;

/*
 * A YAML document as a tree, with the place of each value: what the schema is held against.
 * The door to libyaml's parser.
 */

enum node_kind {
    NODE_VALUE,
    NODE_LIST,
    NODE_MAP,
};

struct node {
    enum node_kind kind;
    unsigned line, column; /* from 1 */
    char *key;             /* in a map: its name; owned */
    unsigned key_line, key_column;
    char *text;         /* NODE_VALUE; owned, without NUL */
    bool null;          /* NODE_VALUE: nothing, or ~ or null without quotes */
    struct node *first; /* NODE_LIST and NODE_MAP: the children, owned */
    struct node *last;
    struct node *next; /* the next sibling */
};

struct node *node_free(struct node *node);
DEFINE_CLEANUP(struct node *, node_free);
#define _cleanup_node_ _cleanup_(node_freep)

/* Parses one document; *ret is NULL for an empty one. Errors as text_read(). */
int document_parse(const char *name, const char *text, size_t size, struct node **ret,
                   struct error *err);
