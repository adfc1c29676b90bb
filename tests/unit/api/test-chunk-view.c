/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/chunk-view.h"
#include "api/message.h"
#include "base/buffer.h"
#include "base/error.h"

static size_t pack(Hoist__V1__OutputChunk *chunk, uint8_t out[static 256])
{
    Hoist__V1__StreamOutputResponse response = HOIST__V1__STREAM_OUTPUT_RESPONSE__INIT;

    response.kind_case = HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_CHUNK;
    response.chunk = chunk;
    return protobuf_c_message_pack(&response.base, out);
}

static void test_chunk_view_read_finds_what_was_packed(void **unused)
{
    Hoist__V1__OutputChunk chunk = HOIST__V1__OUTPUT_CHUNK__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    uint8_t message[256], data[] = "bytes \xff\0 of any value";
    struct chunk_view view;
    size_t size;

    (void)unused;
    time.seconds = 1700000000;
    time.nanos = 123456000;
    chunk.offset = UINT64_MAX - 5;
    chunk.data = (ProtobufCBinaryData){sizeof(data), data};
    chunk.stream = HOIST__V1__STREAM__STREAM_STDERR;
    chunk.time = &time;
    size = pack(&chunk, message);
    assert_int_equal(chunk_view_read(message, size, &view, NULL), 1);
    assert_true(view.offset == UINT64_MAX - 5);
    assert_int_equal(view.size, sizeof(data));
    assert_memory_equal(view.data, data, sizeof(data));
    assert_in_range(view.data, message, message + size); /* it lies where it lay */
    assert_int_equal(view.stream, HOIST__V1__STREAM__STREAM_STDERR);
    assert_true(view.time == 1700000000123456);
}

static void test_chunk_view_read_of_absent_fields_is_zero(void **unused)
{
    static const uint8_t empty[] = {0x0a, 0};
    struct chunk_view view = {.offset = 7, .size = 7, .time = 7};

    (void)unused;
    assert_int_equal(chunk_view_read(empty, sizeof(empty), &view, NULL), 1);
    assert_true(view.offset == 0 && view.size == 0 && view.time == 0);
}

static void test_chunk_view_read_shows_no_moment_as_zero(void **unused)
{
    Hoist__V1__OutputChunk chunk = HOIST__V1__OUTPUT_CHUNK__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    uint8_t message[256];
    struct chunk_view view;

    (void)unused;
    time.seconds = -1;
    chunk.time = &time;
    assert_int_equal(chunk_view_read(message, pack(&chunk, message), &view, NULL), 1);
    assert_true(view.time == 0);
}

static void test_chunk_view_read_leaves_other_messages_alone(void **unused)
{
    static const uint8_t heartbeat[] = {0x12, 2, 0x08, 5};
    static const uint8_t chunk_and_more[] = {0x0a, 2, 0x08, 5, 0xf8, 0x07, 1};
    struct chunk_view view;

    (void)unused;
    assert_int_equal(chunk_view_read(NULL, 0, &view, NULL), 0);
    assert_int_equal(chunk_view_read(heartbeat, sizeof(heartbeat), &view, NULL), 0);
    assert_int_equal(chunk_view_read(chunk_and_more, sizeof(chunk_and_more), &view, NULL), 0);
}

/* Whatever api_unpack() refuses is refused here, or left to it. */
static void test_chunk_view_read_is_as_strict_as_unpacking(void **unused)
{
    Hoist__V1__OutputChunk chunk = HOIST__V1__OUTPUT_CHUNK__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    uint8_t message[256], data[] = "data";
    size_t size;

    (void)unused;
    time.seconds = 1;
    chunk.offset = 300;
    chunk.data = (ProtobufCBinaryData){sizeof(data), data};
    chunk.time = &time;
    size = pack(&chunk, message);
    for (size_t at = 0; at < size; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            _cleanup_api_message_ Hoist__V1__StreamOutputResponse *response = NULL;
            struct chunk_view view;
            struct error err;
            int unpacked, viewed;

            message[at] ^= (uint8_t)(1U << bit);
            unpacked = api_unpack_as(hoist__v1__stream_output_response, API_FROM_SERVER, message,
                                     size, &response, &err);
            viewed = chunk_view_read(message, size, &view, &err);
            if (viewed > 0) {
                assert_int_equal(unpacked, 0);
                assert_int_equal(response->kind_case,
                                 HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_CHUNK);
                assert_true(view.offset == response->chunk->offset);
                assert_int_equal(view.size, response->chunk->data.len);
                assert_int_equal(view.stream, response->chunk->stream);
            } else if (viewed < 0) {
                assert_int_equal(unpacked, viewed);
            }
            message[at] ^= (uint8_t)(1U << bit);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_view_read_finds_what_was_packed),
        cmocka_unit_test(test_chunk_view_read_of_absent_fields_is_zero),
        cmocka_unit_test(test_chunk_view_read_shows_no_moment_as_zero),
        cmocka_unit_test(test_chunk_view_read_leaves_other_messages_alone),
        cmocka_unit_test(test_chunk_view_read_is_as_strict_as_unpacking),
    };

    return cmocka_run_group_tests_name("chunk-view", tests, NULL, NULL);
}
