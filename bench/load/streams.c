/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/chunk-view.h"
#include "api/message.h"
#include "base/fd.h"
#include "load.h"
#include "measure.h"

#define READERS_MAX 64

/* The agent allows 100 streams on a connection. */
#define STREAMS_PER_CONNECTION 50
#define CONNECTIONS_MAX        64
#define HELD_MAX               ((size_t)CONNECTIONS_MAX * STREAMS_PER_CONNECTION)

struct reader {
    const char *job;
    pthread_t thread;
    uint64_t bytes;
    double seconds;
};

static void *read_stream(void *arg)
{
    struct reader *reader = arg;
    double begin = measure_seconds();
    struct grpc_channel *channel = load_connect();
    struct grpc_client_call *call = load_stream(channel, reader->job, false);
    struct chunk_view chunk;
    const uint8_t *message;
    size_t size;

    while (load_next(call, &message, &size))
        if (chunk_view_read(message, size, &chunk, NULL) == 1)
            reader->bytes += chunk.size;
    reader->seconds = measure_seconds() - begin;
    grpc_client_call_free(call);
    grpc_channel_free(channel);
    return NULL;
}

static void print_readers(const struct reader *readers, unsigned long count, double seconds)
{
    double sum = 0, slowest = 0;
    uint64_t bytes = 0;

    for (unsigned long i = 0; i < count; i++) {
        double rate = (double)readers[i].bytes / readers[i].seconds;

        bytes += readers[i].bytes;
        sum += rate;
        slowest = i == 0 || rate < slowest ? rate : slowest;
    }
    (void)printf("{\"bytes\": %llu, \"seconds\": %.6f, \"slowest_share\": %.3f}\n",
                 (unsigned long long)bytes, seconds, slowest / (sum / (double)count));
}

void load_streams(const char *job, unsigned long readers)
{
    struct reader all[READERS_MAX] = {{.job = NULL}};
    double begin = measure_seconds();

    if (readers > READERS_MAX)
        measure_usage("so many readers are too many");
    for (unsigned long i = 0; i < readers; i++) {
        all[i].job = job;
        if (pthread_create(&all[i].thread, NULL, read_stream, &all[i]) != 0)
            measure_die("pthread_create");
    }
    for (unsigned long i = 0; i < readers; i++)
        (void)pthread_join(all[i].thread, NULL);
    print_readers(all, readers, measure_seconds() - begin);
}

void load_tail(const char *job, unsigned long count)
{
    static double samples[100000];
    struct grpc_channel *channel = load_connect();
    struct grpc_client_call *call = load_stream(channel, job, true);
    const uint8_t *message;
    size_t size, taken = 0;

    if (count > sizeof(samples) / sizeof(samples[0]))
        measure_usage("so many samples are too many");
    while (taken < count && load_next(call, &message, &size)) {
        uint64_t now = measure_nanoseconds(), stamp;
        struct chunk_view chunk;

        if (chunk_view_read(message, size, &chunk, NULL) != 1 || chunk.size < sizeof(stamp))
            continue;
        memcpy(&stamp, chunk.data + chunk.size - sizeof(stamp), sizeof(stamp));
        samples[taken++] = (double)(now - stamp) / 1e3;
    }
    if (taken == 0)
        measure_usage("the job wrote nothing");
    (void)printf("{");
    measure_print_percentiles("latency_us", samples, taken);
    (void)printf("}\n");
    grpc_client_call_free(call);
    grpc_channel_free(channel);
}

void load_hold(const char *job, unsigned long streams)
{
    static struct grpc_client_call *calls[HELD_MAX];
    static struct grpc_channel *channels[CONNECTIONS_MAX];
    char end;

    if (streams > HELD_MAX)
        measure_usage("so many streams are too many");
    for (unsigned long i = 0; i < streams; i++) {
        size_t connection = i / STREAMS_PER_CONNECTION;

        if (!channels[connection])
            channels[connection] = load_connect();
        calls[i] = load_stream(channels[connection], job, true);
    }
    (void)printf("holding\n");
    (void)fflush(stdout);
    (void)!read(STDIN_FILENO, &end, 1);
    for (unsigned long i = 0; i < streams; i++)
        grpc_client_call_free(calls[i]);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        grpc_channel_free(channels[i]);
}
