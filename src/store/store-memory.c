/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store-memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/strv.h"
#include "store/store-ops.h"

/*
 * A list of records, newest first, searched from one end to the other: tests have few. What a
 * transaction has changed is undone from a copy of the list as it was when it began.
 */

struct store_memory {
    struct store store;
    struct store_list records;
    struct store_list before; /* while in a transaction */
    bool in_transaction;
    atomic_int fail_code;
    atomic_uint fail_count;
};

static struct store_memory *memory_of(struct store *store)
{
    return (struct store_memory *)store;
}

static int memory_may_write(struct store_memory *memory, struct error *err)
{
    unsigned left = atomic_load(&memory->fail_count);

    while (left > 0)
        if (atomic_compare_exchange_weak(&memory->fail_count, &left, left - 1)) {
            int code = atomic_load(&memory->fail_code);

            return error_set(err, code, "can't write: %s", strerror(-code));
        }
    return 0;
}

static struct store_record **memory_find(struct store_memory *memory, const struct id *id)
{
    for (size_t i = 0; i < memory->records.count; i++)
        if (id_equal(&memory->records.records[i]->id, id))
            return &memory->records.records[i];
    return NULL;
}

/* Newer first; ids break ties. Positive: `a` comes after `b`. */
static int record_order(usec_t a_created, const struct id *a, usec_t b_created, const struct id *b)
{
    if (a_created != b_created)
        return a_created < b_created ? 1 : -1;
    return id_compare(b, a);
}

static int memory_check_unique(struct store_memory *memory, const struct store_record *record,
                               struct error *err)
{
    for (size_t i = 0; record->request_id && i < memory->records.count; i++) {
        const struct store_record *other = memory->records.records[i];

        if (text_equal(other->owner, record->owner) &&
            text_equal(other->request_id, record->request_id))
            return store_refuse_request(record, err);
    }
    for (size_t i = 0; i < memory->records.count; i++) {
        const struct store_record *other = memory->records.records[i];
        bool name_taken = record->display_name && text_equal(other->owner, record->owner) &&
                          text_equal(other->display_name, record->display_name);

        if (name_taken || id_equal(&other->id, &record->id))
            return store_refuse_taken(record, name_taken, err);
    }
    return 0;
}

static int memory_put(struct store *store, const struct store_record *record, struct error *err)
{
    struct store_memory *memory = memory_of(store);
    struct store_list *list = &memory->records;
    struct store_record *copy;
    int r;

    r = memory_check_unique(memory, record, err);
    if (r == 0)
        r = memory_may_write(memory, err);
    if (r < 0)
        return r;
    copy = store_record_copy(record);
    if (!copy || store_list_consume(list, copy) < 0)
        return error_set(err, -ENOMEM, "no memory");
    for (size_t i = list->count - 1;
         i > 0 && record_order(list->records[i - 1]->created, &list->records[i - 1]->id,
                               copy->created, &copy->id) > 0;
         i--) {
        list->records[i] = list->records[i - 1];
        list->records[i - 1] = copy;
    }
    return 0;
}

static int memory_update(struct store *store, const struct store_record *record, struct error *err)
{
    struct store_memory *memory = memory_of(store);
    struct store_record **slot = memory_find(memory, &record->id);
    struct store_record changed;
    struct store_record *copy;
    int r;

    if (!slot)
        return store_refuse_unknown(err);
    r = memory_may_write(memory, err);
    if (r < 0)
        return r;

    changed = *record;
    changed.owner = (*slot)->owner;
    changed.display_name = (*slot)->display_name;
    changed.request_id = (*slot)->request_id;
    changed.created = (*slot)->created;
    changed.spec = (*slot)->spec;
    changed.spec_size = (*slot)->spec_size;
    changed.labels = (*slot)->labels;
    changed.label_count = (*slot)->label_count;
    copy = store_record_copy(&changed);
    if (!copy)
        return error_set(err, -ENOMEM, "no memory");
    store_record_free(*slot);
    *slot = copy;
    return 0;
}

static int memory_remove(struct store *store, const struct id *id, struct error *err)
{
    struct store_memory *memory = memory_of(store);
    struct store_record **slot = memory_find(memory, id);
    int r;

    if (!slot)
        return store_refuse_unknown(err);
    r = memory_may_write(memory, err);
    if (r < 0)
        return r;
    store_record_free(*slot);
    memory->records.count--;
    memmove(slot, slot + 1,
            (size_t)(memory->records.records + memory->records.count - slot) * sizeof(*slot));
    return 0;
}

static int record_give(const struct store_record *record, struct store_record **ret,
                       struct error *err)
{
    struct store_record *copy = store_record_copy(record);

    if (!copy)
        return error_set(err, -ENOMEM, "no memory");
    *ret = copy;
    return 0;
}

static int memory_get(struct store *store, const struct id *id, struct store_record **ret,
                      struct error *err)
{
    struct store_record **slot = memory_find(memory_of(store), id);

    return slot ? record_give(*slot, ret, err) : store_refuse_unknown(err);
}

static int memory_get_by_name(struct store *store, const char *owner, const char *display_name,
                              struct store_record **ret, struct error *err)
{
    const struct store_list *list = &memory_of(store)->records;

    for (size_t i = 0; i < list->count; i++)
        if (text_equal(list->records[i]->owner, owner) && list->records[i]->display_name &&
            text_equal(list->records[i]->display_name, display_name))
            return record_give(list->records[i], ret, err);
    return store_refuse_unknown(err);
}

static int memory_get_by_request(struct store *store, const char *owner, const char *request_id,
                                 struct store_record **ret, struct error *err)
{
    const struct store_list *list = &memory_of(store)->records;

