/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "launcher/config.h"

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

static void refuse(struct launcher_config *config, const char *text, const char *sentence)
{
    struct error err = {.text = ""};

    assert_true(config_parse(config, text, "launcher.conf", &err) < 0);
    assert_string_equal(err.text, sentence);
}

static void take(struct launcher_config *config, const char *text)
{
    struct error err = {.text = ""};

    if (config_parse(config, text, "launcher.conf", &err) < 0)
        fail_msg("refused: %s", err.text);
}

static void test_config_keep_has_what_jobs_were_built_on(void **state)
{
    struct launcher_config *config = *state, old;
    char **kept = NULL;
    struct error err;

    assert_int_equal(config_init(&old, &err), 0);
    take(&old, "job_uids = 5-6\nmax_pids = 1\n");
    take(config, "job_uids = 7-8\nmax_pids = 2\ncgroup_root = other\nmax_jobs = 3\n");
    assert_int_equal(config_keep(config, &old, &kept, &err), 0);
    assert_int_equal(config->job_uid_max, 6);
    assert_string_equal(config->cgroup_root, "hoist");
    assert_int_equal(config->ceilings.value[LIMIT_PIDS_MAX], 2);
    assert_int_equal(config->jobs_max, 3);
    assert_string_equal(kept[0], "cgroup_root");
    assert_string_equal(kept[1], "job_uids");
    assert_null(kept[2]);
    strv_free(kept);
    config_done(&old);
}

static void test_config_init_has_the_documented_defaults(void **state)
{
    struct launcher_config *config = *state;

    assert_string_equal(config->cgroup_root, "hoist");
    assert_int_equal(config->job_uid_min, 1900000000);
    assert_int_equal(config->job_uid_max, 1900065535);
    assert_false(config->network_host);
    assert_int_equal(config->ceilings.given, 0);
    assert_int_equal(config->reserve_memory, 256 << 20);
    assert_int_equal(config->reserve_pids, 1024);
    assert_int_equal(config->stop_timeout, 30 * USEC_PER_SEC);
    assert_int_equal(config->log_format, LOG_FORMAT_TEXT);
    assert_int_equal(config->listen_rule_count, 0);
}

static void test_config_parse_reads_every_kind_of_value(void **state)
{
    struct launcher_config *config = *state;

    take(config, "# a comment\n"
                 "\n"
                 "  max_memory\t=  8GiB  \n"
                 "max_cpu_millis = 2500\n"
                 "network_host = yes\n"
                 "job_uids = 200000-200099\n"
                 "agent_user = 990\n"
                 "hide = /srv/secret place\n"
                 "hide = /etc/keys\n"
                 "environment = TZ=UTC\n"
                 "listen_allow = *:7443\n"
                 "log_level = debug\n"
                 "stop_timeout = 1m30s");
    assert_int_equal(config->ceilings.value[LIMIT_MEMORY_MAX], UINT64_C(8) << 30);
    assert_int_equal(config->ceilings.value[LIMIT_CPU_MILLIS], 2500);
    assert_int_equal(config->ceilings.given,
                     LIMIT_BIT(LIMIT_MEMORY_MAX) | LIMIT_BIT(LIMIT_CPU_MILLIS));
    assert_true(config->network_host);
    assert_int_equal(config->job_uid_min, 200000);
    assert_int_equal(config->job_uid_max, 200099);
    assert_string_equal(config->agent_user, "990");
    assert_string_equal(config->hidden[0], "/srv/secret place");
    assert_string_equal(config->hidden[1], "/etc/keys");
    assert_null(config->hidden[2]);
    assert_string_equal(config->environment[0], "TZ=UTC");
    assert_int_equal(config->listen_rule_count, 1);
    assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(config->stop_timeout, 90 * USEC_PER_SEC);
}

static void test_config_parse_names_file_and_line(void **state)
{
    struct launcher_config *config = *state;

    refuse(config, "\n\nmax_memroy = 1GiB\n",
           "launcher.conf:3: there is no key \"max_memroy\"; hoist-launcher --print-config shows "
           "them all");
    refuse(config, "log_level = loud",
           "launcher.conf:1: log_level: \"loud\" is none of error, "
           "warning, info, debug");
    refuse(config, "log_level", "launcher.conf:1: a line that isn't \"key = value\"");
    refuse(config, "# fine\nhoistd = bin/hoistd",
           "launcher.conf:2: hoistd: \"bin/hoistd\" isn't an absolute path");
    refuse(config, "network_host = true",
           "launcher.conf:1: network_host: \"true\" is neither yes nor no");
    refuse(config, "job_uids = 5",
           "launcher.conf:1: job_uids: \"5\" isn't a range like "
           "1900000000-1900065535");
    refuse(config, "job_uids = 0-5",
           "launcher.conf:1: job_uids: the range 0-5 is empty or holds root");
    refuse(config, "job_uids = 9-5",
           "launcher.conf:1: job_uids: the range 9-5 is empty or holds root");
    refuse(config, "cgroup_root = a\rb", "launcher.conf:1: a control character in the line");
    refuse(config, "environment = NAME", "launcher.conf:1: environment: \"NAME\" isn't NAME=VALUE");
}

static void test_config_parse_refuses_values_out_of_range(void **state)
{
    static const char *const lines[] = {
        "job_uids = 1-4294967295",
        "job_uids = -5",
        "job_uids = 1-x",
        "max_memory = -1",
        "max_memory = 1XB",
        "max_pids = 18446744073709551616",
        "max_pids =",
        "stop_timeout = never",
        "listen_allow = localhost:1",
        "listen_allow = 7443",
        "hide = relative",
        "= value",
    };
    struct error err;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (config_parse(*state, lines[i], "launcher.conf", &err) >= 0)
            fail_msg("accepted: %s", lines[i]);
}

