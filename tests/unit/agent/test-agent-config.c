/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/config.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#define ARGS_MAX 16

/* Loads with a file that holds `text`, and up to four more arguments. */
static int load(const char *text, const char *const *flags, struct config *ret,
                enum config_request *request, struct error *err)
{
    char path[] = "/tmp/hoist-config-XXXXXX";
    const char *argv[ARGS_MAX] = {"hoistd", "--config", path};
    int fd = mkstemp(path), argc = 3, r; /* NOLINT(android-cloexec-mkstemp) */

    assert_true(fd >= 0);
    assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
    for (; flags && *flags; flags++)
        argv[argc++] = *flags;
    r = config_load(argc, (char **)argv, ret, request, err);
    fd_close(fd);
    unlink(path);
    return r;
}

static void test_config_load_lets_flags_win_over_the_file(void **unused)
{
    static const char *const flags[] = {
        "--listen=[::1]:99", "--default-cpu", "50%",          "--default-memory=300MB",
        "--default-iops",    "777",           "--tls-strict", NULL};
    _cleanup_config_ struct config config = {.file = NULL};
    const struct limits *limits;
    enum config_request request;
    struct error err;

    (void)unused;
    assert_int_equal(load("listen: 0.0.0.0:1\n"
                          "tls:\n  cert: /c.pem\n"
                          "unenforced_limits: warn\n"
                          "output: {retain: 1h}\n"
                          "classes:\n  small: {memory_max: 7MB}\n  tiny: {cpu: 1%, iops: 3}\n",
                          flags, &config, &request, &err),
                     0);
    assert_int_equal(request, CONFIG_SERVE);
    assert_string_equal(config.listen.host, "::1");
    assert_int_equal(config.listen.port, 99);
    assert_string_equal(config.tls_cert, "/c.pem");
    assert_true(config.tls_strict);
    assert_int_equal(config.unenforced_limits, CONFIG_UNENFORCED_WARN);
    assert_true(config.output.retain == UINT64_C(3600) * USEC_PER_SEC);
    limits = &classes_find(&config.classes, "default")->limits;
    assert_int_equal(limits->value[LIMIT_CPU_MILLIS], 500);
    assert_int_equal(limits->value[LIMIT_MEMORY_MAX], 300000000);
    assert_int_equal(limits->value[LIMIT_IO_READ_IOPS], 777);
    assert_int_equal(limits->value[LIMIT_IO_WRITE_IOPS], 777);
    /* A shipped class keeps what isn't given. */
    assert_int_equal(classes_find(&config.classes, "small")->limits.value[LIMIT_MEMORY_MAX],
                     7000000);
    assert_int_equal(classes_find(&config.classes, "small")->limits.value[LIMIT_CPU_MILLIS], 100);
    assert_int_equal(classes_find(&config.classes, "tiny")->limits.value[LIMIT_IO_WRITE_IOPS], 3);
    assert_false(limit_is_given(&classes_find(&config.classes, "tiny")->limits, LIMIT_MEMORY_MAX));
}

