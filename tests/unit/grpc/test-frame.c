/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/frame.h"

static int parse(const char *data, size_t size, size_t limit, size_t *ret_size)
{
    const uint8_t *message = NULL;
    int r = frame_parse((const uint8_t *)data, size, limit, &message, ret_size);

    if (r == 1)
        assert_int_equal(message - (const uint8_t *)data, FRAME_HEAD_SIZE);
    return r;
}

static void test_parse_finds_a_whole_message(void **state)
{
    size_t size = 99;

    assert_int_equal(parse("\0\0\0\0\3abcrest", 12, 3, &size), 1);
    assert_int_equal(size, 3);
    assert_int_equal(parse("\0\0\0\0\0", 5, 0, &size), 1);
    assert_int_equal(size, 0);
}

static void test_parse_wants_more(void **state)
{
    size_t size = 99;

    for (size_t have = 0; have < 8; have++)
        assert_int_equal(parse("\0\0\0\0\3abc", have, 3, &size), 0);
    assert_int_equal(size, 99);
}

static void test_parse_refuses_before_the_bytes_are_there(void **state)
{
    size_t size = 99;

    assert_int_equal(parse("\0\0\0\0\4", 5, 3, &size), -EMSGSIZE);
    assert_int_equal(parse("\0\xff\xff\xff\xff", 5, 1 << 20, &size), -EMSGSIZE);
    assert_int_equal(parse("\1", 1, 3, &size), -EOPNOTSUPP);
    assert_int_equal(parse("\2", 1, 3, &size), -EBADMSG);
    assert_int_equal(parse("\xff", 1, 3, &size), -EBADMSG);
    assert_int_equal(size, 99);
}

static void test_head_write_is_parsed_back(void **state)
{
    static uint8_t data[FRAME_HEAD_SIZE + 0x012345];
    size_t size = 0;

    frame_head_write(data, 0x012345);
    assert_int_equal(parse((char *)data, sizeof(data), 0x012345, &size), 1);
    assert_int_equal(size, 0x012345);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_finds_a_whole_message),
        cmocka_unit_test(test_parse_wants_more),
        cmocka_unit_test(test_parse_refuses_before_the_bytes_are_there),
        cmocka_unit_test(test_head_write_is_parsed_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
