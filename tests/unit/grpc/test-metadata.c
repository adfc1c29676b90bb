/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/bounds.h"
#include "grpc/metadata.h"

static int add(struct metadata *metadata, const char *name, const char *value)
{
    return metadata_add(metadata, name, strlen(name), value, strlen(value));
}

static void test_get_finds_the_first_of_a_name(void **state)
{
    _cleanup_(metadata_done) struct metadata metadata = {0};

    assert_null(metadata_get(&metadata, "a"));
    assert_int_equal(add(&metadata, "a", "1"), 0);
    assert_int_equal(add(&metadata, "b", ""), 0);
    assert_int_equal(add(&metadata, "a", "2"), 0);
    assert_string_equal(metadata_get(&metadata, "a"), "1");
    assert_string_equal(metadata_get(&metadata, "b"), "");
    assert_null(metadata_get(&metadata, "1"));
    assert_int_equal(metadata_count(&metadata, "a"), 2);
    assert_int_equal(metadata_count(&metadata, "c"), 0);
}

static void test_add_refuses_a_nul(void **state)
{
    _cleanup_(metadata_done) struct metadata metadata = {0};

    assert_int_equal(metadata_add(&metadata, "a\0b", 3, "x", 1), -EBADMSG);
    assert_int_equal(metadata_add(&metadata, "a", 1, "x\0y", 3), -EBADMSG);
    assert_int_equal(metadata.count, 0);
}

static void test_add_counts_fields(void **state)
{
    _cleanup_(metadata_done) struct metadata metadata = {0};

    for (unsigned i = 0; i < HTTP2_HEADER_FIELDS_MAX; i++)
        assert_int_equal(add(&metadata, "", ""), 0);
    assert_int_equal(add(&metadata, "", ""), -E2BIG);
}

static void test_add_counts_bytes(void **state)
{
    static char value[HTTP2_HEADER_BYTES_MAX];
    _cleanup_(metadata_done) struct metadata metadata = {0};

    assert_int_equal(metadata_add(&metadata, "n", 1, value, SIZE_MAX), -E2BIG);
    memset(value, 'v', sizeof(value));
    assert_int_equal(metadata_add(&metadata, "n", 1, value, sizeof(value) - 32), -E2BIG);
    assert_int_equal(metadata_add(&metadata, "n", 1, value, sizeof(value) - 33), 0);
    assert_int_equal(add(&metadata, "", ""), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_finds_the_first_of_a_name),
        cmocka_unit_test(test_add_refuses_a_nul),
        cmocka_unit_test(test_add_counts_fields),
        cmocka_unit_test(test_add_counts_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
