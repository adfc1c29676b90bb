/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"

struct error;

/*
 * Job records that survive: one small interface, implemented by SQLite (store-sqlite.h) and, for
 * tests, by memory (store-memory.h).
 *
 * A store belongs to one thread; in the agent that is store_thread.h's. Everything blocks, a write
 * returns when it is safe on disk (outside of store_begin() … store_commit()). What the columns
 * don't hold the worker keeps in two blobs that the store doesn't look into.
 */

struct store;

struct store_label {
    char *key;
    char *value;
};

struct store_record {
    struct id id;
    char *owner;        /* a principal; never NULL */
    char *display_name; /* NULL: none; unique among the records of one owner */
    char *request_id;   /* NULL: none; unique among the records of one owner */
    int state;          /* 0 … 63 */
    int cause;
    bool live;           /* not in a final state: store_list() finds it when the agent starts */
    usec_t created;      /* wall, as the next two */
    usec_t started;      /* 0: not yet, never */
    usec_t ended;        /* 0: not yet */
    uid_t uid;           /* of the command */
    pid_t pid;           /* of hoist-init; 0: none */
    uint64_t start_time; /* of that pid, clock ticks since boot */
    struct id boot_id;   /* the boot in which pid and start time mean something */
    void *spec;
    size_t spec_size;
    void *outcome; /* NULL with size 0: nothing yet */
    size_t outcome_size;
    struct store_label *labels; /* sorted by key, keys unique */
    size_t label_count;
};

/* A record owns all that it points to. Accepts NULL. */
void store_record_free(struct store_record *record);
DEFINE_CLEANUP(struct store_record *, store_record_free);
#define _cleanup_store_record_ _cleanup_(store_record_freep)

/* A deep copy; NULL when there is no memory. */
struct store_record *store_record_copy(const struct store_record *record);

struct store_list {
    struct store_record **records;
    size_t count;
};

void store_list_done(struct store_list *list);
#define _cleanup_store_list_ _cleanup_(store_list_done)

/* Behind which record a page starts: the last one of the page before. */
struct store_cursor {
    usec_t created;
    struct id id;
};

struct store_filter {
    const char *owner; /* NULL: everybody's */
    uint64_t states;   /* bits 1 << state; 0: all */
    bool live_only;
    const struct store_label *labels; /* all must match; value NULL or "": the label exists */
    size_t label_count;
    const struct store_cursor *after; /* NULL: from the newest */
    bool first_ended_first;           /* instead of newest first; without `after` */
    size_t limit;                     /* records at most; 0: all */
};

/*
 * Every call returns 0 or a negative errno with a sentence: -ENOSPC (disk full), -EIO, -EBADMSG
 * (the database is damaged), -ENOMEM, -EBUSY (somebody else holds it), -E2BIG (a blob too large).
 */

/*
 * Adds a record. -EEXIST: the id or, of this owner, the display name is taken; -EALREADY: this
 * owner has used the request id, find the job with store_get_by_request().
 */
int store_put(struct store *store, const struct store_record *record, struct error *err);

/*
 * Rewrites what changes in a job's life: state, cause, live, started, ended, uid, pid, start time,
 * boot id, outcome. The rest of `record` but the id is not looked at. -ENOENT.
 */
int store_update(struct store *store, const struct store_record *record, struct error *err);

/* Removes record and labels. -ENOENT. */
int store_remove(struct store *store, const struct id *id, struct error *err);

/* The record, to be freed by the caller; -ENOENT. */
int store_get(struct store *store, const struct id *id, struct store_record **ret,
              struct error *err);
int store_get_by_name(struct store *store, const char *owner, const char *display_name,
                      struct store_record **ret, struct error *err);
int store_get_by_request(struct store *store, const char *owner, const char *request_id,
                         struct store_record **ret, struct error *err);

/*
 * Records with low <= id <= high (id_parse_prefix()), of `owner` or, NULL, of everybody, in the
 * order of ids, at most `limit` (> 0): two are enough to know that a prefix is ambiguous.
 */
int store_find_range(struct store *store, const char *owner, const struct id *low,
                     const struct id *high, size_t limit, struct store_list *ret,
                     struct error *err);

/* Newest first: by created, then id, both falling; or, when so wanted, by ended, then id, rising.
 */
int store_list(struct store *store, const struct store_filter *filter, struct store_list *ret,
               struct error *err);

/*
 * Several writes as one: nothing is safe before store_commit() returned 0; when it fails, or after
 * store_rollback(), nothing of them has happened. A write that is refused in between (-EEXIST, …)
 * leaves the others in place; after any other failure only store_rollback() is allowed. They don't
 * nest.
 */
int store_begin(struct store *store, struct error *err);
int store_commit(struct store *store, struct error *err);
void store_rollback(struct store *store);

/* Rolls back what is open and frees. Accepts NULL. */
void store_close(struct store *store);
DEFINE_CLEANUP(struct store *, store_close);
#define _cleanup_store_ _cleanup_(store_closep)
