/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

static void test_buffer_append_and_consume_keep_order(void **unused)
{
    _cleanup_buffer_ struct buffer buffer = {0};
    uint8_t next_in = 0, next_out = 0;

    (void)unused;
    for (unsigned round = 0; round < 500; round++) {
        uint8_t bytes[37];

        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = next_in++;
        assert_int_equal(buffer_append(&buffer, bytes, sizeof(bytes)), 0);
        for (size_t i = 0; i < 36; i++) {
            assert_int_equal(buffer_bytes(&buffer)[0], next_out++);
            buffer_consume(&buffer, 1);
        }
    }
    assert_int_equal(buffer_size(&buffer), 500);
    assert_true(buffer.room < 4096); /* drained space is used again */
}

static void test_buffer_append_refuses_beyond_its_limit(void **unused)
{
    _cleanup_buffer_ struct buffer buffer = {.limit = 10};
    uint8_t *place;

    (void)unused;
    assert_int_equal(buffer_append(&buffer, "123456", 6), 0);
    assert_int_equal(buffer_append(&buffer, "78901", 5), -ENOBUFS);
    assert_int_equal(buffer_size(&buffer), 6);
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX, &place), -ENOBUFS);
}

static void test_buffer_take_text_leaves_it_empty(void **unused)
{
    _cleanup_buffer_ struct buffer buffer = {.limit = 5};
    _cleanup_free_ char *text = NULL;

    (void)unused;
    assert_int_equal(buffer_append_format(&buffer, "x%dyz", 7), 0);
    buffer_consume(&buffer, 1);
    text = buffer_take_text(&buffer);
    assert_string_equal(text, "7yz");
    assert_int_equal(buffer_size(&buffer), 0);
    assert_int_equal(buffer_append(&buffer, "12345", 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buffer_append_and_consume_keep_order),
        cmocka_unit_test(test_buffer_append_refuses_beyond_its_limit),
        cmocka_unit_test(test_buffer_take_text_leaves_it_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
