/* SPDX-License-Identifier: Apache-2.0 */
#include "text/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "text/document.h"

#define PATH_TEXT_SIZE   256
#define KEY_SHOWN_MAX    64
#define SUGGESTION_CHARS 32 /* longer keys get no suggestion */
#define SUGGESTION_EDITS 2

struct walk {
    const char *name; /* of the file */
    const struct text_witness *witness;
    struct error *err;
};

/* "classes.small.cpu", linked from the inside out. */
struct place {
    const struct place *outer;
    const char *key;
};

static size_t place_format(const struct place *place, char *text, size_t size)
{
    size_t used = place->outer ? place_format(place->outer, text, size) : 0;
    int more;

    if (!place->key)
        return used;
    more = snprintf(text + used, size - used, "%s%s", used > 0 ? "." : "", place->key);
    return more < 0 || used + (size_t)more >= size ? used : used + (size_t)more;
}

static void witness_tell(const struct walk *walk, const struct place *place,
                         const struct node *node)
{
    char path[PATH_TEXT_SIZE] = "";

    if (!walk->witness)
        return;
    (void)place_format(place, path, sizeof(path));
    walk->witness->seen(walk->witness->owner, path, node->key ? node->key_line : node->line);
}

/* A key as it may be shown: escaped and cut. */
static const char *key_shown(const char *key, char text[static KEY_SHOWN_MAX])
{
    _cleanup_free_ char *escaped = utf8_escape(key);

    (void)snprintf(text, KEY_SHOWN_MAX, "%s", escaped ? escaped : "");
    return text;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = MIN(a, b);

    return MIN(least, c);
}

