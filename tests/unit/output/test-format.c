/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "fixture.h"

static struct output_entry data_entry(void)
{
    return (struct output_entry){
        .kind = OUTPUT_ENTRY_DATA,
        .stream = OUTPUT_STREAM_STDERR,
        .flags = OUTPUT_ENTRY_RECOVERED,
        .end = UINT64_C(0x0102030405060708),
        .time = 1234567,
        .size = 77,
        .crc = 0xdeadbeef,
    };
}

static void test_output_entry_encode_puts_fields_in_their_places(void **unused)
{
    const struct output_entry entry = data_entry();
    const uint8_t begin[] = {8, 7, 6, 5, 4, 3, 2, 1};
    uint8_t bytes[OUTPUT_ENTRY_SIZE];

    (void)unused;
    output_entry_encode(&entry, bytes);
    assert_memory_equal(bytes, begin, sizeof(begin));
    assert_int_equal(bytes[16], 77);
    assert_int_equal(bytes[20], 0xef);
    assert_int_equal(bytes[24], OUTPUT_ENTRY_DATA);
    assert_int_equal(bytes[25], OUTPUT_STREAM_STDERR);
    assert_int_equal(bytes[26], OUTPUT_ENTRY_RECOVERED);
    assert_int_equal(bytes[27], 0);
}

static void test_output_entry_decode_gives_back_what_was_encoded(void **unused)
{
    const struct output_entry entry = data_entry();
    const struct output_entry end = {
        .kind = OUTPUT_ENTRY_END,
        .flags = OUTPUT_ENTRY_LOST,
        .end = 500,
        .time = 9,
        .stderr_bytes = 500,
    };
    uint8_t bytes[OUTPUT_ENTRY_SIZE];
    struct output_entry back;

    (void)unused;
    output_entry_encode(&entry, bytes);
    assert_int_equal(output_entry_decode(bytes, &back), 0);
    assert_int_equal(back.kind, entry.kind);
    assert_int_equal(back.stream, entry.stream);
    assert_int_equal(back.flags, entry.flags);
    assert_int_equal(back.end, entry.end);
    assert_int_equal(back.time, entry.time);
    assert_int_equal(back.size, entry.size);
    assert_int_equal(back.crc, entry.crc);
    output_entry_encode(&end, bytes);
    assert_int_equal(output_entry_decode(bytes, &back), 0);
    assert_int_equal(back.kind, OUTPUT_ENTRY_END);
    assert_int_equal(back.stderr_bytes, 500);
    assert_int_equal(back.size, 0);
}

static void test_output_entry_decode_sees_every_changed_bit(void **unused)
{
    const struct output_entry entry = data_entry();
    uint8_t bytes[OUTPUT_ENTRY_SIZE];
    struct output_entry back;

    (void)unused;
    output_entry_encode(&entry, bytes);
    for (unsigned bit = 0; bit < OUTPUT_ENTRY_SIZE * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(output_entry_decode(bytes, &back), -EBADMSG);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_output_entry_decode_tells_zeros_apart(void **unused)
{
    const uint8_t zeros[OUTPUT_ENTRY_SIZE] = {0};
    struct output_entry back;

    (void)unused;
    assert_int_equal(output_entry_decode(zeros, &back), -ENODATA);
}

static void test_output_entry_decode_refuses_what_makes_no_sense(void **unused)
{
    struct output_entry wrong[] = {
        data_entry(), data_entry(), data_entry(), data_entry(),
        data_entry(), data_entry(), data_entry(),
    };
    uint8_t bytes[OUTPUT_ENTRY_SIZE];
    struct output_entry back;

    (void)unused;
    wrong[0].size = 0;
    wrong[1].size = OUTPUT_ENTRY_BYTES_MAX + 1;
    wrong[2].end = 10;
    wrong[3].stream = OUTPUT_STREAM_NONE;
    wrong[4].flags = OUTPUT_ENTRY_LOST;
    wrong[5] = (struct output_entry){.kind = OUTPUT_ENTRY_END, .end = 1, .stderr_bytes = 2};
    wrong[6].end = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        output_entry_encode(&wrong[i], bytes);
        assert_int_equal(output_entry_decode(bytes, &back), -EPROTO);
    }
}

static void test_output_header_decode_gives_back_what_was_encoded(void **unused)
{
    const struct output_header header = {
        .job.bytes = {1, 2, 3},
        .flags = OUTPUT_HEADER_MERGED,
        .created = 42,
        .gap = {10, 30, 20},
    };
    uint8_t bytes[OUTPUT_HEADER_SIZE];
    struct output_header back;

    (void)unused;
    output_header_encode(&header, bytes);
    assert_int_equal(output_header_decode(bytes, &back), 0);
    assert_memory_equal(&back.job, &header.job, sizeof(back.job));
    assert_int_equal(back.flags, header.flags);
    assert_int_equal(back.created, 42);
    assert_int_equal(back.gap.start, 10);
    assert_int_equal(back.gap.end, 30);
    assert_int_equal(back.gap.stderr_bytes, 20);
    bytes[40] ^= 1;
    assert_int_equal(output_header_decode(bytes, &back), -EBADMSG);
}

static void test_output_header_decode_refuses_what_makes_no_sense(void **unused)
{
    const struct output_header wrong[] = {
        {.flags = _OUTPUT_HEADER_FLAGS_ALL + 1},
        {.gap = {30, 10, 0}},
        {.gap = {10, 30, 21}},
        {.gap = {10, UINT64_MAX, 0}},
    };
    uint8_t bytes[OUTPUT_HEADER_SIZE];
    struct output_header back;

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        output_header_encode(&wrong[i], bytes);
        assert_int_equal(output_header_decode(bytes, &back), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_entry_encode_puts_fields_in_their_places),
        cmocka_unit_test(test_output_entry_decode_gives_back_what_was_encoded),
        cmocka_unit_test(test_output_entry_decode_sees_every_changed_bit),
        cmocka_unit_test(test_output_entry_decode_tells_zeros_apart),
        cmocka_unit_test(test_output_entry_decode_refuses_what_makes_no_sense),
        cmocka_unit_test(test_output_header_decode_gives_back_what_was_encoded),
        cmocka_unit_test(test_output_header_decode_refuses_what_makes_no_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
