/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/message.h"
#include "api/moment.h"
#include "base/error.h"

static int read_duration(int64_t seconds, int32_t nanos, usec_t *ret, struct error *err)
{
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;

    duration.seconds = seconds;
    duration.nanos = nanos;
    return api_duration_read(&duration, 0, ret, err);
}

static int read_timestamp(int64_t seconds, int32_t nanos, usec_t *ret, struct error *err)
{
    Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

    timestamp.seconds = seconds;
    timestamp.nanos = nanos;
    return api_timestamp_read(&timestamp, ret, err);
}

static void test_api_duration_read_converts(void **unused)
{
    struct error err;
    usec_t value;

    assert_int_equal(read_duration(10, 500000999, &value, &err), 0);
    assert_int_equal(value, 10500000);
    assert_int_equal(api_duration_read(NULL, 42, &value, &err), 0);
    assert_int_equal(value, 42);
    assert_int_equal(read_duration(366 * 86400, 0, &value, &err), 0);
}

static void test_api_duration_read_refuses_what_is_none(void **unused)
{
    struct error err;
    usec_t value = 5;

    assert_int_equal(read_duration(-1, 0, &value, &err), -ERANGE);
    assert_string_equal(err.text, "is negative");
    assert_int_equal(read_duration(0, -1, &value, &err), -ERANGE);
    assert_int_equal(read_duration(0, 1000000000, &value, &err), -ERANGE);
    assert_int_equal(read_duration(366 * 86400 + 1, 0, &value, &err), -ERANGE);
    assert_int_equal(read_duration(INT64_MAX, 999999999, &value, &err), -ERANGE);
    assert_int_equal(read_duration(INT64_MIN, INT32_MIN, &value, &err), -ERANGE);
    assert_int_equal(value, 5);
}

static void test_api_timestamp_read_refuses_what_is_none(void **unused)
{
    struct error err;
    usec_t value = 5;

    assert_int_equal(read_timestamp(1, 1000, &value, &err), 0);
    assert_int_equal(value, 1000001);
    assert_int_equal(read_timestamp(-1, 0, &value, &err), -ERANGE);
    assert_int_equal(read_timestamp(INT64_MAX, 0, &value, &err), -ERANGE);
    assert_int_equal(read_timestamp(0, -1, &value, &err), -ERANGE);
    assert_int_equal(api_timestamp_read(NULL, &value, &err), 0);
    assert_int_equal(value, 0);
}

static void test_api_moments_are_set_twice_without_a_leak(void **unused)
{
    Google__Protobuf__Timestamp *timestamp = NULL;
    Google__Protobuf__Duration *duration = NULL;

    for (usec_t i = 1; i <= 2; i++) {
        assert_int_equal(api_timestamp_set(&timestamp, i * USEC_PER_SEC + 7), 0);
        assert_int_equal(api_duration_set(&duration, i * USEC_PER_SEC + 7), 0);
    }
    assert_int_equal(timestamp->seconds, 2);
    assert_int_equal(timestamp->nanos, 7000);
    assert_int_equal(duration->seconds, 2);
    assert_int_equal(duration->nanos, 7000);
    api_free(&timestamp->base);
    api_free(&duration->base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_api_duration_read_converts),
        cmocka_unit_test(test_api_duration_read_refuses_what_is_none),
        cmocka_unit_test(test_api_timestamp_read_refuses_what_is_none),
        cmocka_unit_test(test_api_moments_are_set_twice_without_a_leak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
