/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>

#include "base/crc32c.h"
#include "fixture.h"
#include "output/cap.h"
#include "output/seal.h"
#include "output/watch.h"

/*
 * Properties: whatever the order in which a writer writes and readers read, stop and resume, and
 * whether it comes to its end or is killed, every reader ends with the same bytes; where a cap
 * drops some under them, with the same bytes but those that the gap names. In one thread with a
 * seeded generator, so that a failure repeats; and with a real writer beside real readers, where
 * the kernel does the interleaving.
 */

#define ROUNDS  12
#define READERS 6
#define STEPS   400

static uint64_t random_state;

static uint64_t random_below(uint64_t bound)
{
    /* xorshift64: Marsaglia, Journal of Statistical Software 8(14), 2003. */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

/* What the job has written so far, all together and who wrote which byte. */
struct reference {
    uint8_t *bytes;
    uint8_t *streams;
    size_t size;
    size_t room;
};

/* One of those who read: what it wants and how far it has come. */
struct client {
    struct output_reader *reader;
    unsigned streams;
    unsigned flags;
    uint64_t offset;
    uint32_t crc;
    uint64_t bytes;
    bool gapped; /* it was told that bytes are gone */
};

static void reference_make_room(struct reference *reference, size_t size)
{
    if (reference->size + size < reference->room)
        return;
    reference->room = 2 * (reference->size + size);
    reference->bytes = realloc(reference->bytes, reference->room);
    reference->streams = realloc(reference->streams, reference->room);
    assert_non_null(reference->bytes);
    assert_non_null(reference->streams);
}

static void reference_grow(struct reference *reference, struct fixture *fixture,
                           struct output_cap *cap, usec_t now)
{
    static uint8_t piece[150000]; /* as the last one left it, with a few changes */
    size_t size = random_below(6) ? random_below(300) : random_below(sizeof(piece));
    enum output_stream stream = random_below(2) ? OUTPUT_STREAM_STDOUT : OUTPUT_STREAM_STDERR;

    for (size_t i = 0; i < size; i += 1 + random_state % 5)
        piece[i] = (uint8_t)(random_below(256) + i);
    reference_make_room(reference, size);
    memcpy(reference->bytes + reference->size, piece, size);
    memset(reference->streams + reference->size, (int)stream, size);
    reference->size += size;
    assert_int_equal(output_cap_make_room(cap, &fixture->writer, size), 0);
    fixture_append(fixture, stream, piece, size, now);
}

static uint32_t reference_crc(const struct reference *reference, unsigned streams)
{
    uint32_t crc = 0;
    size_t start = 0;

    for (size_t i = 1; i <= reference->size; i++)
        if (i == reference->size || reference->streams[i] != reference->streams[start]) {
            if (streams & OUTPUT_STREAM_BIT(reference->streams[start]))
                crc = crc32c(crc, reference->bytes + start, i - start);
            start = i;
        }
    return crc;
}

/* Reads once; true at the complete end. */
static bool client_read(struct client *client, struct fixture *fixture,
                        const struct reference *reference)
{
    static uint8_t buffer[100000];
    struct output_chunk chunk;
    int r;

    if (!client->reader)
        client->reader = fixture_reader(fixture, client->offset, client->streams, client->flags);
    r = output_reader_next(client->reader, random_below(2), buffer,
                           1 + random_below(sizeof(buffer) - 1), &chunk, NULL);
    if (r == OUTPUT_CHUNK) {
        assert_true(chunk.offset >= client->offset);
        assert_true(chunk.offset + chunk.size <= reference->size);
        assert_memory_equal(buffer, reference->bytes + chunk.offset, chunk.size);
        client->crc = crc32c(client->crc, buffer, chunk.size);
        client->bytes += chunk.size;
        client->offset = chunk.offset + chunk.size;
    } else if (r == OUTPUT_GAP) {
        assert_true(chunk.offset >= fixture->writer.header.gap.start);
        assert_true(chunk.gap_end <= fixture->writer.header.gap.end); /* as it was a while ago */
        client->offset = chunk.gap_end;
        client->gapped = true;
    } else if (r != -EAGAIN) {
        assert_true(r == OUTPUT_AT_END || r == OUTPUT_COMPLETE);
    }
    if (random_below(8) == 0) /* the connection is lost; the client comes again */
        client->reader = output_reader_close(client->reader);
    return r == OUTPUT_COMPLETE;
}

/* Reads all again, in one go: the same bytes but the gap. */
static void check_whole(struct fixture *fixture, const struct reference *reference)
{
    const struct output_gap *gap = &fixture->writer.header.gap;
    struct client client = {.streams = OUTPUT_STREAMS_ALL};

    while (!client_read(&client, fixture, reference))
        ;
    output_reader_close(client.reader);
    assert_int_equal(client.gapped, gap->end > gap->start);
    assert_int_equal(client.bytes, reference->size - (gap->end - gap->start));
}

/* How the output ends: by its writer, or because that was killed. */
static void round_end(struct fixture *fixture, bool killed, usec_t now)
{
    if (killed)
        assert_int_equal(output_seal(&fixture->files, now, NULL), 0);
    else
        assert_int_equal(output_writer_finish(&fixture->writer, now), 0);
}

static void round_run(uint64_t seed, uint64_t limit, bool killed)
{
    static const unsigned choices[] = {
        OUTPUT_STREAMS_ALL,
        OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDOUT),
        OUTPUT_STREAM_BIT(OUTPUT_STREAM_STDERR),
    };
    struct fixture fixture;
    struct reference reference = {};
    struct client clients[READERS] = {};
    struct output_cap cap;
    usec_t now = 1;

    random_state = seed * 0x9e3779b97f4a7c15u + 1;
    fixture_begin(&fixture, false);
    assert_int_equal(output_cap_init(&cap, limit, 0, OUTPUT_CAP_KEEP_ENDS, &fixture.writer, NULL),
                     0);
    for (unsigned i = 0; i < READERS; i++) {
        clients[i].streams = choices[i % ARRAY_SIZE(choices)];
        clients[i].flags = (unsigned)random_below(4);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        now += random_below(3000);
        if (random_below(3) == 0)
            reference_grow(&reference, &fixture, &cap, now);
        else
            (void)client_read(&clients[random_below(READERS)], &fixture, &reference);
    }
    round_end(&fixture, killed, now);
    for (unsigned i = 0; i < READERS; i++) {
        while (!client_read(&clients[i], &fixture, &reference))
            ;
        if (!clients[i].gapped)
            assert_int_equal(clients[i].crc, reference_crc(&reference, clients[i].streams));
        output_reader_close(clients[i].reader);
    }
    check_whole(&fixture, &reference);
    assert_int_equal(fixture.writer.header.gap.end > 0, limit > 0);
    free(reference.bytes);
    free(reference.streams);
    fixture_end(&fixture);
}

