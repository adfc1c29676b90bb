/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "launcher/ceilings.h"
#include "launcher/config.h"
#include "wire/spawn-spec.h"

static struct launcher_config some_config(void)
{
    return (struct launcher_config){.job_uid_min = 100000, .job_uid_max = 100010};
}

static const struct spawn_spec some_spec = {.uid = 100000};

static void refuse(const struct launcher_config *config, const struct spawn_spec *spec,
                   const char *words)
{
    struct error err = {.text = ""};

    assert_int_equal(ceilings_check(config, spec, &err), -EPERM);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" doesn't say \"%s\"", err.text, words);
}

static void allow(const struct launcher_config *config, const struct spawn_spec *spec)
{
    struct error err = {.text = ""};

    if (ceilings_check(config, spec, &err) < 0)
        fail_msg("refused: %s", err.text);
}

static void test_ceilings_check_uids(void **unused)
{
    const struct launcher_config config = some_config();
    struct spawn_spec spec = some_spec;

    if (geteuid() != 0)
        skip();
    allow(&config, &spec);
    spec.uid = 100010;
    allow(&config, &spec);
    spec.uid = 100011;
    refuse(&config, &spec, "job_uids");
    spec.uid = 99999;
    refuse(&config, &spec, "job_uids");
    spec.uid = 0;
    refuse(&config, &spec, "uid 0 is outside");
}

static void test_ceilings_check_profiles(void **unused)
{
    struct launcher_config config = some_config();
    struct spawn_spec spec = some_spec;

    config.profiles[config.profile_count++].profile = (struct spawn_profile){.name = "pool"};
    config.profiles[config.profile_count++].profile =
        (struct spawn_profile){.name = "user", .uid = 990, .gid = 990};
    spec.profile = "missing";
    refuse(&config, &spec, "no profile \"missing\"");
    if (geteuid() != 0)
        skip();
    spec.profile = "pool";
    allow(&config, &spec);
    spec.uid = 990;
    refuse(&config, &spec, "job_uids");
    spec.profile = "user";
    allow(&config, &spec);
    spec.uid = 100000;
    refuse(&config, &spec, "not the 990");
}

static void test_ceilings_check_network(void **unused)
{
    struct launcher_config config = some_config();
    struct spawn_spec spec = some_spec;

    spec.network = SPAWN_NETWORK_HOST;
    refuse(&config, &spec, "network_host");
    config.network_host = true;
    allow(&config, &spec);
}

static void test_ceilings_check_limits(void **unused)
{
    struct launcher_config config = some_config();
    struct spawn_spec spec = some_spec;

    limit_set(&config.ceilings, LIMIT_MEMORY_MAX, 1000);
    refuse(&config, &spec, "no limit memory_max is set");
    limit_set(&spec.limits, LIMIT_MEMORY_MAX, 0);
    refuse(&config, &spec, "no limit memory_max is set");
    limit_set(&spec.limits, LIMIT_MEMORY_MAX, 1001);
    refuse(&config, &spec,
           "memory_max 1001 is above the 1000 that launcher.conf allows "
           "(max_memory)");
    limit_set(&spec.limits, LIMIT_MEMORY_MAX, 1000);
    allow(&config, &spec);
}

static void test_ceilings_check_knows_what_zero_and_absence_mean(void **unused)
{
    struct launcher_config config = some_config();
    struct spawn_spec spec = some_spec;

    limit_set(&config.ceilings, LIMIT_SWAP_MAX, 10);
    refuse(&config, &spec, "no limit swap_max");
    limit_set(&spec.limits, LIMIT_SWAP_MAX, 0); /* no swap at all */
    allow(&config, &spec);

    config = some_config();
    spec = some_spec;
    limit_set(&config.ceilings, LIMIT_CPU_WEIGHT, 100);
    allow(&config, &spec); /* the kernel's default is 100 */
    limit_set(&config.ceilings, LIMIT_CPU_WEIGHT, 50);
    refuse(&config, &spec, "cpu_weight 100 is above the 50");
}

static void test_ceilings_check_what_is_kept(void **unused)
{
    struct launcher_config config = some_config();
    struct spawn_spec spec = some_spec;

    limit_set(&config.ceilings, LIMIT_MEMORY_RESERVED, 10);
    allow(&config, &spec); /* nothing is kept unless it is asked for */
    limit_set(&spec.limits, LIMIT_MEMORY_RESERVED, 0);
    allow(&config, &spec);
    limit_set(&spec.limits, LIMIT_MEMORY_RESERVED, 11);
    refuse(&config, &spec, "memory_reserved 11 is above the 10");
}

static void test_ceilings_check_every_limit(void **unused)
{
    for (unsigned limit = 0; limit < _LIMIT_MAX; limit++) {
        struct launcher_config config = some_config();
        struct spawn_spec spec = some_spec;

        limit_set(&config.ceilings, limit, 7);
        limit_set(&spec.limits, limit, 8);
        refuse(&config, &spec, limit_name(limit));
        limit_set(&spec.limits, limit, 7);
        allow(&config, &spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ceilings_check_uids),
        cmocka_unit_test(test_ceilings_check_profiles),
        cmocka_unit_test(test_ceilings_check_network),
        cmocka_unit_test(test_ceilings_check_limits),
        cmocka_unit_test(test_ceilings_check_knows_what_zero_and_absence_mean),
        cmocka_unit_test(test_ceilings_check_what_is_kept),
        cmocka_unit_test(test_ceilings_check_every_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
