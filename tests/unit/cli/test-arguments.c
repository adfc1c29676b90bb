/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "cli/arguments.h"

#define ALL (FLAGS_CONNECTION | FLAGS_JOB | FLAGS_LOGS | FLAGS_FORMAT)

static int read_words(struct arguments *arguments, const char **argv, bool stops, struct error *err)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return arguments_read(arguments, argc, (char **)argv, ALL, stops, err);
}

static void test_arguments_read_takes_every_form_of_a_flag(void **unused)
{
    const char *argv[] = {"--host",  "a",  "-Hb", "--port=7", "-e", "K=V",
                          "--env=W", "-f", "job", "-ojson",   NULL};
    _cleanup_arguments_ struct arguments arguments = {.words = NULL};
    enum output_format format;

    (void)unused;
    assert_int_equal(read_words(&arguments, argv, false, NULL), 0);
    assert_string_equal(arguments.host, "b");
    assert_string_equal(arguments.port, "7");
    assert_string_equal(arguments.env[0], "K=V");
    assert_string_equal(arguments.env[1], "W");
    assert_null(arguments.env[2]);
    assert_true(arguments.follow);
    assert_int_equal(arguments.word_count, 1);
    assert_string_equal(arguments.words[0], "job");
    assert_int_equal(arguments_format(&arguments, &format, NULL), 0);
    assert_int_equal(format, OUTPUT_FORMAT_JSON);
}

static void test_arguments_read_leaves_the_jobs_words_alone(void **unused)
{
    const char *argv[] = {"--merged", "ls", "-l", "--host", "--", "x", NULL};
    const char *behind[] = {"--", "-x", "--", "y", NULL};
    _cleanup_arguments_ struct arguments arguments = {.words = NULL}, second = {.words = NULL};

    (void)unused;
    assert_int_equal(read_words(&arguments, argv, true, NULL), 0);
    assert_int_equal(arguments.word_count, 5);
    assert_string_equal(arguments.words[1], "-l");
    assert_string_equal(arguments.words[3], "--");
    assert_null(arguments.host);
    assert_int_equal(read_words(&second, behind, true, NULL), 0);
    assert_int_equal(second.word_count, 3);
    assert_string_equal(second.words[0], "-x");
    assert_string_equal(second.words[1], "--");
}

static void test_arguments_read_names_the_wrong_flag(void **unused)
{
    static const struct {
        const char *word;
        const char *words;
    } wrong[] = {
        {"--nonsense", "--nonsense"},       {"-Z", "-Z"},  {"--host", "needs a value"},
        {"--follow=yes", "takes no value"}, {"-fZ", "-Z"}, {"--hos", "--hos"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *argv[] = {wrong[i].word, NULL};
        _cleanup_arguments_ struct arguments arguments = {.words = NULL};
        struct error err;

        assert_int_equal(read_words(&arguments, argv, false, &err), -EINVAL);
        assert_non_null(strstr(err.text, wrong[i].words));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments_read_takes_every_form_of_a_flag),
        cmocka_unit_test(test_arguments_read_leaves_the_jobs_words_alone),
        cmocka_unit_test(test_arguments_read_names_the_wrong_flag),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