/* Levenshtein's distance by one row; texts of at most SUGGESTION_CHARS. */
static unsigned edits_between(const char *a, const char *b)
{
    unsigned row[SUGGESTION_CHARS + 1], length = (unsigned)strlen(b);

    for (unsigned j = 0; j <= length; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= length; j++) {
            unsigned above = row[j];

            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

static const char *suggestion(const struct text_key *keys, const char *wrong)
{
    unsigned best = SUGGESTION_EDITS + 1;
    const char *found = NULL;

    for (; keys->key; keys++) {
        unsigned edits;

        if (strlen(wrong) > SUGGESTION_CHARS || strlen(keys->key) > SUGGESTION_CHARS)
            continue;
        edits = edits_between(wrong, keys->key);
        if (edits < best) {
            best = edits;
            found = keys->key;
        }
    }
    return found;
}

static int complain_unknown(const struct walk *walk, const struct text_key *keys,
                            const struct node *node)
{
    const char *meant = suggestion(keys, node->key);
    char key[KEY_SHOWN_MAX];

    (void)key_shown(node->key, key);
    if (meant)
        return error_set(walk->err, -EINVAL, "%s:%u:%u: unknown key \"%s\"; is \"%s\" meant?",
                         walk->name, node->key_line, node->key_column, key, meant);
    return error_set(walk->err, -EINVAL, "%s:%u:%u: unknown key \"%s\"", walk->name, node->key_line,
                     node->key_column, key);
}

static int complain_kind(const struct walk *walk, const struct place *place,
                         const struct node *node, const char *wanted)
{
    static const char *const got[] = {
        [NODE_VALUE] = "a single value",
        [NODE_LIST] = "a list",
        [NODE_MAP] = "a section",
    };
    char path[PATH_TEXT_SIZE] = "", shown[KEY_SHOWN_MAX];

    (void)place_format(place, path, sizeof(path));
    return error_set(walk->err, -EINVAL, "%s:%u:%u: %s%sneeds %s, not %s", walk->name, node->line,
                     node->column, key_shown(path, shown), path[0] ? " " : "the file ", wanted,
                     node->kind == NODE_VALUE && node->null ? "nothing" : got[node->kind]);
}

/* Puts the place in front of what a parser said. */
static int complain_at(const struct walk *walk, const struct place *place, unsigned line,
                       unsigned column, int code)
{
    char path[PATH_TEXT_SIZE] = "", shown[KEY_SHOWN_MAX];

    (void)place_format(place, path, sizeof(path));
    (void)error_prefix(walk->err, "%s:%u:%u: %s", walk->name, line, column, key_shown(path, shown));
    return code;
}

static int complain_value(const struct walk *walk, const struct place *place,
                          const struct node *node, int code)
{
    return complain_at(walk, place, node->line, node->column, code);
}

static int read_value(const struct walk *walk, const struct text_key *row,
                      const struct place *place, const struct node *node, void *destination)
{
    int r;

    if (node->kind != NODE_VALUE || node->null)
        return complain_kind(walk, place, node, "a single value");
    r = row->parse(node->text, destination, row->argument, walk->err);
    return r < 0 ? complain_value(walk, place, node, r) : 0;
}

static int read_list(const struct walk *walk, const struct text_key *row, const struct place *place,
                     const struct node *node, void *destination)
{
    int r;

    if (node->kind != NODE_LIST)
        return complain_kind(walk, place, node, "a list");
    for (const struct node *child = node->first; child; child = child->next) {
        r = read_value(walk, row, place, child, destination);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_keys(const struct walk *walk, const struct text_key *keys,
                     const struct place *place, const struct node *node, void *destination);

static int read_member(const struct walk *walk, const struct text_key *row,
                       const struct place *place, const struct node *node, void *destination)
{
    void *member = NULL;
    int r;

    r = row->member(destination, node->key, &member, walk->err);
    if (r < 0 && node->key)
        return complain_at(walk, place, node->key_line, node->key_column, r);
    if (r < 0)
        return complain_value(walk, place, node, r);
    /* "small:" with nothing behind it is a member that sets nothing. */
    return node->kind == NODE_VALUE && node->null ? 0
                                                  : read_keys(walk, row->keys, place, node, member);
}

static int read_members(const struct walk *walk, const struct text_key *row,
                        const struct place *place, const struct node *node, void *destination)
{
    enum node_kind wanted = row->kind == TEXT_KIND_ITEMS ? NODE_LIST : NODE_MAP;
    int r;

    if (node->kind != wanted)
        return complain_kind(walk, place, node,
                             wanted == NODE_LIST ? "a list" : "a section of names");
    for (const struct node *child = node->first; child; child = child->next) {
        const struct place inner = {place, child->key};

        r = read_member(walk, row, &inner, child, destination);
        if (r < 0)
            return r;
        witness_tell(walk, &inner, child);
    }
    return 0;
}

/* One entry: a value, or a list that stands for several of the same name. */
static int read_entry(const struct walk *walk, const struct text_key *row,
                      const struct place *place, const struct node *entry, void *destination)
{
    const struct node *value = entry->kind == NODE_LIST ? entry->first : entry;
    int r;

    for (; value; value = entry->kind == NODE_LIST ? value->next : NULL) {
        if (value->kind != NODE_VALUE || value->null)
            return complain_kind(walk, place, value, "a value");
        r = row->entry(destination, entry->key, value->text, walk->err);
        if (r < 0)
            return complain_value(walk, place, value, r);
    }
    return 0;
}

static int read_entries(const struct walk *walk, const struct text_key *row,
                        const struct place *place, const struct node *node, void *destination)
{
    int r;

    if (node->kind != NODE_MAP)
        return complain_kind(walk, place, node, "a section of names and values");
    for (const struct node *child = node->first; child; child = child->next) {
        const struct place inner = {place, child->key};

        r = read_entry(walk, row, &inner, child, destination);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_row(const struct walk *walk, const struct text_key *row, const struct place *place,
                    const struct node *node, void *destination)
{
    switch (row->kind) {
    case TEXT_KIND_VALUE:
        return read_value(walk, row, place, node, destination);
    case TEXT_KIND_LIST:
        return read_list(walk, row, place, node, destination);
    case TEXT_KIND_SECTION:
        return read_keys(walk, row->keys, place, node, destination);
    case TEXT_KIND_MEMBERS:
    case TEXT_KIND_ITEMS:
        return read_members(walk, row, place, node, destination);
    case TEXT_KIND_ENTRIES:
        return read_entries(walk, row, place, node, destination);
    default:
        return -EINVAL;
    }
}

static const struct text_key *find_row(const struct text_key *keys, const char *key)
{
    for (; keys->key; keys++)
        if (strcmp(keys->key, key) == 0)
            return keys;
    return NULL;
}

static int read_keys(const struct walk *walk, const struct text_key *keys,
                     const struct place *place, const struct node *node, void *destination)
{
    int r;

    if (node->kind != NODE_MAP)
        return complain_kind(walk, place, node, "a section of keys and values");
    for (const struct node *child = node->first; child; child = child->next) {
        const struct text_key *row = find_row(keys, child->key);
        const struct place inner = {place, child->key};

        if (!row)
            return complain_unknown(walk, keys, child);
        r = read_row(walk, row, &inner, child, (char *)destination + row->offset);
        if (r < 0)
            return r;
        witness_tell(walk, &inner, child);
    }
    return 0;
}

int text_read(const char *name, const char *text, size_t size, const struct text_key *keys,
              void *destination, const struct text_witness *witness, struct error *err)
{
    struct error ignored;
    const struct walk walk = {name, witness, err ? err : &ignored};
    const struct place top = {0};
    _cleanup_node_ struct node *root = NULL;
    int r;

    r = document_parse(name, text, size, &root, walk.err);
    if (r < 0)
        return r;
    if (!root || (root->kind == NODE_VALUE && root->null))
        return 0;
    return read_keys(&walk, keys, &top, root, destination);
}

int text_read_file(const char *path, const struct text_key *keys, void *destination,
                   const struct text_witness *witness, struct error *err)
{
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = file_read(AT_FDCWD, path, TEXT_SIZE_MAX, &text, &size);
    if (r == -EFBIG)
        return error_set(err, r, "%s: larger than %d bytes", path, TEXT_SIZE_MAX);
    if (r < 0)
        return error_set(err, r, "%s: can't be read: %s", path, strerror(-r));
    return text_read(path, text, size, keys, destination, witness, err);
}
