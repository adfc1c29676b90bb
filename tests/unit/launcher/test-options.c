/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "launcher/options.h"

static int setup(void **state)
{
    static struct launcher_config config;
    struct error err;

    assert_int_equal(config_init(&config, &err), 0);
    *state = &config;
    return 0;
}

static int teardown(void **state)
{
    config_done(*state);
    return 0;
}

static enum options_request request;
static struct error err;

static int load(struct launcher_config *config, const char *const *argv)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return options_load(argc, (char **)(uintptr_t)argv, NULL, config, &request, &err);
}

#define LOAD(config, ...) load(config, (const char *const[]){"hoist-launcher", __VA_ARGS__, NULL})

static void test_options_load_takes_both_forms_of_a_flag(void **state)
{
    struct launcher_config *config = *state;

    assert_int_equal(LOAD(config, "--max-pids=5", "--agent-user", "990"), 0);
    assert_int_equal(request, OPTIONS_RUN);
    assert_int_equal(config->ceilings.value[LIMIT_PIDS_MAX], 5);
    assert_string_equal(config->agent_user, "990");
}

static void test_options_load_hands_the_rest_to_hoistd(void **state)
{
    struct launcher_config *config = *state;

    assert_int_equal(LOAD(config, "--max-pids", "5", "--", "--help", "--max-pids", "--"), 0);
    assert_int_equal(request, OPTIONS_RUN);
    assert_string_equal(config->hoistd_args[0], "--help");
    assert_string_equal(config->hoistd_args[1], "--max-pids");
    assert_string_equal(config->hoistd_args[2], "--");
    assert_null(config->hoistd_args[3]);
}

static void refuse(int r, const char *sentence)
{
    assert_int_equal(r, -EINVAL);
    assert_string_equal(err.text, sentence);
}

static void test_options_load_says_what_is_wrong(void **state)
{
    refuse(LOAD(*state, "--max-pid", "5"), "there is no flag --max-pid; see --help");
    refuse(LOAD(*state, "--max_pids", "5"), "there is no flag --max_pids; see --help");
    refuse(LOAD(*state, "--\x1b[31m"), "there is no flag --\\x1b[31m; see --help");
    refuse(LOAD(*state, "start"), "\"start\" is no flag; see --help");
    refuse(LOAD(*state, "--max-pids"), "--max-pids needs a value; see --help");
    refuse(LOAD(*state, "--hoistd", "x"), "--hoistd: \"x\" isn't an absolute path");
}

static void test_options_load_wants_the_file_that_was_named(void **state)
{
    assert_int_equal(LOAD(*state, "--config", "/nonexistent/launcher.conf"), -ENOENT);
    /* Whoever asks for help isn't told about files. */
    assert_int_equal(LOAD(*state, "--config", "/nonexistent/launcher.conf", "--help"), 0);
    assert_int_equal(request, OPTIONS_HELP);
}

/* What is named is there when the launcher has gone to "/", and is to be there for good. */
static void test_options_load_keeps_where_the_file_is(void **state)
{
    char place[] = "/tmp/hoist-test-XXXXXX";
    char *const argv[] = {(char[]){"hoist-launcher"}, NULL};
    struct launcher_config *config = *state, again;

    assert_non_null(mkdtemp(place));
    assert_int_equal(chdir(place), 0);
    fd_close(open("launcher.conf", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(LOAD(config, "--config", "launcher.conf"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_true(text_starts_with(config->file, place));
    assert_int_equal(config_init(&again, &err), 0);
    assert_int_equal(options_load(1, (char **)argv, config->file, &again, &request, &err), 0);
    assert_string_equal(again.file, config->file);
    config_done(&again);
    assert_int_equal(unlink(config->file) | rmdir(place), 0);
    assert_int_equal(config_init(&again, &err), 0);
    assert_int_equal(options_load(1, (char **)argv, config->file, &again, &request, &err), -ENOENT);
    assert_null(again.file);
    config_done(&again);
}

static void test_options_help_fits_a_terminal(void **unused)
{
    _cleanup_buffer_ struct buffer out = {.limit = 0};
    _cleanup_free_ char *text = NULL;
    char *line, *rest;

    assert_int_equal(options_help(&out), 0);
    text = rest = buffer_take_text(&out);
    assert_non_null(strstr(text, "--max-memory"));
    while ((line = strsep(&rest, "\n")))
        if (strlen(line) > 80)
            fail_msg("longer than 80 columns: %s", line);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_options_load_takes_both_forms_of_a_flag),
        TEST(test_options_load_hands_the_rest_to_hoistd),
        TEST(test_options_load_says_what_is_wrong),
        TEST(test_options_load_wants_the_file_that_was_named),
        TEST(test_options_load_keeps_where_the_file_is),
        TEST(test_options_help_fits_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
