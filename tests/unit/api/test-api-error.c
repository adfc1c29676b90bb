/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/error.h"
#include "api/message.h"
#include "base/buffer.h"
#include "base/error.h"

static void test_api_error_travels(void **unused)
{
    _cleanup_api_error_ struct api_error sent = {0}, got = {0};
    _cleanup_buffer_ struct buffer details = {0};

    assert_int_equal(api_error_set(&sent, HOIST__V1__REASON__REASON_AMBIGUOUS_ID,
                                   "the prefix \"%s\" fits %d jobs", "5d1f", 2),
                     -EREMOTEIO);
    api_error_add(&sent, "candidate.0", "jobs/%d", 1);
    api_error_add(&sent, "candidate.1", "jobs/%d", 2);
    assert_int_equal(sent.code, 3);
    assert_int_equal(api_error_pack_details(&sent, &details), 0);
    assert_int_equal(
        api_error_parse(3, sent.text, buffer_bytes(&details), buffer_size(&details), &got), 0);
    assert_int_equal(got.code, 3);
    assert_int_equal(got.reason, HOIST__V1__REASON__REASON_AMBIGUOUS_ID);
    assert_string_equal(got.text, "the prefix \"5d1f\" fits 2 jobs");
    assert_string_equal(api_error_get(&got, "candidate.1"), "jobs/2");
    assert_null(api_error_get(&got, "candidate.2"));
}

static void test_api_error_details_hold_a_status(void **unused)
{
    _cleanup_api_error_ struct api_error error = {0};
    _cleanup_buffer_ struct buffer details = {0};
    _cleanup_api_message_ Google__Rpc__Status *status = NULL;
    _cleanup_api_message_ Google__Rpc__ErrorInfo *info = NULL;

    (void)api_error_set(&error, HOIST__V1__REASON__REASON_JOB_NOT_FOUND, "no such job");
    assert_int_equal(api_error_pack_details(&error, &details), 0);
    assert_int_equal(api_unpack_as(google__rpc__status, API_FROM_SERVER, buffer_bytes(&details),
                                   buffer_size(&details), &status, NULL),
                     0);
    assert_int_equal(status->code, 5);
    assert_string_equal(status->message, "no such job");
    assert_int_equal(status->n_details, 1);
    assert_string_equal(status->details[0]->type_url, "type.googleapis.com/google.rpc.ErrorInfo");
    assert_int_equal(api_unpack_as(google__rpc__error_info, API_FROM_SERVER,
                                   status->details[0]->value.data, status->details[0]->value.len,
                                   &info, NULL),
                     0);
    assert_string_equal(info->reason, "JOB_NOT_FOUND");
    assert_string_equal(info->domain, "hoist");
}

static void test_api_error_set_replaces(void **unused)
{
    _cleanup_api_error_ struct api_error error = {0};

    (void)api_error_set(&error, HOIST__V1__REASON__REASON_TOO_LARGE, "a");
    api_error_add(&error, "limit", "b");
    (void)api_error_set(&error, HOIST__V1__REASON__REASON_NO_ROLE, "c");
    assert_int_equal(error.metadata_count, 0);
    assert_string_equal(error.text, "c");
    assert_int_equal(error.code, 7);
}

static void test_api_error_bounds_what_travels(void **unused)
{
    _cleanup_api_error_ struct api_error error = {0};
    _cleanup_buffer_ struct buffer details = {0};
    char *large = malloc(8000);

    assert_non_null(large);
    memset(large, 'x', 7999);
    large[7999] = '\0';
    memcpy(large + 1023, "\xc3\xa9", 2); /* a character across the limit */
    (void)api_error_set(&error, HOIST__V1__REASON__REASON_INVALID_FIELD, "%s", large);
    assert_int_equal(strlen(error.text), 1023);
    for (int i = 0; i < 100; i++)
        api_error_add(&error, "key", "%s", large);
    for (int i = 0; i < 100; i++)
        api_error_add(&error, "key", "small");
    assert_true(error.metadata_count <= API_ERROR_METADATA_MAX);
    assert_int_equal(api_error_pack_details(&error, &details), 0);
    assert_true(buffer_size(&details) < 6 * 1024); /* 8 KiB in base64 */
    free(large);
}

static void test_api_error_parse_survives_anything(void **unused)
{
    static const char *const details[] = {"", "\xff\xff", "\x12\x01\xff", "\x1a\x02\x0a\x05",
                                          "\x1a\x04\x12\x02\xff\xff"};

    for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
        _cleanup_api_error_ struct api_error error = {0};

        assert_int_equal(api_error_parse(99, "sorry", details[i], strlen(details[i]), &error), 0);
        assert_int_equal(error.code, 2);
        assert_int_equal(error.reason, HOIST__V1__REASON__REASON_UNSPECIFIED);
        assert_string_equal(error.text, "sorry");
    }
}

static void test_api_error_set_from_unpack(void **unused)
{
    _cleanup_api_error_ struct api_error error = {0};
    struct error cause;

    (void)error_set(&cause, -EBADMSG, "request_id holds a NUL");
    assert_int_equal(api_error_set_from_unpack(&error, &cause), -EREMOTEIO);
    assert_int_equal(error.reason, HOIST__V1__REASON__REASON_MALFORMED_REQUEST);
    assert_string_equal(error.text, "the request is malformed: request_id holds a NUL");
    (void)error_set(&cause, -E2BIG, "spec.args has more than 1024 elements");
    assert_int_equal(api_error_set_from_unpack(&error, &cause), -EREMOTEIO);
    assert_int_equal(error.reason, HOIST__V1__REASON__REASON_TOO_LARGE);
    assert_int_equal(error.code, 3);
    assert_string_equal(api_error_get(&error, "limit"), "spec.args");
    (void)error_set(&cause, -ENOMEM, "out of memory");
    assert_int_equal(api_error_set_from_unpack(&error, &cause), -EREMOTEIO);
    assert_int_equal(error.code, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api_error_travels),
        cmocka_unit_test(test_api_error_details_hold_a_status),
        cmocka_unit_test(test_api_error_set_replaces),
        cmocka_unit_test(test_api_error_bounds_what_travels),
        cmocka_unit_test(test_api_error_parse_survives_anything),
        cmocka_unit_test(test_api_error_set_from_unpack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
