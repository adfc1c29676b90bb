/* SPDX-License-Identifier: Apache-2.0 */
#include "init/pump.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "wire/output-rules.h"

#define DISK_RETRY  (200 * USEC_PER_MSEC)
#define IDLE_AFTER  USEC_PER_SEC
#define SLOW_FOR    USEC_PER_SEC /* else the state file would be written at each bucketful */
#define KEPT_MEMORY 4096         /* not worth a system call */

/* No more than a quarter of the cap: one read must never be more than what is kept. */
static size_t choose_buffer_size(const struct output_rules *rules)
{
    uint64_t size = rules->read_buffer ? rules->read_buffer : OUTPUT_READ_BUFFER_DEFAULT;

    if (rules->cap > 0)
        size = MIN(size, rules->cap / 4);
    return (size_t)MAX(size, (uint64_t)OUTPUT_READ_BUFFER_MIN);
}

int pump_init(struct pump *pump, int data_fd, int index_fd, const struct output_rules *rules,
              struct error *err)
{
    int r;

    *pump = (struct pump){.fds = {FD_NONE, FD_NONE}, .idle = USEC_INFINITY};
    rate_init(&pump->rate, rules->rate, clock_boot());
    turns_init(&pump->turns, clock_boot());
    pump->buffer_size = choose_buffer_size(rules);
    pump->buffer =
        mmap(NULL, pump->buffer_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pump->buffer == MAP_FAILED)
        return error_set(err, -ENOMEM, "no memory for the output's buffer");
    r = output_writer_init(&pump->writer, data_fd, index_fd);
    if (r < 0)
        return error_set(err, r, "the output files can't be used: %s", strerror(-r));
    return output_cap_init(&pump->cap, rules->cap, rules->head,
                           rules->stop_at_cap ? OUTPUT_CAP_STOP : OUTPUT_CAP_KEEP_ENDS,
                           &pump->writer, err);
}

void pump_add(struct pump *pump, int fd, enum output_stream stream)
{
    unsigned pipe = pump->fds[0] < 0 ? 0 : 1;

    pump->fds[pipe] = fd;
    pump->streams[pipe] = stream;
}

static bool is_open(const struct pump *pump, unsigned pipe)
{
    return !pump->disk_full && !pump->throttled && pump->error == 0 && pump->fds[pipe] >= 0;
}

int pump_poll_fd(const struct pump *pump, unsigned pipe)
{
    bool held = pump->hold_until > 0 && pipe != pump->turns.last;

    return is_open(pump, pipe) && !held ? pump->fds[pipe] : FD_NONE;
}

static void wait_for_disk(struct pump *pump, usec_t now)
{
    pump->disk_full = true;
    pump->again = now + DISK_RETRY;
}

static uint64_t count_entries(const struct pump *pump)
{
    return pump->writer.position + pump->writer.batch_count;
}

/* Offers what is pending, also when that is nothing: the index may lack entries. */
static void write_pending(struct pump *pump, usec_t now)
{
    uint64_t entries = count_entries(pump);
    size_t taken = 0;
    int r = output_cap_make_room(&pump->cap, &pump->writer, pump->end - pump->start);

    if (r == 0)
        r = output_writer_append(&pump->writer, pump->streams[pump->pending_of],
                                 pump->buffer + pump->start, pump->end - pump->start, clock_wall(),
                                 &taken);
    pump->start += taken;
    if (taken > 0)
        turns_took(&pump->turns, pump->pending_of, taken, count_entries(pump) - entries, now);
    pump->disk_full = false;
    if (r == OUTPUT_DISK_FULL)
        wait_for_disk(pump, now);
    else if (r < 0)
        pump->error = r;
}

static void close_pipe(struct pump *pump, unsigned pipe)
{
    pump->fds[pipe] = fd_close(pump->fds[pipe]);
}

/* Of `size` bytes those that are kept: all, unless the job is to be stopped at its cap. */
static size_t keep_below_cap(struct pump *pump, size_t size)
{
    size_t kept = size;

    if (pump->beyond_cap) /* after a byte that is missing no other may come */
        return 0;
    if (pump->cap.policy == OUTPUT_CAP_STOP)
        kept = output_cap_room(&pump->cap, &pump->writer, size);
    pump->beyond_cap = kept < size;
    return kept;
}

