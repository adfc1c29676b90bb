/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store-thread.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/thread-start.h"

/*
 * Two lists cross between the threads under one lock, each as a whole: the owner appends to `asked`
 * and takes all of `answered`; the store's thread takes all of `asked` and appends to `answered`.
 * A request belongs to whoever took it. What a request asks for is one row of a table.
 */

struct store_request {
    const struct request_type *type;
    struct store_record *record; /* put, update */
    struct id low, high;         /* remove, get: low */
    char *owner;
    char *text;
    size_t limit;
    struct store_filter filter; /* list; what it points to is ours */
    struct store_cursor after;
    store_done_fn *done;
    void *userdata;
    struct store_reply reply;
    struct store_request *next;
};

struct request_type {
    bool writes;
    bool always; /* let in although the queue is full */
    int (*run)(struct store *store, struct store_request *request);
};

struct request_queue {
    struct store_request *first;
    struct store_request **end; /* where the next one is hung in */
};

struct store_thread {
    struct store *store; /* the thread's alone while it runs */
    pthread_t thread;
    bool running;
    int event_fd;
    size_t waiting; /* requests that were not answered yet; the owner's alone */

    pthread_mutex_t lock; /* for the following */
    pthread_cond_t asked_some;
    struct request_queue asked;
    struct request_queue answered;
    bool stopping;
};

static void request_free(struct store_request *request)
{
    if (!request)
        return;
    store_record_free(request->record);
    free(request->owner);
    free(request->text);
    for (size_t i = 0; i < request->filter.label_count; i++) {
        free(request->filter.labels[i].key);
        free(request->filter.labels[i].value);
    }
    free((void *)request->filter.labels); /* const for the store only */
    store_record_free(request->reply.record);
    store_list_done(&request->reply.list);
    free(request);
}
DEFINE_CLEANUP(struct store_request *, request_free);

static void queue_init(struct request_queue *queue)
{
    *queue = (struct request_queue){.end = &queue->first};
}

static void queue_append(struct request_queue *queue, struct store_request *request)
{
    request->next = NULL;
    *queue->end = request;
    queue->end = &request->next;
}

/* The chain of all; the queue is empty afterwards. */
static struct store_request *queue_take(struct request_queue *queue)
{
    struct store_request *first = queue->first;

    queue_init(queue);
    return first;
}

static int run_put(struct store *store, struct store_request *request)
{
    return store_put(store, request->record, &request->reply.error);
}

static int run_update(struct store *store, struct store_request *request)
{
    return store_update(store, request->record, &request->reply.error);
}

static int run_remove(struct store *store, struct store_request *request)
{
    return store_remove(store, &request->low, &request->reply.error);
}

static int run_get(struct store *store, struct store_request *request)
{
    return store_get(store, &request->low, &request->reply.record, &request->reply.error);
}

static int run_get_by_name(struct store *store, struct store_request *request)
{
    return store_get_by_name(store, request->owner, request->text, &request->reply.record,
                             &request->reply.error);
}

static int run_get_by_request(struct store *store, struct store_request *request)
{
    return store_get_by_request(store, request->owner, request->text, &request->reply.record,
                                &request->reply.error);
}

static int run_find_range(struct store *store, struct store_request *request)
{
    return store_find_range(store, request->owner, &request->low, &request->high, request->limit,
                            &request->reply.list, &request->reply.error);
}

static int run_list(struct store *store, struct store_request *request)
{
    return store_list(store, &request->filter, &request->reply.list, &request->reply.error);
}

static const struct request_type type_put = {.writes = true, .run = run_put};
static const struct request_type type_update = {.writes = true, .always = true, .run = run_update};
static const struct request_type type_remove = {.writes = true, .always = true, .run = run_remove};
static const struct request_type type_get = {.run = run_get};
static const struct request_type type_get_by_name = {.run = run_get_by_name};
static const struct request_type type_get_by_request = {.run = run_get_by_request};
static const struct request_type type_find_range = {.run = run_find_range};
static const struct request_type type_list = {.run = run_list};

/* Runs one request. False: the transaction it is part of can't go on. */
static bool request_run(struct store *store, struct store_request *request)
{
    int r;

    store_record_free(request->reply.record);
    store_list_done(&request->reply.list);
    request->reply = (struct store_reply){};
    r = request->type->run(store, request);
    request->reply.code = r;
    return r == 0 || !request->type->writes || r == -EEXIST || r == -EALREADY || r == -ENOENT ||
           r == -EINVAL;
}

static bool chain_has_several_writes(const struct store_request *first)
{
    unsigned writes = 0;

    for (; first; first = first->next)
        writes += first->type->writes;
    return writes > 1;
}

