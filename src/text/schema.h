/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

struct error;

/*
 * Reading a YAML (or JSON, which is YAML too) file by a table: which keys there are, how each value
 * is parsed, and where it goes.
 *
 * Everything that the table doesn't hold is refused: an unknown key (with the likeliest one that
 * was meant), a key given twice, a list where a value belongs, a key without a value. Anchors,
 * aliases and tags are refused too, as are several documents, NULs, more than TEXT_DEPTH_MAX levels
 * and more than TEXT_NODES_MAX values, so that no small file becomes a large one. Every error
 * begins with "file:line:column: ".
 *
 * An empty file sets nothing. Values are parsed in the order of the file; after an error the
 * destination holds what came before it, so read into a fresh one and swap.
 */

#define TEXT_SIZE_MAX  (1024 * 1024)
#define TEXT_DEPTH_MAX 16
#define TEXT_NODES_MAX 10000

/*
 * Parses one value into `destination` (of the type that the table says). `argument` is the table's.
 * Returns 0, or a negative errno with a sentence without the place, which the reader puts in front.
 * See text/value.h for those that are ready.
 */
typedef int text_parse_fn(const char *text, void *destination, const void *argument,
                          struct error *err);

/*
 * Adds a member to what `destination` holds and points *ret at it; the member's keys are read into
 * it. `name` is its key, or NULL in a list.
 */
typedef int text_member_fn(void *destination, const char *name, void **ret, struct error *err);

/* Takes one entry of a map of plain values; called once for each element when the value is a list.
 */
typedef int text_entry_fn(void *destination, const char *name, const char *text, struct error *err);

enum text_kind {
    TEXT_KIND_VALUE,   /* key: value                        → parse */
    TEXT_KIND_LIST,    /* key: [value, …]                   → parse, once for each */
    TEXT_KIND_SECTION, /* key: {known keys}                 → keys */
    TEXT_KIND_MEMBERS, /* key: {any name: {known keys}, …}  → member, then keys */
    TEXT_KIND_ITEMS, /* key: [{known keys}, …]            → member with a NULL name, then keys */
    TEXT_KIND_ENTRIES, /* key: {any name: value, …}         → entry */
};

/* One row; a row whose `key` is NULL ends the table. */
struct text_key {
    const char *key;
    enum text_kind kind;
    size_t offset; /* of the destination in the struct that this table is about */
    text_parse_fn *parse;
    const void *argument;
    text_member_fn *member;
    text_entry_fn *entry;
    const struct text_key *keys;
};

/* clang-format off */
#define TEXT_VALUE(name, type, field, parser, with) \
    { .key = (name), .kind = TEXT_KIND_VALUE, .offset = offsetof(type, field), .parse = (parser), .argument = (with) }
#define TEXT_LIST(name, type, field, parser, with) \
    { .key = (name), .kind = TEXT_KIND_LIST, .offset = offsetof(type, field), .parse = (parser), .argument = (with) }
#define TEXT_SECTION(name, type, field, table) \
    { .key = (name), .kind = TEXT_KIND_SECTION, .offset = offsetof(type, field), .keys = (table) }
/* A section whose keys lie in the same struct as the table that holds it. */
#define TEXT_GROUP(name, table) \
    { .key = (name), .kind = TEXT_KIND_SECTION, .keys = (table) }
#define TEXT_MEMBERS(name, type, field, maker, table) \
    { .key = (name), .kind = TEXT_KIND_MEMBERS, .offset = offsetof(type, field), .member = (maker), .keys = (table) }
#define TEXT_ITEMS(name, type, field, maker, table) \
    { .key = (name), .kind = TEXT_KIND_ITEMS, .offset = offsetof(type, field), .member = (maker), .keys = (table) }
#define TEXT_ENTRIES(name, type, field, taker) \
    { .key = (name), .kind = TEXT_KIND_ENTRIES, .offset = offsetof(type, field), .entry = (taker) }
/* clang-format on */

/*
 * Told of each value, list, section, member and map that was read: its dotted path ("tls.cert",
 * "classes.small.cpu") and line. For --print-config, and for rules that span several keys.
 */
struct text_witness {
    void (*seen)(void *owner, const char *path, unsigned line);
    void *owner;
};

/*
 * Reads `size` bytes; `name` stands for the file in errors. `witness` may be NULL.
 * Returns 0; -EINVAL for what is wrong in the text; -EFBIG; what a parser returned; -ENOMEM.
 */
int text_read(const char *name, const char *text, size_t size, const struct text_key *keys,
              void *destination, const struct text_witness *witness, struct error *err);

/* The same for a file of at most TEXT_SIZE_MAX bytes; also -ENOENT, -EACCES, … */
int text_read_file(const char *path, const struct text_key *keys, void *destination,
                   const struct text_witness *witness, struct error *err);