static void take_chunk(struct pump *pump, unsigned pipe, size_t size, usec_t now)
{
    rate_spend(&pump->rate, size);
    pump->start = 0;
    pump->end = keep_below_cap(pump, size);
    pump->dirty = pump->dirty > size ? pump->dirty : size;
    pump->pending_of = pipe;
    if (pump->dirty > KEPT_MEMORY)
        pump->idle = now + IDLE_AFTER;
    write_pending(pump, now);
}

/* What a read of `pipe` gave: bytes (> 0), 0 for nothing at the moment, or -ENODATA at its end. */
static int read_pipe(struct pump *pump, unsigned pipe, usec_t now)
{
    size_t allowed = rate_allowance(&pump->rate, pump->buffer_size, now);
    ssize_t n;

    if (allowed == 0) {
        pump->throttled = true;
        pump->again = rate_next(&pump->rate);
        pump->slow_until = now + SLOW_FOR;
        return 0;
    }
    do
        n = read(pump->fds[pipe], pump->buffer, allowed);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n < 0) /* what is still in the pipe is lost, and that must not pass for its end */
        pump->error = -errno;
    if (n <= 0)
        return -ENODATA;
    take_chunk(pump, pipe, (size_t)n, now);
    return (int)n;
}

/* What the pipe gives, as read_pipe(). */
static int read_or_close(struct pump *pump, unsigned pipe, usec_t now)
{
    int r = is_open(pump, pipe) ? read_pipe(pump, pipe, now) : 0;

    if (r == -ENODATA)
        close_pipe(pump, pipe);
    return r;
}

void pump_read(struct pump *pump, unsigned pipe, usec_t now)
{
    unsigned other = 1 - pipe;

    if (pump_poll_fd(pump, pipe) < 0)
        return;
    if (!turns_let_other_first(&pump->turns, pipe, now) || read_or_close(pump, other, now) <= 0)
        (void)read_or_close(pump, pipe, now); /* nothing at the moment is no news */
    pump->hold_until =
        turns_allow(&pump->turns, 1 - pump->turns.last, now) ? 0 : turns_next(&pump->turns);
}

static void give_memory_back(struct pump *pump)
{
    (void)madvise(pump->buffer, pump->buffer_size, MADV_DONTNEED);
    pump->dirty = 0;
    pump->idle = USEC_INFINITY;
}

void pump_check(struct pump *pump, usec_t now)
{
    if (pump->disk_full && pump->again <= now)
        write_pending(pump, now);
    if (pump->throttled && pump->again <= now)
        pump->throttled = false;
    if (pump->slow_until <= now)
        pump->slow_until = 0;
    if (pump->hold_until <= now)
        pump->hold_until = 0;
    if (pump->idle <= now && !pump->disk_full)
        give_memory_back(pump);
}

usec_t pump_next(const struct pump *pump)
{
    usec_t next = pump->disk_full ? USEC_INFINITY : pump->idle;

    if (pump->slow_until > 0)
        next = MIN(next, pump->slow_until);
    if (pump->hold_until > 0)
        next = MIN(next, pump->hold_until);
    return pump->disk_full || pump->throttled ? MIN(next, pump->again) : next;
}

void pump_lift_rate(struct pump *pump)
{
    pump->rate.bytes_per_second = 0;
    pump->throttled = false;
    pump->slow_until = 0;
}

bool pump_drain(struct pump *pump, usec_t now)
{
    for (unsigned pipe = 0; pipe < PUMP_PIPES_MAX; pipe++) {
        while (is_open(pump, pipe) && read_pipe(pump, pipe, now) > 0)
            ;
        if (pump->disk_full)
            return false;
        close_pipe(pump, pipe);
    }
    return true;
}

int pump_finish(struct pump *pump, usec_t now)
{
    int r = pump->error;

    if (r < 0)
        return r;
    if (!pump->ended) {
        r = output_writer_finish(&pump->writer, clock_wall());
        if (r == OUTPUT_DISK_FULL)
            wait_for_disk(pump, now);
        if (r != 0)
            return r;
        pump->ended = true;
    }
    return output_writer_sync(&pump->writer);
}

void pump_totals(const struct pump *pump, uint64_t ret_totals[2])
{
    const uint64_t *totals = pump->writer.totals;

    ret_totals[0] = totals[OUTPUT_STREAM_STDOUT] + totals[OUTPUT_STREAM_MERGED];
    ret_totals[1] = totals[OUTPUT_STREAM_STDERR];
}
