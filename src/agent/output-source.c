/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/output-source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/agent.h"
#include "agent/call.h"
#include "agent/cold-reads.h"
#include "agent/output-message.h"
#include "agent/output-start.h"
#include "base/error.h"
#include "base/log.h"
#include "output/totals.h"
#include "output/watch.h"

/* A quiet job's followers hear so often that it lives and where its output ends. */
#define HEARTBEAT_INTERVAL (15 * USEC_PER_SEC)

/* So long after `until` nothing older comes any more: hoist-init writes what it reads at once. */
#define UNTIL_SLACK (1 * USEC_PER_SEC)

struct output_source {
    struct source source;
    struct agent_call *call;
    struct grpc_call *grpc;
    struct output_reader *reader;
    struct output_start start;
    usec_t until;
    struct output_follower *follower; /* NULL: not following */
    struct grpc_timer *timer;         /* heartbeats, `until`, going on after others' turn */
    bool has_more;                    /* the timer only lets others have their turn */
    bool heartbeat_due;
    bool is_cold;     /* what comes next is being fetched from the disk … */
    bool was_fetched; /* … and is there now */
    bool ending;      /* only the summary is left, */
    bool complete;    /* which says so, */
    bool summarised;  /* and was made */
    struct output_totals totals;
    size_t head_size; /* of the last chunk's message: the guess for the next */
};

/* ---- one watch for each thread ---- */

static void watch_ready(int fd, uint32_t events, void *arg)
{
    (void)fd;
    (void)events;
    (void)output_watch_dispatch(arg); /* what can't be read now is polled for: watch.h */
}

void output_source_thread_stop(struct grpc_thread *thread, void *arg)
{
    struct output_watch *watch = grpc_thread_user(thread);
    int fds[OUTPUT_WATCH_FDS];

    (void)arg;
    output_watch_fds(watch, fds);
    for (size_t i = 0; i < OUTPUT_WATCH_FDS; i++)
        if (fds[i] >= 0)
            grpc_thread_remove_fd(thread, fds[i]);
    output_watch_free(watch);
}

int output_source_thread_start(struct grpc_thread *thread, void *arg)
{
    struct output_watch *watch = NULL;
    int fds[OUTPUT_WATCH_FDS], r;
    struct error err;

    (void)arg;
    r = output_watch_new(&watch, &err);
    if (r < 0)
        return r;
    if (output_watch_trouble(watch) < 0)
        log_warning("followers are woken ten times a second: inotify refused an instance (%s); "
                    "raise fs.inotify.max_user_instances",
                    strerror(-output_watch_trouble(watch)));
    output_watch_fds(watch, fds);
    for (size_t i = 0; r == 0 && i < OUTPUT_WATCH_FDS; i++)
        if (fds[i] >= 0)
            r = grpc_thread_add_fd(thread, fds[i], EPOLLIN, watch_ready, watch);
    grpc_thread_set_user(thread, watch);
    if (r < 0)
        output_source_thread_stop(thread, NULL);
    return r;
}

/* ---- messages ---- */

static enum grpc_pull put_message(Hoist__V1__StreamOutputResponse *response, uint8_t *buffer,
                                  size_t *ret_size)
{
    *ret_size = protobuf_c_message_pack(&response->base, buffer);
    return GRPC_PULL_MESSAGE;
}

static enum grpc_pull put_gap(const struct output_chunk *chunk, uint8_t *buffer, size_t *ret_size)
{
    Hoist__V1__StreamOutputResponse response = HOIST__V1__STREAM_OUTPUT_RESPONSE__INIT;
    Hoist__V1__OutputGap gap = HOIST__V1__OUTPUT_GAP__INIT;

    gap.start = chunk->offset;
    gap.end = chunk->gap_end;
    response.kind_case = HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_GAP;
    response.gap = &gap;
    return put_message(&response, buffer, ret_size);
}

static enum grpc_pull put_heartbeat(struct output_source *source, uint8_t *buffer, size_t *ret_size)
{
    Hoist__V1__StreamOutputResponse response = HOIST__V1__STREAM_OUTPUT_RESPONSE__INIT;
    Hoist__V1__OutputHeartbeat heartbeat = HOIST__V1__OUTPUT_HEARTBEAT__INIT;

    source->heartbeat_due = false;
    heartbeat.end_offset = output_reader_offset(source->reader);
    response.kind_case = HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_HEARTBEAT;
    response.heartbeat = &heartbeat;
    return put_message(&response, buffer, ret_size);
}

/* More is to do before anything can be sent: the thread's other calls have their turn first. */
static enum grpc_pull output_source_yield(struct output_source *source)
{
    source->has_more = true;
    grpc_timer_set(source->timer, clock_boot());
    return GRPC_PULL_WAIT;
}

