/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "store/store.h"

/*
 * What an implementation of the store gives; each function as the one of the same name in store.h.
 * For implementations only. Arguments were checked by store.c.
 */

struct store_ops {
    int (*put)(struct store *store, const struct store_record *record, struct error *err);
    int (*update)(struct store *store, const struct store_record *record, struct error *err);
    int (*remove)(struct store *store, const struct id *id, struct error *err);
    int (*get)(struct store *store, const struct id *id, struct store_record **ret,
               struct error *err);
    int (*get_by_name)(struct store *store, const char *owner, const char *display_name,
                       struct store_record **ret, struct error *err);
    int (*get_by_request)(struct store *store, const char *owner, const char *request_id,
                          struct store_record **ret, struct error *err);
    int (*find_range)(struct store *store, const char *owner, const struct id *low,
                      const struct id *high, size_t limit, struct store_list *ret,
                      struct error *err);
    int (*list)(struct store *store, const struct store_filter *filter, struct store_list *ret,
                struct error *err);
    int (*begin)(struct store *store, struct error *err);
    int (*commit)(struct store *store, struct error *err);
    void (*rollback)(struct store *store);
    void (*close)(struct store *store);
};

/* The first member of every implementation. */
struct store {
    const struct store_ops *ops;
};

/* Appends a record, which the list then owns (also on failure, when it frees it). 0 or -ENOMEM. */
int store_list_consume(struct store_list *list, struct store_record *record);

/* The sentences of the refusals, the same from every implementation. */
int store_refuse_request(const struct store_record *record, struct error *err);
int store_refuse_taken(const struct store_record *record, bool name_taken, struct error *err);
int store_refuse_unknown(struct error *err);