/* All as one transaction; false: nothing has happened. */
static bool chain_run_together(struct store *store, struct store_request *first)
{
    if (store_begin(store, NULL) < 0)
        return false;
    for (struct store_request *request = first; request; request = request->next)
        if (!request_run(store, request)) {
            store_rollback(store);
            return false;
        }
    return store_commit(store, NULL) == 0;
}

static void chain_run(struct store *store, struct store_request *first)
{
    if (chain_has_several_writes(first) && chain_run_together(store, first))
        return;
    for (struct store_request *request = first; request; request = request->next)
        (void)request_run(store, request); /* alone: the answer is in its reply */
}

static void thread_wake_owner(const struct store_thread *thread)
{
    const uint64_t one = 1;

    /* Fails only when the counter is full, and then the owner is awake already: eventfd(2). */
    ssize_t n = write(thread->event_fd, &one, sizeof(one));

    (void)n;
}

static void thread_answer(struct store_thread *thread, struct store_request *first)
{
    struct store_request *next;

    pthread_mutex_lock(&thread->lock);
    for (; first; first = next) {
        next = first->next;
        queue_append(&thread->answered, first);
    }
    pthread_mutex_unlock(&thread->lock);
    thread_wake_owner(thread);
}

/* What waits; NULL: nothing, and nothing will come. */
static struct store_request *thread_wait(struct store_thread *thread)
{
    struct store_request *first;

    pthread_mutex_lock(&thread->lock);
    while (!thread->asked.first && !thread->stopping)
        pthread_cond_wait(&thread->asked_some, &thread->lock);
    first = queue_take(&thread->asked);
    pthread_mutex_unlock(&thread->lock);
    return first;
}

static void *thread_main(void *userdata)
{
    struct store_thread *thread = userdata;
    struct store_request *first;

    while ((first = thread_wait(thread))) {
        chain_run(thread->store, first);
        thread_answer(thread, first);
    }
    return NULL;
}

int store_thread_new(struct store *store, struct store_thread **ret, struct error *err)
{
    _cleanup_(store_thread_freep) struct store_thread *thread = calloc(1, sizeof(*thread));
    int r;

    if (!thread)
        return error_set(err, -ENOMEM, "no memory");
    queue_init(&thread->asked);
    queue_init(&thread->answered);
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->asked_some, NULL);
    thread->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->event_fd < 0)
        return error_set(err, -errno, "can't start the store's thread: %s", strerror(errno));

    thread->store = store;
    r = thread_start_quiet(&thread->thread, "store", thread_main, thread);
    if (r < 0) {
        thread->store = NULL; /* still the caller's */
        return error_set(err, r, "can't start the store's thread: %s", strerror(-r));
    }
    thread->running = true;
    *ret = TAKE_PTR(thread);
    return 0;
}

int store_thread_fd(const struct store_thread *thread)
{
    return thread->event_fd;
}

void store_thread_dispatch(struct store_thread *thread)
{
    struct store_request *first, *next;
    uint64_t count;
    ssize_t n;

    /* Before the list is taken: what is answered afterwards wakes again. EAGAIN says nothing. */
    n = read(thread->event_fd, &count, sizeof(count));
    (void)n;
    pthread_mutex_lock(&thread->lock);
    first = queue_take(&thread->answered);
    pthread_mutex_unlock(&thread->lock);

    for (; first; first = next) {
        next = first->next;
        thread->waiting--;
        if (first->done)
            first->done(&first->reply, first->userdata);
        request_free(first);
    }
}

/* A request with room for its arguments; NULL with the errno of why not. */
static int request_new(struct store_thread *thread, const struct request_type *type,
                       store_done_fn *done, void *userdata, struct store_request **ret)
{
    struct store_request *request;

    if (!thread->running)
        return -ESHUTDOWN;
    if (!type->always && thread->waiting >= STORE_THREAD_QUEUE_MAX)
        return -ENOBUFS;
    request = calloc(1, sizeof(*request));
    if (!request)
        return -ENOMEM;
    request->type = type;
    request->done = done;
    request->userdata = userdata;
    *ret = request;
    return 0;
}

static int thread_ask(struct store_thread *thread, struct store_request **request)
{
    thread->waiting++;
    pthread_mutex_lock(&thread->lock);
    queue_append(&thread->asked, TAKE_PTR(*request));
    pthread_cond_signal(&thread->asked_some);
    pthread_mutex_unlock(&thread->lock);
    return 0;
}

static bool text_keep(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return *ret || !text;
}