/* The last message; its totals are the job's, its bytes and checksum are this call's. */
static int output_source_summary(struct output_source *source, bool nowait, uint8_t *buffer,
                                 size_t *ret_size, struct error *err)
{
    Hoist__V1__StreamOutputResponse response = HOIST__V1__STREAM_OUTPUT_RESPONSE__INIT;
    Hoist__V1__OutputSummary summary = HOIST__V1__OUTPUT_SUMMARY__INIT;
    int r =
        output_totals_step(output_reader_index_fd(source->reader), nowait, &source->totals, err);

    if (r == -ENODATA) { /* dropped under the scan: what the header says of it is summed instead */
        source->totals = (struct output_totals){.end = 0};
        r = 1;
    }
    if (r < 0)
        return r;
    if (r > 0)
        return output_source_yield(source);
    summary.complete = source->complete;
    summary.end_offset = output_reader_offset(source->reader);
    summary.stdout_bytes = source->totals.stdout_bytes;
    summary.stderr_bytes = source->totals.stderr_bytes;
    summary.crc32c = output_reader_crc(source->reader);
    summary.bytes = output_reader_bytes(source->reader);
    response.kind_case = HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_SUMMARY;
    response.summary = &summary;
    source->summarised = true;
    return (int)put_message(&response, buffer, ret_size);
}

/* Nothing more is to be read: the summary is next. */
static int output_source_end(struct output_source *source, bool complete, uint8_t *buffer,
                             size_t *ret_size, struct error *err)
{
    source->ending = true;
    source->complete = complete;
    return output_source_summary(source, true, buffer, ret_size, err);
}

/* Nothing is there now. */
static int output_source_wait(struct output_source *source, uint8_t *buffer, size_t *ret_size,
                              struct error *err)
{
    usec_t now = clock_wall(), next = HEARTBEAT_INTERVAL;

    if (!source->follower)
        return output_source_end(source, false, buffer, ret_size, err);
    if (source->call->drains) {
        agent_call_drained(source->call, source->grpc);
        return GRPC_PULL_END;
    }
    if (source->until != USEC_INFINITY) {
        if (now > source->until + UNTIL_SLACK)
            return output_source_end(source, false, buffer, ret_size, err);
        next = MIN(next, source->until + UNTIL_SLACK + 1 - now);
    }
    if (source->heartbeat_due)
        return put_heartbeat(source, buffer, ret_size);
    grpc_timer_set(source->timer, clock_boot() + next);
    return GRPC_PULL_WAIT;
}

static enum grpc_pull fail_reading(struct output_source *source, int code, const struct error *err)
{
    struct agent_call *call = source->call;

    if (code == -ERANGE)
        api_error_set(&call->error, HOIST__V1__REASON__REASON_OFFSET_OUT_OF_RANGE, "%s", err->text);
    else
        api_error_set(&call->error, HOIST__V1__REASON__REASON_OUTPUT_DAMAGED, "%s", err->text);
    agent_call_refuse(call, source->grpc, &call->error);
    return GRPC_PULL_END;
}

static void output_fetched(struct grpc_call *grpc, void *unused)
{
    struct agent_call *call = grpc ? grpc_call_user(grpc) : NULL;
    struct output_source *source;

    (void)unused;
    if (!call || !call->source)
        return;
    source = (struct output_source *)(void *)call->source;
    source->is_cold = false;
    source->was_fetched = true;
    grpc_call_resume(grpc);
}

/*
 * Another thread waits for what the page cache lacks. false: it can't be asked, for lack of memory
 * or descriptors.
 */
static bool output_source_fetch(struct output_source *source)
{
    struct output_fetch fetch;

    if (output_fetch_init(&fetch, source->reader) < 0)
        return false;
    if (source->ending) {
        fetch.kind = OUTPUT_FETCH_TOTALS;
        fetch.totals = source->totals;
    } else if (source->start.request) {
        output_start_fetch(&source->start, &fetch);
    }
    source->is_cold = cold_reads_fetch(source->call->agent->cold_reads, &fetch, source->grpc,
                                       output_fetched) == 0;
    if (!source->is_cold)
        output_fetch_done(&fetch);
    return source->is_cold;
}

static int output_source_read(struct output_source *source, bool nowait, uint8_t *buffer,
                              size_t room, size_t *ret_size, struct error *err)
{
    struct output_chunk chunk;
    int r = output_reader_next(source->reader, nowait, buffer + source->head_size,
                               room - OUTPUT_MESSAGE_HEAD_MAX, &chunk, err);

    if (r < 0)
        return r;
    switch ((enum output_result)r) {
    case OUTPUT_CHUNK:
        *ret_size = output_message_write(&chunk, buffer, source->head_size);
        source->head_size = *ret_size - chunk.size;
        source->heartbeat_due = false;
        return GRPC_PULL_MESSAGE;
    case OUTPUT_GAP:
        return put_gap(&chunk, buffer, ret_size);
    case OUTPUT_COMPLETE:
    case OUTPUT_ENDED:
        return output_source_end(source, r == OUTPUT_COMPLETE, buffer, ret_size, err);
    case OUTPUT_SKIPPED:
        return output_source_yield(source);
    case OUTPUT_AT_END:
    default:
        return output_source_wait(source, buffer, ret_size, err);
    }
}

