/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/store-ops.h"

/*
 * The door: arguments are checked here once for all implementations, then the implementation is
 * called. And records and lists of them, which all share.
 */

#define STORE_STATE_MAX 63 /* a filter of states is a mask of 64 bits */

static void labels_free(struct store_label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(labels[i].key);
        free(labels[i].value);
    }
    free(labels);
}

void store_record_free(struct store_record *record)
{
    if (!record)
        return;
    free(record->owner);
    free(record->display_name);
    free(record->request_id);
    free(record->spec);
    free(record->outcome);
    labels_free(record->labels, record->label_count);
    free(record);
}

static bool text_copy(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return *ret || !text;
}

static bool blob_copy(const void *data, size_t size, void **ret)
{
    *ret = size > 0 ? malloc(size) : NULL;
    if (*ret)
        memcpy(*ret, data, size);
    return *ret || size == 0;
}

static bool labels_copy(const struct store_record *from, struct store_record *to)
{
    to->labels = from->label_count > 0 ? calloc(from->label_count, sizeof(*to->labels)) : NULL;
    if (!to->labels)
        return from->label_count == 0;
    to->label_count = from->label_count;
    for (size_t i = 0; i < from->label_count; i++)
        if (!text_copy(from->labels[i].key, &to->labels[i].key) ||
            !text_copy(from->labels[i].value, &to->labels[i].value))
            return false;
    return true;
}

struct store_record *store_record_copy(const struct store_record *record)
{
    _cleanup_store_record_ struct store_record *copy = malloc(sizeof(*copy));

    if (!copy)
        return NULL;
    *copy = *record;
    copy->owner = copy->display_name = copy->request_id = NULL;
    copy->spec = copy->outcome = NULL;
    copy->labels = NULL;
    copy->label_count = 0;
    if (!text_copy(record->owner, &copy->owner) ||
        !text_copy(record->display_name, &copy->display_name) ||
        !text_copy(record->request_id, &copy->request_id) ||
        !blob_copy(record->spec, record->spec_size, &copy->spec) ||
        !blob_copy(record->outcome, record->outcome_size, &copy->outcome) ||
        !labels_copy(record, copy))
        return NULL;
    return TAKE_PTR(copy);
}

void store_list_done(struct store_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        store_record_free(list->records[i]);
    free(list->records);
    *list = (struct store_list){};
}

int store_list_consume(struct store_list *list, struct store_record *record)
{
    /* Room for a power of two records: grown whenever the count is one. */
    if ((list->count & (list->count - 1)) == 0) {
        size_t room = list->count > 0 ? list->count * 2 : 1;
        struct store_record **records = reallocarray(list->records, room, sizeof(*records));

        if (!records) {
            store_record_free(record);
            return -ENOMEM;
        }
        list->records = records;
    }
    list->records[list->count++] = record;
    return 0;
}

int store_refuse_request(const struct store_record *record, struct error *err)
{
    return error_set(err, -EALREADY, "the request id \"%s\" was used before", record->request_id);
}

int store_refuse_taken(const struct store_record *record, bool name_taken, struct error *err)
{
    char text[ID_TEXT_MAX];

    if (name_taken)
        return error_set(err, -EEXIST, "there is a job named \"%s\" already", record->display_name);
    return error_set(err, -EEXIST, "there is a job %s already", id_format(&record->id, text));
}

int store_refuse_unknown(struct error *err)
{
    return error_set(err, -ENOENT, "there is no such job");
}

static int record_check(const struct store_record *record, struct error *err)
{
    if (record->state < 0 || record->state > STORE_STATE_MAX)
        return error_set(err, -EINVAL, "%d is no state", record->state);
    return 0;
}

int store_put(struct store *store, const struct store_record *record, struct error *err)
{
    int r = record_check(record, err);

    if (r < 0)
        return r;
    if (!record->owner || !record->owner[0])
        return error_set(err, -EINVAL, "a job needs an owner");
    return store->ops->put(store, record, err);
}

int store_update(struct store *store, const struct store_record *record, struct error *err)
{
    int r = record_check(record, err);

    return r < 0 ? r : store->ops->update(store, record, err);
}

int store_remove(struct store *store, const struct id *id, struct error *err)
{
    return store->ops->remove(store, id, err);
}

int store_get(struct store *store, const struct id *id, struct store_record **ret,
              struct error *err)
{
    return store->ops->get(store, id, ret, err);
}

int store_get_by_name(struct store *store, const char *owner, const char *display_name,
                      struct store_record **ret, struct error *err)
{
    return store->ops->get_by_name(store, owner, display_name, ret, err);
}

int store_get_by_request(struct store *store, const char *owner, const char *request_id,
                         struct store_record **ret, struct error *err)
{
    return store->ops->get_by_request(store, owner, request_id, ret, err);
}

int store_find_range(struct store *store, const char *owner, const struct id *low,
                     const struct id *high, size_t limit, struct store_list *ret, struct error *err)
{
    return store->ops->find_range(store, owner, low, high, limit, ret, err);
}

int store_list(struct store *store, const struct store_filter *filter, struct store_list *ret,
               struct error *err)
{
    return store->ops->list(store, filter, ret, err);
}

int store_begin(struct store *store, struct error *err)
{
    return store->ops->begin(store, err);
}

int store_commit(struct store *store, struct error *err)
{
    return store->ops->commit(store, err);
}

void store_rollback(struct store *store)
{
    store->ops->rollback(store);
}

void store_close(struct store *store)
{
    if (store)
        store->ops->close(store);
}
