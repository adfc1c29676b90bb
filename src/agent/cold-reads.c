/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cold-reads.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/thread-start.h"
#include "grpc/server.h"
#include "output/fetch.h"

struct cold_read {
    STAILQ_ENTRY(cold_read) queue;
    struct output_fetch fetch;
    struct grpc_call_ref *ref; /* counted */
    void (*fetched)(struct grpc_call *call, void *unused);
};

struct cold_reads {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    STAILQ_HEAD(, cold_read) asked; /* under the lock, like all that follows */
    bool is_ending;
};

static struct cold_read *cold_read_free(struct cold_read *read)
{
    if (!read)
        return NULL;
    output_fetch_done(&read->fetch);
    grpc_call_ref_unref(read->ref);
    free(read);
    return NULL;
}

/* The next one, waited for; NULL: it is over. */
static struct cold_read *take(struct cold_reads *reads)
{
    struct cold_read *read = NULL;

    pthread_mutex_lock(&reads->lock);
    while (!reads->is_ending && STAILQ_EMPTY(&reads->asked))
        pthread_cond_wait(&reads->changed, &reads->lock);
    if (!reads->is_ending) {
        read = STAILQ_FIRST(&reads->asked);
        STAILQ_REMOVE_HEAD(&reads->asked, queue);
    }
    pthread_mutex_unlock(&reads->lock);
    return read;
}

static void *run(void *arg)
{
    struct cold_read *read;

    while ((read = take(arg))) {
        output_fetch_run(&read->fetch);
        grpc_call_post(read->ref, read->fetched, NULL);
        cold_read_free(read);
    }
    return NULL;
}

int cold_reads_new(struct cold_reads **ret, struct error *err)
{
    _cleanup_free_ struct cold_reads *reads = calloc(1, sizeof(*reads));
    int r;

    if (!reads)
        return error_set(err, -ENOMEM, "no memory");
    pthread_mutex_init(&reads->lock, NULL);
    pthread_cond_init(&reads->changed, NULL);
    STAILQ_INIT(&reads->asked);
    r = thread_start_quiet(&reads->thread, "cold-reads", run, reads);
    if (r < 0)
        return error_set(err, r, "no thread for reading: %s", strerror(-r));
    *ret = TAKE_PTR(reads);
    return 0;
}

struct cold_reads *cold_reads_free(struct cold_reads *reads)
{
    struct cold_read *read;

    if (!reads)
        return NULL;
    pthread_mutex_lock(&reads->lock);
    reads->is_ending = true;
    pthread_cond_signal(&reads->changed);
    pthread_mutex_unlock(&reads->lock);
    (void)pthread_join(reads->thread, NULL);
    while ((read = STAILQ_FIRST(&reads->asked))) {
        STAILQ_REMOVE_HEAD(&reads->asked, queue);
        cold_read_free(read);
    }
    pthread_cond_destroy(&reads->changed);
    pthread_mutex_destroy(&reads->lock);
    free(reads);
    return NULL;
}

int cold_reads_fetch(struct cold_reads *reads, struct output_fetch *fetch, struct grpc_call *call,
                     void (*fetched)(struct grpc_call *call, void *unused))
{
    struct cold_read *read = calloc(1, sizeof(*read));

    if (!read)
        return -ENOMEM;
    read->ref = grpc_call_ref_new(call);
    if (!read->ref) {
        free(read);
        return -ENOMEM;
    }
    read->fetched = fetched;
    read->fetch = *fetch;
    fetch->files = OUTPUT_FILES_NULL;
    pthread_mutex_lock(&reads->lock);
    STAILQ_INSERT_TAIL(&reads->asked, read, queue);
    pthread_cond_signal(&reads->changed);
    pthread_mutex_unlock(&reads->lock);
    return 0;
}