/* An enum grpc_pull, or a negative errno; -EAGAIN (`nowait` only): the disk has to be waited for.
 */
static int output_source_step(struct output_source *source, bool nowait, uint8_t *buffer,
                              size_t room, size_t *ret_size, struct error *err)
{
    if (source->ending)
        return output_source_summary(source, nowait, buffer, ret_size, err);
    if (source->start.request) {
        int r = output_start_step(&source->start, source->reader, nowait, err);

        if (r < 0)
            return r;
        if (r == 0)
            return output_source_yield(source);
        nowait = true; /* what was fetched was for the start */
    }
    return output_source_read(source, nowait, buffer, room, ret_size, err);
}

/*
 * Nothing waits for the disk here but where no other thread can be asked to. What was fetched is
 * read plainly, so that a cache that can't keep it doesn't send us round for ever.
 */
static enum grpc_pull output_source_pull(struct grpc_call *grpc, uint8_t *buffer, size_t room,
                                         size_t *ret_size, void *arg)
{
    struct output_source *source = arg;
    struct error err = {.code = 0};
    int r;

    (void)grpc;
    if (source->summarised)
        return GRPC_PULL_END;
    if (source->is_cold) /* somebody else's news: the output changed, a timer elapsed */
        return GRPC_PULL_WAIT;
    do {
        bool nowait = !source->was_fetched;

        source->was_fetched = false;
        r = output_source_step(source, nowait, buffer, room, ret_size, &err);
        if (r == -EAGAIN && output_source_fetch(source))
            return GRPC_PULL_WAIT;
        source->was_fetched = r == -EAGAIN;
    } while (r == -EAGAIN);
    return r < 0 ? fail_reading(source, r, &err) : (enum grpc_pull)r;
}

static const struct grpc_source_ops output_source_ops = {.pull = output_source_pull};

/* ---- start and end ---- */

static void output_source_free(struct source *base)
{
    struct output_source *source = (struct output_source *)(void *)base;

    output_follower_leave(source->follower);
    grpc_timer_free(source->timer);
    output_reader_close(source->reader);
    free(source);
}

static void output_changed(void *userdata)
{
    struct output_source *source = userdata;

    output_reader_changed(source->reader);
    grpc_call_resume(source->grpc);
}

static void timer_elapsed(void *arg)
{
    struct output_source *source = arg;

    source->heartbeat_due |= !source->has_more;
    source->has_more = false;
    output_reader_changed(source->reader); /* should news ever be lost, they are late and no more */
    grpc_call_resume(source->grpc);
}

static int output_source_follow(struct output_source *source)
{
    struct grpc_thread *thread = grpc_call_thread(source->grpc);
    int r = output_watch_follow(grpc_thread_user(thread), source->call->output->index_path,
                                output_reader_index_fd(source->reader), output_changed, source,
                                &source->follower);

    if (r == 0)
        output_reader_follow(source->reader);
    return r;
}

static int output_source_open(struct output_source *source, struct error *err)
{
    const Hoist__V1__StreamOutputRequest *request =
        (const Hoist__V1__StreamOutputRequest *)(void *)source->call->request;
    struct worker_output *output = source->call->output;
    struct output_files files = {TAKE_FD(output->data), TAKE_FD(output->index)};
    int r = output_reader_open(&files, 0, output_request_streams(request),
                               request->timestamps ? OUTPUT_READER_EACH_ENTRY : 0, &source->reader,
                               err);

    if (r < 0) {
        output_files_close(&files);
        return r;
    }
    source->until = output_request_time(request->until, USEC_INFINITY);
    output_reader_end(source->reader, source->until);
    output_start_begin(&source->start, request, source->reader);
    /* Who asked for a time or a tail has to hear where that is, also when nothing lies there. */
    source->heartbeat_due = request->start_case != HOIST__V1__STREAM_OUTPUT_REQUEST__START_OFFSET &&
                            request->start_case != HOIST__V1__STREAM_OUTPUT_REQUEST__START__NOT_SET;
    source->timer = grpc_timer_new(grpc_call_thread(source->grpc), timer_elapsed, source);
    r = source->timer ? 0 : -ENOMEM;
    if (r == 0 && request->follow && !output->ended) /* to what has ended nothing is added */
        r = output_source_follow(source);
    return r < 0 ? error_set(err, r, "the agent has no memory left") : 0;
}

void output_source_start(struct agent_call *call, struct grpc_call *grpc)
{
    struct output_source *source = calloc(1, sizeof(*source));
    struct error err;
    int r;

    if (!source) {
        (void)grpc_call_fail(grpc, GRPC_STATUS_RESOURCE_EXHAUSTED, "the agent has no memory left",
                             NULL, 0);
        return;
    }
    source->source.free = output_source_free;
    source->call = call;
    source->grpc = grpc;
    source->head_size = OUTPUT_MESSAGE_HEAD_MAX / 2;
    call->source = &source->source;
    r = output_source_open(source, &err);
    if (r < 0)
        (void)fail_reading(source, r, &err);
    else
        (void)grpc_call_set_source(grpc, &output_source_ops, source);
}
