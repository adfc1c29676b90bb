/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/id.h"
#include "launcher/refusal-log.h"

#define START (100 * USEC_PER_SEC)

/* So many refusals at the time `now`. */
static void refuse(struct refusal_log *log, unsigned count, usec_t now)
{
    const struct error why = {.code = -1, .text = "too much"};
    const struct id id = {0};

    for (unsigned i = 0; i < count; i++)
        refusal_log_add(log, LOG_LEVEL_WARNING, "refused it", "p-alice", &id, &why, now);
}

static int stderr_kept = FD_NONE;

/* The log goes into a pipe instead of stderr. Returns the pipe's end to read from. */
static int catch_log(void)
{
    int ends[2];

    stderr_kept = fd_duplicate(STDERR_FILENO);
    assert_true(stderr_kept >= 0);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(fd_set_nonblocking(ends[0], true), 0);
    log_init("test", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    return ends[0];
}

static void release_log(int reader)
{
    assert_true(dup2(stderr_kept, STDERR_FILENO) >= 0);
    stderr_kept = fd_close(stderr_kept);
    (void)fd_close(reader);
}

/* What was logged since the last call. */
static const char *logged(int reader)
{
    static char text[65536];
    ssize_t size = read(reader, text, sizeof(text) - 1);

    text[size > 0 ? size : 0] = '\0';
    return text;
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;

    for (text = strstr(text, part); text; text = strstr(text + 1, part))
        count++;
    return count;
}

static void test_refusal_log_counts_what_it_does_not_write(void **unused)
{
    struct refusal_log log = {0};
    int reader = catch_log();
    const char *text;

    assert_true(refusal_log_due(&log) == USEC_INFINITY);
    refuse(&log, REFUSAL_LOG_LINES, START);
    assert_true(refusal_log_due(&log) == USEC_INFINITY);
    refuse(&log, 7, START + 1);
    text = logged(reader);
    assert_int_equal(count_of(text, "refused it"), REFUSAL_LOG_LINES);
    assert_non_null(strstr(text, "too much"));
    assert_non_null(strstr(text, "p-alice"));

    assert_true(refusal_log_due(&log) == START + REFUSAL_LOG_WHILE);
    refusal_log_tick(&log, START + REFUSAL_LOG_WHILE - 1);
    assert_string_equal(logged(reader), "");
    refusal_log_tick(&log, START + REFUSAL_LOG_WHILE);
    assert_non_null(strstr(logged(reader), "7 more refusals like these suppressed"));
    assert_true(refusal_log_due(&log) == USEC_INFINITY);
    release_log(reader);
}

static void test_refusal_log_begins_anew(void **unused)
{
    struct refusal_log log = {0};
    int reader = catch_log();
    const char *text;

    refuse(&log, REFUSAL_LOG_LINES + 3, START);
    (void)logged(reader);
    refuse(&log, 1, START + REFUSAL_LOG_WHILE);
    text = logged(reader);
    assert_non_null(strstr(text, "3 more refusals like these suppressed"));
    assert_int_equal(count_of(text, "refused it"), 1);

    refuse(&log, REFUSAL_LOG_LINES, START + REFUSAL_LOG_WHILE);
    (void)logged(reader);
    refusal_log_end(&log);
    assert_non_null(strstr(logged(reader), "1 more refusals like these suppressed"));
    refusal_log_end(&log);
    assert_string_equal(logged(reader), "");
    refuse(&log, 1, START + REFUSAL_LOG_WHILE + 1);
    assert_int_equal(count_of(logged(reader), "refused it"), 1);
    release_log(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusal_log_counts_what_it_does_not_write),
        cmocka_unit_test(test_refusal_log_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