static int ask_with_record(struct store_thread *thread, const struct request_type *type,
                           const struct store_record *record, store_done_fn *done, void *userdata)
{
    _cleanup_(request_freep) struct store_request *request = NULL;
    int r = request_new(thread, type, done, userdata, &request);

    if (r < 0)
        return r;
    request->record = store_record_copy(record);
    return request->record ? thread_ask(thread, &request) : -ENOMEM;
}

static int ask_with_id(struct store_thread *thread, const struct request_type *type,
                       const struct id *id, store_done_fn *done, void *userdata)
{
    struct store_request *request;
    int r = request_new(thread, type, done, userdata, &request);

    if (r < 0)
        return r;
    request->low = *id;
    return thread_ask(thread, &request);
}

static int ask_with_text(struct store_thread *thread, const struct request_type *type,
                         const char *owner, const char *text, store_done_fn *done, void *userdata)
{
    _cleanup_(request_freep) struct store_request *request = NULL;
    int r = request_new(thread, type, done, userdata, &request);

    if (r < 0)
        return r;
    if (!text_keep(owner, &request->owner) || !text_keep(text, &request->text))
        return -ENOMEM;
    return thread_ask(thread, &request);
}

int store_thread_put(struct store_thread *thread, const struct store_record *record,
                     store_done_fn *done, void *userdata)
{
    return ask_with_record(thread, &type_put, record, done, userdata);
}

int store_thread_update(struct store_thread *thread, const struct store_record *record,
                        store_done_fn *done, void *userdata)
{
    return ask_with_record(thread, &type_update, record, done, userdata);
}

int store_thread_remove(struct store_thread *thread, const struct id *id, store_done_fn *done,
                        void *userdata)
{
    return ask_with_id(thread, &type_remove, id, done, userdata);
}

int store_thread_get(struct store_thread *thread, const struct id *id, store_done_fn *done,
                     void *userdata)
{
    return ask_with_id(thread, &type_get, id, done, userdata);
}

int store_thread_get_by_name(struct store_thread *thread, const char *owner,
                             const char *display_name, store_done_fn *done, void *userdata)
{
    return ask_with_text(thread, &type_get_by_name, owner, display_name, done, userdata);
}

int store_thread_get_by_request(struct store_thread *thread, const char *owner,
                                const char *request_id, store_done_fn *done, void *userdata)
{
    return ask_with_text(thread, &type_get_by_request, owner, request_id, done, userdata);
}

int store_thread_find_range(struct store_thread *thread, const char *owner, const struct id *low,
                            const struct id *high, size_t limit, store_done_fn *done,
                            void *userdata)
{
    _cleanup_(request_freep) struct store_request *request = NULL;
    int r = request_new(thread, &type_find_range, done, userdata, &request);

    if (r < 0)
        return r;
    request->low = *low;
    request->high = *high;
    request->limit = limit;
    return text_keep(owner, &request->owner) ? thread_ask(thread, &request) : -ENOMEM;
}

static bool filter_keep_labels(const struct store_filter *filter, struct store_request *request)
{
    struct store_label *labels;

    if (filter->label_count == 0)
        return true;
    labels = calloc(filter->label_count, sizeof(*labels));
    if (!labels)
        return false;
    request->filter.labels = labels;
    request->filter.label_count = filter->label_count;
    for (size_t i = 0; i < filter->label_count; i++)
        if (!text_keep(filter->labels[i].key, &labels[i].key) ||
            !text_keep(filter->labels[i].value, &labels[i].value))
            return false;
    return true;
}

int store_thread_list(struct store_thread *thread, const struct store_filter *filter,
                      store_done_fn *done, void *userdata)
{
    _cleanup_(request_freep) struct store_request *request = NULL;
    int r = request_new(thread, &type_list, done, userdata, &request);

    if (r < 0)
        return r;
    request->filter = *filter;
    request->filter.labels = NULL;
    request->filter.label_count = 0;
    if (!text_keep(filter->owner, &request->owner) || !filter_keep_labels(filter, request))
        return -ENOMEM;
    request->filter.owner = request->owner;
    if (filter->after) {
        request->after = *filter->after;
        request->filter.after = &request->after;
    }
    return thread_ask(thread, &request);
}

void store_thread_stop(struct store_thread *thread)
{
    if (!thread->running)
        return;
    pthread_mutex_lock(&thread->lock);
    thread->stopping = true;
    pthread_cond_signal(&thread->asked_some);
    pthread_mutex_unlock(&thread->lock);
    pthread_join(thread->thread, NULL);
    thread->running = false;
    store_thread_dispatch(thread);
    assert(thread->waiting == 0);
}

void store_thread_free(struct store_thread *thread)
{
    if (!thread)
        return;
    store_thread_stop(thread);
    store_close(thread->store);
    fd_close(thread->event_fd);
    pthread_cond_destroy(&thread->asked_some);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}
