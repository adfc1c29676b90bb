/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/status.h"

static void assert_buffer(const struct buffer *buffer, const void *bytes, size_t size)
{
    assert_int_equal(buffer_size(buffer), size);
    if (size > 0)
        assert_memory_equal(buffer_bytes(buffer), bytes, size);
}

static void test_status_parse_takes_the_protocols_numbers_only(void **state)
{
    assert_int_equal(grpc_status_parse("0", 1), GRPC_STATUS_OK);
    assert_int_equal(grpc_status_parse("16", 2), GRPC_STATUS_UNAUTHENTICATED);
    assert_int_equal(grpc_status_parse("17", 2), _GRPC_STATUS_INVALID);
    assert_int_equal(grpc_status_parse("", 0), _GRPC_STATUS_INVALID);
    assert_int_equal(grpc_status_parse("05", 2), _GRPC_STATUS_INVALID);
    assert_int_equal(grpc_status_parse("-1", 2), _GRPC_STATUS_INVALID);
    assert_int_equal(grpc_status_parse("1 ", 2), _GRPC_STATUS_INVALID);
    assert_int_equal(grpc_status_parse("100", 3), _GRPC_STATUS_INVALID);
}

static void test_status_name_knows_every_status(void **state)
{
    assert_string_equal(grpc_status_name(GRPC_STATUS_OK), "OK");
    assert_string_equal(grpc_status_name(GRPC_STATUS_DATA_LOSS), "DATA_LOSS");
    assert_string_equal(grpc_status_name(_GRPC_STATUS_INVALID), "UNKNOWN");
    assert_string_equal(grpc_status_name(_GRPC_STATUS_MAX), "UNKNOWN");
}

static void test_status_from_http_follows_the_mapping(void **state)
{
    assert_int_equal(grpc_status_from_http(400), GRPC_STATUS_INTERNAL);
    assert_int_equal(grpc_status_from_http(401), GRPC_STATUS_UNAUTHENTICATED);
    assert_int_equal(grpc_status_from_http(403), GRPC_STATUS_PERMISSION_DENIED);
    assert_int_equal(grpc_status_from_http(404), GRPC_STATUS_UNIMPLEMENTED);
    assert_int_equal(grpc_status_from_http(503), GRPC_STATUS_UNAVAILABLE);
    assert_int_equal(grpc_status_from_http(418), GRPC_STATUS_UNKNOWN);
}

static void test_message_encode_escapes_all_but_plain_ascii(void **state)
{
    _cleanup_buffer_ struct buffer out = {0};

    assert_int_equal(grpc_message_encode(&out, "a b~100%\n\x7f\xc3\xa9"), 0);
    assert_buffer(&out, "a b~100%25%0A%7F%C3%A9", 22);
}

static void test_message_decode_undoes_encode(void **state)
{
    char text[256];
    _cleanup_buffer_ struct buffer encoded = {0}, decoded = {0};

    for (int i = 1; i < 128; i++)
        text[i - 1] = (char)i;
    strcpy(text + 127, "\xe2\x82\xac"); /* a euro sign */
    assert_int_equal(grpc_message_encode(&encoded, text), 0);
    assert_int_equal(grpc_message_decode(&decoded, buffer_bytes(&encoded), buffer_size(&encoded)),
                     0);
    assert_buffer(&decoded, text, strlen(text));
}

static void test_message_decode_never_fails(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"", ""},
        {"%", "%"},
        {"%4", "%4"},
        {"%zz", "%zz"},
        {"%%41", "%A"},
        {"%00", "?"},
        {"%c3%28", "?("},
        {"%ff%fe", "??"},
        {"%ed%a0%80", "???"},
        {"100%", "100%"},
        {"%e2%82%ac", "\xe2\x82\xac"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_buffer_ struct buffer out = {0};

        assert_int_equal(grpc_message_decode(&out, cases[i].in, strlen(cases[i].in)), 0);
        assert_buffer(&out, cases[i].out, strlen(cases[i].out));
    }
}

static void test_base64_encode_writes_no_padding(void **state)
{
    static const char *const texts[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) { /* RFC 4648, 10 */
        _cleanup_buffer_ struct buffer out = {0};

        assert_int_equal(grpc_base64_encode(&out, "foobar", i), 0);
        assert_buffer(&out, texts[i], strlen(texts[i]));
    }
}

static void test_base64_decode_takes_both_forms(void **state)
{
    static const char *const texts[] = {"Zg", "Zg==", "Zm8", "Zm8=", "Zm9v"};
    static const size_t sizes[] = {1, 1, 2, 2, 3};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_buffer_ struct buffer out = {0};

        assert_int_equal(grpc_base64_decode(&out, texts[i], strlen(texts[i])), 0);
        assert_buffer(&out, "foo", sizes[i]);
    }
}

static void test_base64_decode_refuses_the_rest(void **state)
{
    static const char *const texts[] = {"Z",     "Zm9vZ", "Zg=",    "Z===", "Zg=x", "Zm 9",
                                        "Zm9v,", "Zm-_",  "Zm9v\n", "====", "=Zg="};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_buffer_ struct buffer out = {0};

        assert_int_equal(grpc_base64_decode(&out, texts[i], strlen(texts[i])), -EBADMSG);
        assert_int_equal(buffer_size(&out), 0);
    }
}

static void test_result_set_replaces_what_was_there(void **state)
{
    _cleanup_grpc_result_ struct grpc_result result = {0};

    assert_int_equal(grpc_result_set(&result, GRPC_STATUS_ABORTED, "one"), 0);
    assert_int_equal(grpc_result_set(&result, GRPC_STATUS_OK, NULL), 0);
    assert_int_equal(result.status, GRPC_STATUS_OK);
    assert_string_equal(result.message, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_parse_takes_the_protocols_numbers_only),
        cmocka_unit_test(test_status_name_knows_every_status),
        cmocka_unit_test(test_status_from_http_follows_the_mapping),
        cmocka_unit_test(test_message_encode_escapes_all_but_plain_ascii),
        cmocka_unit_test(test_message_decode_undoes_encode),
        cmocka_unit_test(test_message_decode_never_fails),
        cmocka_unit_test(test_base64_encode_writes_no_padding),
        cmocka_unit_test(test_base64_decode_takes_both_forms),
        cmocka_unit_test(test_base64_decode_refuses_the_rest),
        cmocka_unit_test(test_result_set_replaces_what_was_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
