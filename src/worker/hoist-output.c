/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "output/reader.h"
#include "output/watch.h"
#include "worker/hoist-handle.h"

#define CHUNK_SIZE (64 * 1024)

/* A reader of one job's output and what wakes it. */
struct following {
    struct hoist *hoist;
    const struct hoist_output_input *input;
    struct output_reader *reader;
    struct output_watch *watch;
    struct output_follower *follower;
    uint8_t *buffer;
};

static void following_done(struct following *following)
{
    output_follower_leave(following->follower);
    output_watch_free(following->watch);
    output_reader_close(following->reader);
    free(following->buffer);
}

static int output_failed(struct hoist_error *error, const struct error *err)
{
    enum hoist_reason reason = err->code == -ERANGE    ? HOIST_REASON_OFFSET_OUT_OF_RANGE
                               : err->code == -EBADMSG ? HOIST_REASON_OUTPUT_DAMAGED
                                                       : HOIST_REASON_OUTPUT_FAILED;

    return hoist_error_set(error, err->code, reason, err->text);
}

static void changed(void *userdata)
{
    (void)userdata; /* the loop reads again after every wake-up */
}

static unsigned wanted_streams(uint32_t streams)
{
    return streams == 0 ? OUTPUT_STREAMS_ALL : streams;
}

static int open_reader(struct following *following, struct worker_output *output,
                       struct hoist_error *error)
{
    struct output_files files = {.data = TAKE_FD(output->data), .index = TAKE_FD(output->index)};
    struct error err = {.code = 0};
    int r = output_reader_open(&files, following->input->offset,
                               wanted_streams(following->input->streams), OUTPUT_READER_EACH_ENTRY,
                               &following->reader, &err);

    if (r < 0) {
        output_files_close(&files);
        return output_failed(error, &err);
    }
    following->buffer = malloc(CHUNK_SIZE);
    if (!following->buffer)
        return hoist_error_set(error, -ENOMEM, HOIST_REASON_UNSPECIFIED, "no memory to read");
    r = output_watch_new(&following->watch, &err);
    if (r == 0)
        r = output_watch_follow(following->watch, output->index_path,
                                output_reader_index_fd(following->reader), changed, NULL,
                                &following->follower);
    return r < 0 ? hoist_error_set(error, r, HOIST_REASON_UNSPECIFIED, "can't follow the output")
                 : 0;
}

static int give(const struct following *following, const struct output_chunk *chunk)
{
    const struct hoist_chunk public = {
        .size = sizeof(public),
        .offset = chunk->offset,
        .data = following->buffer,
        .data_size = chunk->size,
        .stream = (enum hoist_stream)chunk->stream,
        .time_usec = chunk->time,
    };

    return following->input->chunk ? following->input->chunk(&public, following->input->userdata)
                                   : 0;
}

static int wait_for_more(struct following *following, struct hoist_error *error)
{
    int r = hoist_turn(following->hoist, following->watch, following->input->cancel_fd, error);

    if (r == 0 && output_watch_dispatch(following->watch) < 0)
        return hoist_error_set(error, -EIO, HOIST_REASON_OUTPUT_FAILED, "can't follow the output");
    return r;
}

/* Until the output is complete, or there is no more now and nobody wants to wait, or `chunk` ends
 * it. */
static int read_all(struct following *following, bool *ret_complete, struct hoist_error *error)
{
    for (;;) {
        struct output_chunk chunk;
        struct error err;
        int r = output_reader_next(following->reader, false, following->buffer, CHUNK_SIZE, &chunk,
                                   &err);

        if (r < 0)
            return output_failed(error, &err);
        *ret_complete = r == OUTPUT_COMPLETE;
        if (r == OUTPUT_COMPLETE || (r == OUTPUT_AT_END && !following->input->follow))
            return 0;
        if (r == OUTPUT_CHUNK)
            r = give(following, &chunk);
        else
            r = r == OUTPUT_AT_END ? wait_for_more(following, error) : 0;
        if (r != 0)
            return r;
    }
}

static void fill_summary(const struct following *following, bool complete,
                         struct hoist_output_summary *ret)
{
    if (!ret || ret->size < sizeof(*ret))
        return;
    ret->end_offset = output_reader_offset(following->reader);
    ret->bytes = output_reader_bytes(following->reader);
    ret->complete = complete;
}

int hoist_output(struct hoist *hoist, const struct hoist_output_input *input,
                 struct hoist_output_summary *ret, struct hoist_error *error)
{
    _cleanup_hoist_call_ struct hoist_call call = {.come = false};
    struct hoist_output_input copy;
    bool complete = false;
    _cleanup_(following_done) struct following following = {.hoist = hoist, .input = &copy};
    int r = HOIST_INPUT_TAKE(&copy, input, error);

    if (r < 0)
        return r;
    r = worker_open_output(hoist->worker, &hoist_caller, copy.name, hoist_call_done, &call,
                           &call.operation);
    r = hoist_call_wait(hoist, &call, r, copy.cancel_fd, error);
    if (r == 0)
        r = open_reader(&following, call.reply.output, error);
    if (r == 0)
        r = read_all(&following, &complete, error);
    if (r == 0)
        fill_summary(&following, complete, ret);
    return r;
}