    for (size_t i = 0; i < list->count; i++)
        if (text_equal(list->records[i]->owner, owner) && list->records[i]->request_id &&
            text_equal(list->records[i]->request_id, request_id))
            return record_give(list->records[i], ret, err);
    return store_refuse_unknown(err);
}

static int list_add_copy(struct store_list *list, const struct store_record *record,
                         struct error *err)
{
    struct store_record *copy = store_record_copy(record);

    if (!copy || store_list_consume(list, copy) < 0)
        return error_set(err, -ENOMEM, "no memory");
    return 0;
}

static int compare_by_id(const void *a, const void *b)
{
    return id_compare(&(*(struct store_record *const *)a)->id,
                      &(*(struct store_record *const *)b)->id);
}

static int memory_find_range(struct store *store, const char *owner, const struct id *low,
                             const struct id *high, size_t limit, struct store_list *ret,
                             struct error *err)
{
    const struct store_list *all = &memory_of(store)->records;
    _cleanup_store_list_ struct store_list list = {};

    for (size_t i = 0; i < all->count; i++) {
        const struct store_record *record = all->records[i];
        int r;

        if (id_compare(&record->id, low) < 0 || id_compare(&record->id, high) > 0 ||
            (owner && !text_equal(owner, record->owner)))
            continue;
        r = list_add_copy(&list, record, err);
        if (r < 0)
            return r;
    }
    if (list.count > 1)
        qsort(list.records, list.count, sizeof(*list.records), compare_by_id);
    while (list.count > limit)
        store_record_free(list.records[--list.count]);
    *ret = list;
    list = (struct store_list){};
    return 0;
}

static bool record_has_label(const struct store_record *record, const struct store_label *wanted)
{
    for (size_t i = 0; i < record->label_count; i++)
        if (text_equal(record->labels[i].key, wanted->key))
            return text_is_empty(wanted->value) ||
                   text_equal(record->labels[i].value, wanted->value);
    return false;
}

static bool record_matches(const struct store_record *record, const struct store_filter *filter)
{
    if ((filter->owner && !text_equal(filter->owner, record->owner)) ||
        (filter->states != 0 && !(filter->states >> record->state & 1)) ||
        (filter->live_only && !record->live))
        return false;
    if (filter->after &&
        record_order(record->created, &record->id, filter->after->created, &filter->after->id) <= 0)
        return false;
    for (size_t i = 0; i < filter->label_count; i++)
        if (!record_has_label(record, &filter->labels[i]))
            return false;
    return true;
}

static int compare_ends(const void *left, const void *right)
{
    const struct store_record *a = *(struct store_record *const *)left;
    const struct store_record *b = *(struct store_record *const *)right;

    return a->ended != b->ended ? (a->ended > b->ended) - (a->ended < b->ended)
                                : id_compare(&a->id, &b->id);
}

static void list_by_end(struct store_list *list, size_t limit)
{
    if (list->count > 0)
        qsort(list->records, list->count, sizeof(struct store_record *), compare_ends);
    while (limit > 0 && list->count > limit)
        store_record_free(list->records[--list->count]);
}

static int memory_list(struct store *store, const struct store_filter *filter,
                       struct store_list *ret, struct error *err)
{
    const struct store_list *all = &memory_of(store)->records;
    _cleanup_store_list_ struct store_list list = {};

    for (size_t i = 0; i < all->count; i++) {
        int r;

        if (filter->limit > 0 && list.count == filter->limit && !filter->first_ended_first)
            break;
        if (!record_matches(all->records[i], filter))
            continue;
        r = list_add_copy(&list, all->records[i], err);
        if (r < 0)
            return r;
    }
    if (filter->first_ended_first)
        list_by_end(&list, filter->limit);
    *ret = list;
    list = (struct store_list){};
    return 0;
}

static int memory_begin(struct store *store, struct error *err)
{
    struct store_memory *memory = memory_of(store);

    for (size_t i = 0; i < memory->records.count; i++) {
        int r = list_add_copy(&memory->before, memory->records.records[i], err);

        if (r < 0) {
            store_list_done(&memory->before);
            return r;
        }
    }
    memory->in_transaction = true;
    return 0;
}

static void memory_rollback(struct store *store)
{
    struct store_memory *memory = memory_of(store);

    if (!memory->in_transaction)
        return;
    store_list_done(&memory->records);
    memory->records = memory->before;
    memory->before = (struct store_list){};
    memory->in_transaction = false;
}

static int memory_commit(struct store *store, struct error *err)
{
    struct store_memory *memory = memory_of(store);
    int r = memory_may_write(memory, err);

    if (r < 0) {
        memory_rollback(store);
        return r;
    }
    store_list_done(&memory->before);
    memory->in_transaction = false;
    return 0;
}

static void memory_close(struct store *store)
{
    struct store_memory *memory = memory_of(store);

    store_list_done(&memory->records);
    store_list_done(&memory->before);
    free(memory);
}

static const struct store_ops memory_ops = {
    .put = memory_put,
    .update = memory_update,
    .remove = memory_remove,
    .get = memory_get,
    .get_by_name = memory_get_by_name,
    .get_by_request = memory_get_by_request,
    .find_range = memory_find_range,
    .list = memory_list,
    .begin = memory_begin,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .close = memory_close,
};

struct store *store_open_memory(void)
{
    struct store_memory *memory = calloc(1, sizeof(*memory));

    if (!memory)
        return NULL;
    memory->store.ops = &memory_ops;
    return &memory->store;
}

void store_memory_fail(struct store *store, int code, unsigned count)
{
    struct store_memory *memory = memory_of(store);

    atomic_store(&memory->fail_code, code);
    atomic_store(&memory->fail_count, count);
}