static void test_config_parse_limits_repeating_rules(void **state)
{
    struct error err;

    for (int i = 0; i < CONFIG_RULES_MAX; i++)
        take(*state, "listen_allow = *:7443\n");
    assert_int_equal(config_parse(*state, "listen_allow = *:7443", "launcher.conf", &err), -E2BIG);
}

static void test_config_set_replaces_what_another_level_collected(void **state)
{
    struct launcher_config *config = *state;
    struct error err;

    take(config, "hide = /a\nhide = /b\n");
    assert_int_equal(config_set(config, "hide", "/c", "--hide", &err), 0);
    assert_int_equal(config_set(config, "hide", "/d", "--hide", &err), 0);
    assert_string_equal(config->hidden[0], "/c");
    assert_string_equal(config->hidden[1], "/d");
    assert_null(config->hidden[2]);
}

static void test_config_key_of_flag_translates_dashes(void **unused)
{
    assert_string_equal(config_key_of_flag("job-uids", 8), "job_uids");
    assert_string_equal(config_key_of_flag("job-uids=1-2", 8), "job_uids");
    assert_null(config_key_of_flag("job_uids", 8));
    assert_null(config_key_of_flag("job-uid", 7));
    assert_null(config_key_of_flag("", 0));
}

static void test_config_print_can_be_read_again(void **state)
{
    _cleanup_config_ struct launcher_config again = {.hoistd = NULL};
    _cleanup_buffer_ struct buffer out = {.limit = 0};
    _cleanup_free_ char *text = NULL;
    struct error err;

    take(*state, "hide = /a\nhide = /b\nmax_swap = 0\n");
    assert_int_equal(config_print(*state, &out), 0);
    text = buffer_take_text(&out);
    assert_non_null(strstr(text, "# launcher.conf:2\nhide = /a\nhide = /b\n"));
    assert_non_null(strstr(text, "# default\ncgroup_root = hoist\n"));
    assert_non_null(strstr(text, "# not set\n# max_memory =\n"));
    assert_int_equal(config_init(&again, &err), 0);
    take(&again, text);
    assert_int_equal(again.ceilings.given, LIMIT_BIT(LIMIT_SWAP_MAX));
    assert_string_equal(again.hidden[1], "/b");
}

/* --- the file -------------------------------------------------------------------------------- */

#define PATH_TEMPLATE "/tmp/test-launcher-conf-XXXXXX"

static void write_file(char *path, const char *text, size_t size)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(fd_write_full(fd, text, size), 0);
    fd_close(fd);
}

static void test_config_read_refuses_a_file_that_others_may_write(void **state)
{
    char path[] = PATH_TEMPLATE;
    struct error err;

    write_file(path, "max_pids = 7\n", 13);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(config_read(*state, path, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod go-w"));
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(config_read(*state, path, &err), 0);
    unlink(path);
}

static void test_config_read_refuses_a_file_of_somebody_else(void **state)
{
    char path[] = PATH_TEMPLATE;
    struct error err;

    if (geteuid() != 0)
        skip();
    write_file(path, "max_pids = 7\n", 13);
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(config_read(*state, path, &err), -EPERM);
    assert_non_null(strstr(err.text, "belongs to uid 65534"));
    unlink(path);
}

static void test_config_read_refuses_what_is_no_text_file(void **state)
{
    char path[] = PATH_TEMPLATE;
    struct error err;

    assert_int_equal(config_read(*state, "/tmp", &err), -EINVAL);
    assert_int_equal(config_read(*state, "/dev/null", &err), -EINVAL);
    assert_int_equal(config_read(*state, "/nonexistent/launcher.conf", &err), -ENOENT);
    write_file(path, "a\0b", 3);
    assert_int_equal(config_read(*state, path, &err), -EINVAL);
    unlink(path);
}

static void test_config_resolve_keeps_hoistd_apart_from_root_and_jobs(void **state)
{
    struct error err;

    if (geteuid() != 0)
        skip();
    take(*state, "agent_user = 0");
    assert_int_equal(config_resolve(*state, &err), -EINVAL);
    take(*state, "agent_user = 1900000001");
    assert_int_equal(config_resolve(*state, &err), -EINVAL);
    assert_non_null(strstr(err.text, "lies in job_uids"));
    take(*state, "agent_user = 990\nagent_group = 0");
    assert_int_equal(config_resolve(*state, &err), -EINVAL);
    take(*state, "agent_user = no-such-user-here");
    assert_int_equal(config_resolve(*state, &err), -ENOENT);
    take(*state, "agent_user = 990\nagent_group = 991");
    assert_int_equal(config_resolve(*state, &err), 0);
    assert_int_equal(((struct launcher_config *)*state)->agent_gid, 991);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_config_init_has_the_documented_defaults),
        TEST(test_config_parse_reads_every_kind_of_value),
        TEST(test_config_parse_names_file_and_line),
        TEST(test_config_parse_refuses_values_out_of_range),
        TEST(test_config_parse_limits_repeating_rules),
        TEST(test_config_set_replaces_what_another_level_collected),
        TEST(test_config_key_of_flag_translates_dashes),
        TEST(test_config_print_can_be_read_again),
        TEST(test_config_read_refuses_a_file_that_others_may_write),
        TEST(test_config_read_refuses_a_file_of_somebody_else),
        TEST(test_config_read_refuses_what_is_no_text_file),
        TEST(test_config_keep_has_what_jobs_were_built_on),
        TEST(test_config_resolve_keeps_hoistd_apart_from_root_and_jobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