static void test_output_reads_are_the_same_in_any_order(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++)
        round_run(seed, 0, seed % 2);
}

static void test_output_reads_are_the_same_but_the_gap_in_any_order(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++)
        round_run(seed, OUTPUT_CAP_MIN, seed % 2);
}

/* Bytes that can be told from their offset. */
static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 31 + offset / 257 + offset / 65537);
}

#define RACE_SIZE (UINT64_C(4) * 1024 * 1024)

struct race {
    const char *path;
    struct output_reader *reader;
    pthread_t thread;
    const char *trouble;
};

static void race_changed(void *userdata)
{
    const struct race *race = userdata;

    output_reader_changed(race->reader);
}

/* Reads to the end, asleep while there is nothing; a change that isn't told leaves it asleep. */
static const char *race_read_all(struct output_reader *reader, struct output_watch *watch)
{
    static _Thread_local uint8_t buffer[65536];
    struct output_chunk chunk;
    uint64_t dropped = 0;
    int r;

    while ((r = output_reader_next(reader, false, buffer, sizeof(buffer), &chunk, NULL)) !=
           OUTPUT_COMPLETE) {
        if (r < 0)
            return "an error";
        for (size_t i = 0; r == OUTPUT_CHUNK && i < chunk.size; i++)
            if (buffer[i] != byte_at(chunk.offset + i))
                return "wrong bytes";
        dropped += r == OUTPUT_GAP ? chunk.gap_end - chunk.offset : 0;
        if (r == OUTPUT_AT_END && !fixture_wait(watch, 30000))
            return "no notification";
        (void)output_watch_dispatch(watch);
    }
    return output_reader_bytes(reader) + dropped == RACE_SIZE ? NULL : "the wrong number of bytes";
}

static void *race_main(void *userdata)
{
    struct race *race = userdata;
    struct output_follower *follower = NULL;
    struct output_watch *watch = NULL;

    if (output_watch_new(&watch, NULL) < 0 ||
        output_watch_follow(watch, race->path, output_reader_index_fd(race->reader), race_changed,
                            race, &follower) < 0)
        race->trouble = "no watch";
    if (!race->trouble) {
        output_reader_follow(race->reader);
        race->trouble = race_read_all(race->reader, watch);
    }
    output_follower_leave(follower);
    output_watch_free(watch);
    return NULL;
}

static void race_run(uint64_t limit)
{
    struct fixture fixture;
    struct race races[3] = {};
    struct output_cap cap;
    uint8_t piece[5000];
    uint64_t written = 0;

    random_state = 77;
    fixture_begin(&fixture, false);
    assert_int_equal(output_cap_init(&cap, limit, 0, OUTPUT_CAP_KEEP_ENDS, &fixture.writer, NULL),
                     0);
    for (unsigned i = 0; i < ARRAY_SIZE(races); i++) {
        races[i].path = fixture.index_path;
        races[i].reader = fixture_reader(&fixture, 0, OUTPUT_STREAMS_ALL, 0);
        assert_int_equal(pthread_create(&races[i].thread, NULL, race_main, &races[i]), 0);
    }
    while (written < RACE_SIZE) {
        size_t size = (size_t)MIN(1 + random_below(sizeof(piece)), RACE_SIZE - written);

        for (size_t i = 0; i < size; i++)
            piece[i] = byte_at(written + i);
        assert_int_equal(output_cap_make_room(&cap, &fixture.writer, size), 0);
        fixture_append(&fixture, random_below(50) ? OUTPUT_STREAM_STDOUT : OUTPUT_STREAM_STDERR,
                       piece, size, written / 100);
        written += size;
    }
    assert_int_equal(output_writer_finish(&fixture.writer, 1), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(races); i++) {
        pthread_join(races[i].thread, NULL);
        if (races[i].trouble)
            fail_msg("a reader got %s", races[i].trouble);
        output_reader_close(races[i].reader);
    }
    fixture_end(&fixture);
}

static void test_output_readers_race_with_the_writer(void **unused)
{
    (void)unused;
    race_run(0);
}

/* It drops what they are just reading. */
static void test_output_readers_race_with_the_cap(void **unused)
{
    (void)unused;
    race_run(OUTPUT_CAP_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_reads_are_the_same_in_any_order),
        cmocka_unit_test(test_output_reads_are_the_same_but_the_gap_in_any_order),
        cmocka_unit_test(test_output_readers_race_with_the_writer),
        cmocka_unit_test(test_output_readers_race_with_the_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
