/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/access.h"
#include "api/error.h"
#include "grpc/status.h"

static void test_role_scope_gives_users_their_own_jobs_only(void **unused)
{
    static const enum permission own[] = {PERMISSION_SEE, PERMISSION_READ, PERMISSION_START,
                                          PERMISSION_STOP};

    (void)unused;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        assert_int_equal(role_scope("user", own[i]), SCOPE_OWN);
        assert_int_equal(role_scope("admin", own[i]), SCOPE_ALL);
    }
}

static void test_role_scope_of_unknown_roles_is_nothing(void **unused)
{
    static const char *const unknown[] = {"", "root", "Admin", "admin ", "users", "monitor"};

    (void)unused;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_null(role_known(unknown[i]));
        assert_int_equal(role_scope(unknown[i], PERMISSION_NONE), SCOPE_ALL);
        for (unsigned p = PERMISSION_NONE + 1; p < _PERMISSION_MAX; p++)
            assert_int_equal(role_scope(unknown[i], p), SCOPE_NOTHING);
    }
}

static void test_access_refuse_says_how_to_mend_it(void **unused)
{
    _cleanup_api_error_ struct api_error error = {.code = 0};

    (void)unused;
    access_refuse("carol", "", PERMISSION_START, &error);
    assert_int_equal(error.code, GRPC_STATUS_PERMISSION_DENIED);
    assert_int_equal(error.reason, HOIST__V1__REASON__REASON_NO_ROLE);
    assert_non_null(strstr(error.text, "names no role"));
    access_refuse("carol", "guest", PERMISSION_START, &error);
    assert_non_null(strstr(error.text, "\"guest\" of carol"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_role_scope_gives_users_their_own_jobs_only),
        cmocka_unit_test(test_role_scope_of_unknown_roles_is_nothing),
        cmocka_unit_test(test_access_refuse_says_how_to_mend_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
