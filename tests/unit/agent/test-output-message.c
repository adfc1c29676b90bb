/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/output-message.h"
#include "api/message.h"
#include "base/error.h"

/* Whatever the sizes, what is written by hand must read as the message it claims to be. */
static void check_round_trip(const struct output_chunk *chunk, size_t data_at)
{
    _cleanup_api_message_ Hoist__V1__StreamOutputResponse *response = NULL;
    static uint8_t buffer[OUTPUT_MESSAGE_HEAD_MAX + 70000];
    struct error err;
    size_t size;

    memset(buffer, 0, sizeof(buffer));
    for (size_t i = 0; i < chunk->size; i++)
        buffer[data_at + i] = (uint8_t)(i * 7 + 1);
    size = output_message_write(chunk, buffer, data_at);
    assert_int_equal(size, output_message_head_size(chunk) + chunk->size);
    assert_int_equal(api_unpack_as(hoist__v1__stream_output_response, API_FROM_SERVER, buffer, size,
                                   &response, &err),
                     0);
    assert_int_equal(response->kind_case, HOIST__V1__STREAM_OUTPUT_RESPONSE__KIND_CHUNK);
    assert_true(response->chunk->offset == chunk->offset);
    assert_int_equal(response->chunk->stream, chunk->stream);
    assert_int_equal(response->chunk->time->seconds, (int64_t)(chunk->time / USEC_PER_SEC));
    assert_int_equal(response->chunk->time->nanos, (int)(chunk->time % USEC_PER_SEC * 1000));
    assert_int_equal(response->chunk->data.len, chunk->size);
    for (size_t i = 0; i < chunk->size; i++)
        assert_int_equal(response->chunk->data.data[i], (uint8_t)(i * 7 + 1));
}

static void test_output_message_write_is_the_generated_message(void **unused)
{
    static const size_t sizes[] = {1, 127, 128, 16383, 16384, 65472};
    static const uint64_t offsets[] = {0, 1, 300, UINT64_C(1) << 40, INT64_MAX};
    static const usec_t times[] = {0, 1, 1790000000123456};

    (void)unused;
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
        for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++)
            for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
                struct output_chunk chunk = {.offset = offsets[o],
                                             .size = sizes[s],
                                             .stream = OUTPUT_STREAM_STDERR,
                                             .time = times[t]};

                assert_true(output_message_head_size(&chunk) <= OUTPUT_MESSAGE_HEAD_MAX);
                check_round_trip(&chunk, output_message_head_size(&chunk)); /* in place */
                check_round_trip(&chunk, OUTPUT_MESSAGE_HEAD_MAX);          /* moved down */
                check_round_trip(&chunk, 3);                                /* moved up */
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_message_write_is_the_generated_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
