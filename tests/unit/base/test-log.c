/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/log.h"

/* Runs `lines` with stderr going to a pipe and gives back what came out of it. */
static void capture(void (*lines)(void), char *text, size_t size)
{
    int ends[2], saved = dup(STDERR_FILENO); /* NOLINT(android-cloexec-dup) */
    ssize_t got;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    lines();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    fd_close(saved);
    fd_close(ends[1]);
    got = read(ends[0], text, size - 1);
    assert_true(got >= 0);
    text[got] = 0;
    fd_close(ends[0]);
}

static void hostile_text(void)
{
    log_init("test", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_INFO, "job\nstarted", LOG_TEXT("name", "a \"b\"\x1b[31m"),
              LOG_TEXT("absent", NULL), LOG_NUMBER("code", -7), LOG_USEC("took", 1500000));
    log_debug("not wanted at this level");
}

static void test_log_event_is_one_harmless_line(void **unused)
{
    char text[512];

    (void)unused;
    capture(hostile_text, text, sizeof(text));
    assert_non_null(strstr(text, "Z info test: job\\nstarted "));
    assert_non_null(strstr(text, " name=\"a \\\"b\\\"\\x1b[31m\" code=-7 took=1.500000\n"));
    assert_null(strstr(text, "absent"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void hostile_json(void)
{
    log_init("test", LOG_FORMAT_JSON, LOG_LEVEL_DEBUG);
    log_event(LOG_LEVEL_WARNING, "say \"hi\"", LOG_TEXT("bytes", "\xff\x01"), LOG_NUMBER("n", 3));
}

static void test_log_event_as_json_escapes(void **unused)
{
    char text[512];

    (void)unused;
    capture(hostile_json, text, sizeof(text));
    assert_non_null(strstr(text, "\"level\":\"warning\",\"program\":\"test\",\"message\":"
                                 "\"say \\\"hi\\\"\",\"bytes\":\"\\ufffd\\u0001\",\"n\":3}\n"));
}

static void test_log_names_are_exact(void **unused)
{
    (void)unused;
    assert_int_equal(log_level_from_name("debug"), LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_from_name("Debug"), -EINVAL);
    assert_int_equal(log_format_from_name("json"), LOG_FORMAT_JSON);
    assert_int_equal(log_format_from_name(""), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_event_is_one_harmless_line),
        cmocka_unit_test(test_log_event_as_json_escapes),
        cmocka_unit_test(test_log_names_are_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