static void test_config_load_names_what_is_wrong_and_where(void **unused)
{
    static const struct {
        const char *text, *flag, *words;
    } wrong[] = {
        {"listne: 1.2.3.4:5\n", NULL, ":1:"},
        {"listen: localhost:7443\n", NULL, "numeric address"},
        {"listen: 127.0.0.1:70000\n", NULL, "port"},
        {"listen: 127.0.0.1\n", NULL, "no port"},
        {"tls: {cert: server.pem}\n", NULL, "absolute"},
        {"unenforced_limits: maybe\n", NULL, "refuse"},
        {"classes: {Small: {cpu: 1%}}\n", NULL, "class"},
        {"classes: {small: {cpu: lots}}\n", NULL, "share of CPU"},
        {"classes: {small: {cpus: 1}}\n", NULL, "cpus"},
        {"classes: {small: {output_cap: 1KiB}}\n", NULL, "1MiB"},
        {"classes: {small: {output_policy: drop}}\n", NULL, "keep_ends"},
        {"jobs_max: 0\n", NULL, "jobs_max"},
        {"output: {cap: 1KB}\n", NULL, "1MiB to 1048576TiB, or \"none\""},
        {"output: {policy: drop}\n", NULL, "keep_ends or stop_job"},
        {"output: {retain: 0}\n", NULL, "or \"forever\""},
        {"output: {total: 100%}\n", NULL, "share of the disk like 5%"},
        {"output: {reserve: lots}\n", NULL, "share of the disk like 5%"},
        {"output: {read_buffer: 2MiB}\n", NULL, "4096 to 1048576"},
        {"", "--no-such-flag", "no flag"},
        {"", "--listen", "needs a value"},
        {"", "--threads=many", "--threads"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const char *flags[] = {wrong[i].flag, NULL};
        struct config config = {.file = NULL};
        enum config_request request;
        struct error err = {.text = ""};

        assert_true(load(wrong[i].text, flags, &config, &request, &err) < 0);
        if (!strstr(err.text, wrong[i].words))
            fail_msg("\"%s\" should say \"%s\"", err.text, wrong[i].words);
    }
}

static void test_config_check_wants_the_default_class(void **unused)
{
    static const char *const flags[] = {"--default-class", "huge", NULL};
    _cleanup_config_ struct config config = {.file = NULL};
    enum config_request request;
    struct error err;

    (void)unused;
    assert_int_equal(load("", flags, &config, &request, &err), 0);
    assert_int_equal(config_check(&config, &err), -EINVAL);
    assert_non_null(strstr(err.text, "\"huge\""));
}

static void test_config_check_wants_room_for_the_last_bytes(void **unused)
{
    static const char *const flags[] = {"--output-cap=2MiB", "--output-keep-head=1.5MiB", NULL};
    _cleanup_config_ struct config config = {.file = NULL};
    enum config_request request;
    struct error err;

    (void)unused;
    assert_int_equal(load("", flags, &config, &request, &err), 0);
    assert_int_equal(config_check(&config, &err), -EINVAL);
    assert_non_null(strstr(err.text, "output.keep_head"));
}

static void test_config_output_rules_are_those_of_the_file(void **unused)
{
    _cleanup_config_ struct config config = {.file = NULL};
    enum config_request request;
    struct output_rules rules;
    struct error err;

    (void)unused;
    assert_int_equal(load("output: {cap: 5MiB, policy: stop_job, keep_head: 1MiB, rate: 0, "
                          "read_buffer: 64KiB, retain: forever, total: 20GiB, reserve: none}\n",
                          NULL, &config, &request, &err),
                     0);
    rules = config_output_rules(&config.output);
    assert_int_equal(rules.cap, 5 << 20);
    assert_int_equal(rules.head, 1 << 20);
    assert_true(rules.stop_at_cap);
    assert_int_equal(rules.rate, 0);
    assert_int_equal(rules.read_buffer, 65536);
    assert_true(config.output.retain == USEC_INFINITY);
    assert_true(config.output.total.bytes == UINT64_C(20) << 30);
    assert_int_equal(config.output.reserve.percent, 0);
}

static void test_class_may_keep_less_output_than_the_agent(void **unused)
{
    static const char *const text =
        "output: {cap: 10MiB}\n"
        "classes: {a: {output_cap: 2MiB}, b: {output_policy: stop_job}, c: {output_cap: none}}\n";
    _cleanup_config_ struct config config = {.file = NULL}, again = {.file = NULL};
    _cleanup_buffer_ struct buffer out = {0};
    _cleanup_free_ char *printed = NULL;
    enum config_request request;
    struct error err;

    (void)unused;
    assert_int_equal(load(text, NULL, &config, &request, &err), 0);
    assert_int_equal(classes_find(&config.classes, "a")->output.cap, 2 << 20);
    assert_int_equal(classes_find(&config.classes, "b")->output.policy, OUTPUT_POLICY_STOP_JOB);
    assert_int_equal(config_check(&config, &err), -EINVAL);
    assert_non_null(strstr(err.text, "classes.c.output_cap"));
    classes_find(&config.classes, "c")->output.cap = 10 << 20;
    assert_int_equal(config_check(&config, &err), 0);
    assert_int_equal(config_print(&config, &out), 0);
    printed = buffer_take_text(&out);
    assert_int_equal(load(printed, NULL, &again, &request, &err), 0);
    assert_memory_equal(&classes_find(&again.classes, "a")->output,
                        &classes_find(&config.classes, "a")->output, sizeof(struct output_choice));
    assert_int_equal(classes_find(&again.classes, "b")->output.policy, OUTPUT_POLICY_STOP_JOB);
}

static void test_config_print_tells_where_each_value_came_from(void **unused)
{
    static const char *const flags[] = {"--log-level=debug", "--print-config", NULL};
    _cleanup_config_ struct config config = {.file = NULL}, again = {.file = NULL};
    _cleanup_buffer_ struct buffer out = {0};
    _cleanup_free_ char *text = NULL;
    enum config_request request;
    struct error err;

    (void)unused;
    assert_int_equal(load("\nlisten: 127.0.0.1:5\n", flags, &config, &request, &err), 0);
    assert_int_equal(request, CONFIG_PRINT);
    assert_int_equal(config_print(&config, &out), 0);
    text = buffer_take_text(&out);
    assert_non_null(strstr(text, "listen: \"127.0.0.1:5\"  # /tmp/hoist-config-"));
    assert_non_null(strstr(text, "level: debug  # --log-level\n"));
    assert_non_null(strstr(text, "state_dir: \"/var/lib/hoist\"  # default\n"));
    assert_non_null(strstr(text, "retain: 1d  # default\n"));
    assert_non_null(strstr(text, "cap: 1GiB  # default\n"));
    assert_non_null(strstr(text, "rate: class  # default\n"));
    assert_non_null(strstr(text, "total: none  # default\n"));
    assert_non_null(strstr(text, "reserve: 2%  # default\n"));
    assert_int_equal(config.output.reserve.percent, 2);
    /* What is printed can be read again and says the same. */
    assert_int_equal(load(text, NULL, &again, &request, &err), 0);
    assert_int_equal(again.listen.port, 5);
    assert_int_equal(again.log_level, LOG_LEVEL_DEBUG);
    assert_true(again.output.retain == config.output.retain);
    assert_int_equal(again.classes.count, config.classes.count);
    assert_memory_equal(&again.classes.list[0].limits, &config.classes.list[0].limits,
                        sizeof(struct limits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_load_lets_flags_win_over_the_file),
        cmocka_unit_test(test_config_load_names_what_is_wrong_and_where),
        cmocka_unit_test(test_config_check_wants_the_default_class),
        cmocka_unit_test(test_config_check_wants_room_for_the_last_bytes),
        cmocka_unit_test(test_config_output_rules_are_those_of_the_file),
        cmocka_unit_test(test_class_may_keep_less_output_than_the_agent),
        cmocka_unit_test(test_config_print_tells_where_each_value_came_from),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
