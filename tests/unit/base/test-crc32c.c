/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/crc32c.h"

/* Bit by bit, as the polynomial is defined: what the quick ways must agree with. */
static uint32_t crc32c_slow(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static uint8_t *noise(size_t size)
{
    uint8_t *data = malloc(size);
    uint32_t x = 1;

    assert_non_null(data);
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (uint8_t)(x >> 24);
    }
    return data;
}

static void test_crc32c_has_the_published_values(void **unused)
{
    uint8_t zeros[32] = {0};

    (void)unused;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, zeros, sizeof(zeros)), 0x8a9136aa); /* RFC 3720 B.4 */
    assert_int_equal(crc32c(0, "", 0), 0);
}

static void test_crc32c_agrees_with_the_definition_at_any_length(void **unused)
{
    _cleanup_free_ uint8_t *data = noise(40000);

    (void)unused;
    for (size_t size = 0; size < 300; size++)
        assert_int_equal(crc32c(0, data + size % 7, size), crc32c_slow(data + size % 7, size));
    for (size_t size = 12000; size < 39000; size += 1237)
        assert_int_equal(crc32c(0, data + 3, size), crc32c_slow(data + 3, size));
}

static void test_crc32c_combine_equals_the_whole(void **unused)
{
    _cleanup_free_ uint8_t *data = noise(30000);
    uint32_t whole = crc32c(0, data, 30000);

    (void)unused;
    for (size_t cut = 0; cut <= 30000; cut += 2999) {
        uint32_t a = crc32c(0, data, cut), b = crc32c(0, data + cut, 30000 - cut);

        assert_int_equal(crc32c(a, data + cut, 30000 - cut), whole);
        assert_int_equal(crc32c_combine(a, b, 30000 - cut), whole);
    }
    assert_int_equal(crc32c_combine(0, whole, 30000), whole);
    assert_int_equal(crc32c_combine(whole, 0, 0), whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c_has_the_published_values),
        cmocka_unit_test(test_crc32c_agrees_with_the_definition_at_any_length),
        cmocka_unit_test(test_crc32c_combine_equals_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
