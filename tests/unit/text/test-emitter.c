/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/error.h"
#include "text/emitter.h"

static void emit_sample(struct emitter *emitter)
{
    emitter_begin_map(emitter, NULL);
    emitter_text(emitter, "name", "jobs/5d");
    emitter_text(emitter, "version", "1e3");
    emitter_text(emitter, "answer", "no");
    emitter_text(emitter, "nothing", NULL);
    emitter_unsigned(emitter, "bytes", 1234567890123);
    emitter_unsigned(emitter, "huge", UINT64_MAX);
    emitter_integer(emitter, "code", -1);
    emitter_real(emitter, "percent", 0.1 + 0.2);
    emitter_real(emitter, "infinite", INFINITY);
    emitter_bool(emitter, "merged", true);
    emitter_begin_list(emitter, "args");
    emitter_text(emitter, NULL, "a b\n");
    emitter_begin_map(emitter, NULL);
    emitter_end(emitter);
    emitter_end(emitter);
    emitter_begin_list(emitter, "none");
    emitter_end(emitter);
    emitter_end(emitter);
}

static void assert_finishes(struct emitter *emitter, enum emitter_format format,
                            const char *expected)
{
    struct buffer out = {0};
    struct error err;
    char *text;

    assert_int_equal(emitter_finish(emitter, format, &out, &err), 0);
    text = buffer_take_text(&out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_emitter_writes_json(void **unused)
{
    struct emitter *emitter = emitter_new();

    emit_sample(emitter);
    assert_finishes(emitter, EMITTER_JSON,
                    "{\n"
                    "  \"name\": \"jobs/5d\",\n"
                    "  \"version\": \"1e3\",\n"
                    "  \"answer\": \"no\",\n"
                    "  \"nothing\": null,\n"
                    "  \"bytes\": 1234567890123,\n"
                    "  \"huge\": \"18446744073709551615\",\n"
                    "  \"code\": -1,\n"
                    "  \"percent\": 0.3,\n"
                    "  \"infinite\": null,\n"
                    "  \"merged\": true,\n"
                    "  \"args\": [\n"
                    "    \"a b\\n\",\n"
                    "    {}\n"
                    "  ],\n"
                    "  \"none\": []\n"
                    "}\n");
    emitter_free(emitter);
}

static void test_emitter_writes_yaml(void **unused)
{
    struct emitter *emitter = emitter_new();

    emit_sample(emitter);
    assert_finishes(emitter, EMITTER_YAML,
                    "name: jobs/5d\n"
                    "version: \"1e3\"\n"
                    "answer: \"no\"\n"
                    "nothing: null\n"
                    "bytes: 1234567890123\n"
                    "huge: \"18446744073709551615\"\n"
                    "code: -1\n"
                    "percent: 0.3\n"
                    "infinite: null\n"
                    "merged: true\n"
                    "args:\n"
                    "- \"a b\\n\"\n"
                    "- {}\n"
                    "none: []\n");
    emitter_free(emitter);
}

static void test_emitter_makes_bytes_utf8(void **unused)
{
    struct emitter *emitter = emitter_new();

    emitter_bytes(emitter, NULL, "\xc3\xa9\xff\0x", 5);
    assert_finishes(emitter, EMITTER_JSON, "\"\xc3\xa9\\\\xff\\u0000x\"\n");
    emitter_free(emitter);
}

static void test_emitter_makes_control_characters_harmless(void **unused)
{
    struct emitter *emitter = emitter_new();

    emitter_text(emitter, NULL, "a\x1b[31m\r");
    assert_finishes(emitter, EMITTER_JSON, "\"a\\u001B[31m\\r\"\n");
    emitter_text(emitter, NULL, "a\x1b[31m\r");
    assert_finishes(emitter, EMITTER_YAML, "\"a\\e[31m\\r\"\n");
    emitter_free(emitter);
}

static void assert_misuse(void (*use)(struct emitter *))
{
    struct emitter *emitter = emitter_new();
    struct buffer out = {0};
    struct error err;

    use(emitter);
    assert_int_equal(emitter_finish(emitter, EMITTER_JSON, &out, &err), -EINVAL);
    assert_int_equal(buffer_size(&out), 0);
    emitter_text(emitter, NULL, "again"); /* it is empty and usable */
    assert_int_equal(emitter_finish(emitter, EMITTER_JSON, &out, &err), 0);
    buffer_done(&out);
    emitter_free(emitter);
}

static void use_key_in_list(struct emitter *emitter)
{
    emitter_begin_list(emitter, NULL);
    emitter_text(emitter, "key", "x");
    emitter_end(emitter);
}

static void use_no_key_in_map(struct emitter *emitter)
{
    emitter_begin_map(emitter, NULL);
    emitter_begin_map(emitter, NULL);
    emitter_end(emitter);
    emitter_end(emitter);
}

static void use_key_twice(struct emitter *emitter)
{
    emitter_begin_map(emitter, NULL);
    emitter_begin_map(emitter, "a");
    emitter_end(emitter);
    emitter_text(emitter, "a", "x");
    emitter_end(emitter);
}

static void use_two_tops(struct emitter *emitter)
{
    emitter_null(emitter, NULL);
    emitter_null(emitter, NULL);
}

static void use_end_too_many(struct emitter *emitter)
{
    emitter_begin_map(emitter, NULL);
    emitter_end(emitter);
    emitter_end(emitter);
}

static void use_end_too_few(struct emitter *emitter)
{
    emitter_begin_map(emitter, NULL);
}

static void use_nothing(struct emitter *emitter)
{
}

static void test_emitter_refuses_misuse(void **unused)
{
    assert_misuse(use_key_in_list);
    assert_misuse(use_no_key_in_map);
    assert_misuse(use_key_twice);
    assert_misuse(use_two_tops);
    assert_misuse(use_end_too_many);
    assert_misuse(use_end_too_few);
    assert_misuse(use_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emitter_writes_json),
        cmocka_unit_test(test_emitter_writes_yaml),
        cmocka_unit_test(test_emitter_makes_bytes_utf8),
        cmocka_unit_test(test_emitter_makes_control_characters_harmless),
        cmocka_unit_test(test_emitter_refuses_misuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
