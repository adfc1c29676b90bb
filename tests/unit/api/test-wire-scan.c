/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <hoist/v1/job_service.pb-c.h>

#include "api/wire-scan.h"
#include "base/buffer.h"
#include "base/error.h"

static const struct wire_scan_limit limits[] = {
    {&hoist__v1__job_spec__descriptor, "args", 3},
    {0},
};

static const struct wire_scan_options options = {limits, 8};

static int scan(const ProtobufCMessageDescriptor *descriptor, const void *data, size_t size,
                struct error *err)
{
    *err = (struct error){0};
    return wire_scan(descriptor, data, size, &options, err);
}

/* StartJobRequest; `bytes` is a string literal. */
#define assert_scan(bytes, code, sentence)                                                         \
    assert_scan_of(&hoist__v1__start_job_request__descriptor, (bytes), sizeof(bytes) - 1, (code),  \
                   (sentence))

static void assert_scan_of(const ProtobufCMessageDescriptor *descriptor, const void *data,
                           size_t size, int code, const char *sentence)
{
    struct error err;
    int r = scan(descriptor, data, size, &err);

    if (r != code || strcmp(err.text, sentence) != 0)
        fail_msg("%d \"%s\" instead of %d \"%s\"", r, err.text, code, sentence);
}

static void test_wire_scan_takes_right_messages(void **unused)
{
    assert_scan("", 0, "");
    assert_scan("\x0a\x00", 0, "");                 /* an empty spec */
    assert_scan("\x0a\x04\x22\x02\x68\x69", 0, ""); /* spec.args = ["hi"] */
    assert_scan("\x0a\x03\x22\x01\x00", 0, "");     /* bytes may hold anything */
    assert_scan("\x12\x02\xc3\xa9", 0, "");         /* request_id = "é" */
}

static void test_wire_scan_refuses_broken_varints(void **unused)
{
    assert_scan("\x80", -EBADMSG, "StartJobRequest has a malformed tag");
    assert_scan("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", -EBADMSG,
                "StartJobRequest has a malformed tag");
    assert_scan("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", -EBADMSG,
                "StartJobRequest has a malformed tag");
    assert_scan("\x00\x00", -EBADMSG, "StartJobRequest has a malformed tag"); /* field 0 */
    assert_scan("\x80\x80\x80\x80\x10", -EBADMSG, "StartJobRequest has a malformed tag");
}

static void test_wire_scan_refuses_lengths_beyond_the_end(void **unused)
{
    assert_scan("\x0a\x05\x22", -EBADMSG, "spec is cut off or malformed");
    assert_scan("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", -EBADMSG,
                "spec is cut off or malformed");
    assert_scan("\x0a\x02\x22\x05", -EBADMSG, "spec.args is cut off or malformed");
    assert_scan("\x9a\x06\x05x", -EBADMSG, "StartJobRequest is cut off or malformed");
}

static void test_wire_scan_refuses_groups(void **unused)
{
    assert_scan("\x9b\x06\x9c\x06", -EBADMSG, "StartJobRequest is cut off or malformed");
}

static void test_wire_scan_refuses_the_wrong_wire_type(void **unused)
{
    assert_scan("\x08\x01", -EBADMSG, "spec has the wrong wire type");
    assert_scan("\x0a\x02\x60\x01", 0, ""); /* merged: varint */
    assert_scan("\x0a\x05\x65\x01\x00\x00\x00", -EBADMSG, "spec.merged has the wrong wire type");
}

static void test_wire_scan_refuses_nul_and_bad_utf8_in_texts(void **unused)
{
    assert_scan("\x12\x03"
                "a\0b",
                -EBADMSG, "request_id holds a NUL");
    assert_scan("\x12\x01\xff", -EBADMSG, "request_id is not UTF-8");
    assert_scan("\x12\x02\xc0\x80", -EBADMSG, "request_id is not UTF-8");
    assert_scan("\x0a\x05\x2a\x03\x0a\x01\xff", -EBADMSG, "spec.env.name is not UTF-8");
    assert_scan("\x0a\x05\x12\x03\x0a\x01\x00", -EBADMSG, "spec.labels.key holds a NUL");
}

static void test_wire_scan_refuses_a_message_twice(void **unused)
{
    assert_scan("\x0a\x00\x0a\x00", -EBADMSG, "spec is given twice");
    assert_scan("\x12\x01"
                "a\x12\x01"
                "b",
                0, ""); /* of a text the last one counts, everywhere */
}

static void test_wire_scan_counts_elements_of_each_message(void **unused)
{
    assert_scan("\x0a\x06\x22\x00\x22\x00\x22\x00", 0, "");
    assert_scan("\x0a\x08\x22\x00\x22\x00\x22\x00\x22\x00", -E2BIG,
                "spec.args has more than 3 elements");
}

static void test_wire_scan_counts_all_elements_together(void **unused)
{
    /* Nine labels where eight elements are allowed in all. */
    assert_scan("\x0a\x12\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00\x12\x00",
                -E2BIG, "spec.labels has more than 8 elements");
}

static void test_wire_scan_counts_packed_numbers(void **unused)
{
    const ProtobufCMessageDescriptor *list = &hoist__v1__list_jobs_request__descriptor;

    assert_scan_of(list, "\x1a\x03\x01\x02\x03", 5, 0, "");
    assert_scan_of(list, "\x18\x01\x18\x02", 4, 0, "");
    assert_scan_of(list, "\x1a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01", 11, -E2BIG,
                   "states has more than 8 elements");
    assert_scan_of(list, "\x1a\x01\x80", 3, -EBADMSG, "states is cut off");
}

static void test_wire_scan_bounds_unknown_fields(void **unused)
{
    struct buffer wire = {0};
    struct error err;

    for (int i = 0; i < WIRE_SCAN_UNKNOWN_MAX; i++)
        assert_int_equal(buffer_append(&wire, "\x98\x06\x01", 3), 0);
    assert_int_equal(scan(&hoist__v1__start_job_request__descriptor, buffer_bytes(&wire),
                          buffer_size(&wire), &err),
                     0);
    assert_int_equal(buffer_append(&wire, "\x0a\x03\x98\x06\x01", 5), 0); /* one more, inside */
    assert_int_equal(scan(&hoist__v1__start_job_request__descriptor, buffer_bytes(&wire),
                          buffer_size(&wire), &err),
                     -E2BIG);
    assert_string_equal(err.text, "spec has more than 64 fields that are not known here");
    buffer_done(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_scan_takes_right_messages),
        cmocka_unit_test(test_wire_scan_refuses_broken_varints),
        cmocka_unit_test(test_wire_scan_refuses_lengths_beyond_the_end),
        cmocka_unit_test(test_wire_scan_refuses_groups),
        cmocka_unit_test(test_wire_scan_refuses_the_wrong_wire_type),
        cmocka_unit_test(test_wire_scan_refuses_nul_and_bad_utf8_in_texts),
        cmocka_unit_test(test_wire_scan_refuses_a_message_twice),
        cmocka_unit_test(test_wire_scan_counts_elements_of_each_message),
        cmocka_unit_test(test_wire_scan_counts_all_elements_together),
        cmocka_unit_test(test_wire_scan_counts_packed_numbers),
        cmocka_unit_test(test_wire_scan_bounds_unknown_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
