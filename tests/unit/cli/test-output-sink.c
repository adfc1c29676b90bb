/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "cli/output-sink.h"
#include "cli/session.h"

#define SECOND USEC_PER_SEC

static void put(struct output_sink *sink, const char *text, usec_t time)
{
    assert_int_equal(output_sink_put(sink, (const uint8_t *)text, strlen(text), time), 0);
}

static void expect(struct output_sink *sink, const char *text)
{
    assert_int_equal(buffer_size(&sink->pending), strlen(text));
    assert_memory_equal(buffer_bytes(&sink->pending), text, strlen(text));
    buffer_clear(&sink->pending);
}

static void test_output_sink_put_changes_no_byte(void **unused)
{
    struct output_sink sink = output_sink_make(FD_NONE, false, false, NULL);

    (void)unused;
    put(&sink, "a\x1b[31m\n\nno newline", 0);
    put(&sink, ", but this", 0);
    assert_int_equal(output_sink_end(&sink), 0);
    expect(&sink, "a\x1b[31m\n\nno newline, but this");
    output_sink_done(&sink);
}

static void test_output_sink_put_stamps_each_line_once(void **unused)
{
    struct output_sink sink = output_sink_make(FD_NONE, false, true, NULL);

    (void)unused;
    put(&sink, "a\nb", 1 * SECOND);
    put(&sink, "b\n", 2 * SECOND);
    put(&sink, "c", 3 * SECOND);
    assert_int_equal(output_sink_end(&sink), 0);
    expect(&sink, "1970-01-01T00:00:01.000000Z a\n1970-01-01T00:00:01.000000Z bb\n"
                  "1970-01-01T00:00:03.000000Z c");
    output_sink_done(&sink);
}

static void test_output_sink_put_holds_prefixed_lines_until_they_are_whole(void **unused)
{
    struct output_sink sink = output_sink_make(FD_NONE, false, false, "j | ");

    (void)unused;
    put(&sink, "a", 0);
    expect(&sink, "");
    put(&sink, "b\nc\n\nd", 0);
    expect(&sink, "j | ab\nj | c\nj | \n");
    assert_int_equal(output_sink_end(&sink), 0);
    expect(&sink, "j | d\n");
    assert_int_equal(output_sink_end(&sink), 0);
    expect(&sink, "");
    output_sink_done(&sink);
}

static void test_output_sink_put_stamps_a_held_line_with_its_first_byte(void **unused)
{
    struct output_sink sink = output_sink_make(FD_NONE, false, true, "j | ");

    (void)unused;
    put(&sink, "a", 1 * SECOND);
    put(&sink, "b\nc\n", 2 * SECOND);
    expect(&sink, "j | 1970-01-01T00:00:01.000000Z ab\nj | 1970-01-01T00:00:02.000000Z c\n");
    output_sink_done(&sink);
}

static void test_output_sink_put_breaks_a_line_that_is_too_long(void **unused)
{
    static uint8_t data[OUTPUT_SINK_LINE_MAX + 10];
    struct output_sink sink = output_sink_make(FD_NONE, false, false, "j | ");

    (void)unused;
    memset(data, 'x', sizeof(data));
    assert_int_equal(output_sink_put(&sink, data, sizeof(data), 0), 0);
    assert_int_equal(buffer_size(&sink.pending), 4 + OUTPUT_SINK_LINE_MAX + 1);
    assert_int_equal(buffer_size(&sink.line), 10);
    buffer_clear(&sink.pending);
    assert_int_equal(output_sink_end(&sink), 0);
    expect(&sink, "j | xxxxxxxxxx\n");
    output_sink_done(&sink);
}

static void test_output_sink_flush_is_interrupted_while_nobody_reads(void **unused)
{
    static uint8_t data[256 * 1024], seen[256 * 1024];
    struct session session = {.interrupt_fd = FD_NONE};
    struct output_sink sink;
    int ends[2], interrupt[2];
    size_t got = 0;
    ssize_t n;

    (void)unused;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(pipe2(interrupt, O_CLOEXEC), 0);
    assert_int_equal(write(interrupt[1], "i", 1), 1);
    session.interrupt_fd = interrupt[0];
    sink = output_sink_make(ends[1], false, false, NULL);
    assert_int_equal(output_sink_put(&sink, data, sizeof(data), 0), 0);
    while (output_sink_flush(&sink, &session) == -EINTR)
        while ((n = read(ends[0], seen + got, sizeof(seen) - got)) > 0)
            got += (size_t)n;
    while ((n = read(ends[0], seen + got, sizeof(seen) - got)) > 0)
        got += (size_t)n;
    assert_int_equal(got, sizeof(data));
    assert_memory_equal(seen, data, sizeof(data));
    (void)close(ends[0]);
    put(&sink, "x", 0);
    assert_int_equal(output_sink_flush(&sink, &session), -EPIPE);
    output_sink_done(&sink);
    (void)close(ends[1]);
    (void)close(interrupt[0]);
    (void)close(interrupt[1]);
}

static void test_output_sink_put_writes_what_a_pipe_takes_at_once(void **unused)
{
    static uint8_t data[4 * 1024 * 1024];
    struct output_sink sink;
    char first[5] = "";
    int fds[2];

    (void)unused;
    assert_int_equal(pipe(fds), 0);
    sink = output_sink_make(fds[1], false, false, NULL);
    put(&sink, "now", 0);
    assert_int_equal(buffer_size(&sink.pending), 0);
    assert_int_equal(read(fds[0], first, sizeof(first)), 3);
    assert_string_equal(first, "now");
    assert_int_equal(output_sink_put(&sink, data, sizeof(data), 0), 0); /* returns all the same */
    assert_in_range(buffer_size(&sink.pending), 1, sizeof(data) - 1);
    /* Who shares the pipe with us still waits on it. */
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    output_sink_done(&sink);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_sink_put_changes_no_byte),
        cmocka_unit_test(test_output_sink_put_stamps_each_line_once),
        cmocka_unit_test(test_output_sink_put_holds_prefixed_lines_until_they_are_whole),
        cmocka_unit_test(test_output_sink_put_stamps_a_held_line_with_its_first_byte),
        cmocka_unit_test(test_output_sink_put_breaks_a_line_that_is_too_long),
        cmocka_unit_test(test_output_sink_flush_is_interrupted_while_nobody_reads),
        cmocka_unit_test(test_output_sink_put_writes_what_a_pipe_takes_at_once),
    };

    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
