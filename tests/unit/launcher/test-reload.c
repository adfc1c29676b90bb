/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "launcher/answer.h"
#include "launcher/reload.h"

/* What ends before a context is made; tests/integration/test_reload.py has the rest. */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_launcher_reload_wants_the_file_that_was_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
