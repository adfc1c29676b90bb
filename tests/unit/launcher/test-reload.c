/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "launcher/answer.h"
#include "launcher/reload.h"
#include "spawn/spawn.h"

/* What goes wrong on the way; tests/integration/test_reload.py has the rest. */

static void test_launcher_reload_wants_the_file_that_was_there(void **unused)
{
    char *argv[] = {(char[]){"hoist-launcher"}, NULL};
    struct launcher_config config;
    struct launcher launcher = {.argc = 1, .argv = argv, .config = &config};
    struct error err;

    (void)unused;
    assert_int_equal(config_init(&config, &err), 0);
    config.file = strdup("/nonexistent/launcher.conf");
    assert_int_equal(launcher_reload(&launcher, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/launcher.conf"));
    assert_ptr_equal(launcher.config, &config);
    config_done(&config);
}

static void set(struct launcher_config *config, const char *key, const char *value)
{
    struct error err;

    if (config_set(config, key, value, "test", &err) < 0)
        fail_msg("%s", err.text);
}

/* A launcher with a context, whose hoist-init is never asked for a job. */
static void launcher_make(struct launcher_config *config, struct launcher *ret)
{
    struct error err;
    char root[32];

    assert_int_equal(config_init(config, &err), 0);
    snprintf(root, sizeof(root), "hoist-test-%d", (int)getpid());
    set(config, "cgroup_root", root);
    set(config, "init", "/bin/true");
    config->agent_uid = config->agent_gid = 65534;
    *ret = (struct launcher){.config = config};
    if (launcher_make_context(config, NULL, &ret->spawn, &err) < 0)
        fail_msg("%s", err.text);
}

static rlim_t descriptors(rlim_t most)
{
    struct rlimit limit;
    rlim_t before;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    before = limit.rlim_cur;
    limit.rlim_cur = most;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

/* The next hoistd would take all jobs for those of another boot. */
static void test_launcher_facts_keep_what_was_known(void **unused)
{
    struct launcher_config config;
    struct launcher launcher;
    struct error err;
    struct id boot;
    rlim_t before;

    (void)unused;
    launcher_make(&config, &launcher);
    before = descriptors(0);
    assert_int_equal(launcher_facts(&launcher, &err), -EMFILE);
    assert_int_equal(launcher.facts.protocol, 0);
    descriptors(before);
    assert_int_equal(launcher_facts(&launcher, &err), 0);
    boot = launcher.facts.boot_id;
    assert_false(id_is_nil(&boot));
    before = descriptors(0);
    assert_int_equal(launcher_facts(&launcher, &err), 0);
    assert_true(id_equal(&launcher.facts.boot_id, &boot));
    descriptors(before);
    spawn_context_free(launcher.spawn);
    config_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launcher_reload_wants_the_file_that_was_there),
        cmocka_unit_test(test_launcher_facts_keep_what_was_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
