/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "linux/mount-table.h"
#include "spawn/context-profile.h"
#include "spawn/context.h"
#include "spawn/spawn.h"

static const char text[] = "20 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
                           "21 20 254:2 / /usr rw - ext4 /dev/vda2 rw\n"
                           "22 21 254:3 / /usr/local rw - ext4 /dev/vda3 rw\n"
                           "23 22 254:4 / /usr/local rw - ext4 /dev/vda4 rw\n"
                           "24 20 254:5 / /home rw - ext4 /dev/vda5 rw\n"
                           "25 24 254:6 / /home/data rw - ext4 /dev/vda6 rw\n"
                           "26 24 254:7 / /home/data2 rw - ext4 /dev/vda7 rw\n";

/* The mount points that a job of the profile sees something of; "!" before one that is covered. */
static void assert_shows(const struct context_profile *profile, const char *wanted)
{
    _cleanup_mount_table_ struct mount_table table = {0};
    char got[256] = "";

    assert_int_equal(mount_table_parse(text, &table, NULL), 0);
    for (size_t i = 0; i < table.count; i++) {
        const struct mount_entry *entry = &table.entries[i];

        if (!context_profile_shows(profile, &table, entry))
            continue;
        strncat(got, entry->covered ? " !" : " ", sizeof(got) - strlen(got) - 1);
        strncat(got, entry->target, sizeof(got) - strlen(got) - 1);
    }
    assert_string_equal(got, wanted);
}

static void test_context_profile_shows_what_is_in_the_view(void **unused)
{
    struct host_entry usr = {HOST_ENTRY_SHOWN, (char[]){"/usr"}, (char[]){"/usr"}, NULL};
    const struct spawn_profile given = {.name = "x"};
    const struct context_profile profile = {.given = &given, .view = {.entries = &usr, .count = 1}};

    assert_shows(&profile, " / /usr /usr/local");
}

static void test_context_profile_shows_what_holds_a_source_and_what_is_below(void **unused)
{
    const struct spawn_profile given = {.name = "x"};
    char *sources[] = {(char[]){"/home/data/of/jobs"}, NULL};
    struct context_profile profile = {.given = &given, .rootfs = (char[]){"/usr"}};

    assert_shows(&profile, " /usr /usr/local");
    profile.rootfs = (char[]){"/usr/local/tree"};
    assert_shows(&profile, " /usr/local");
    profile.sources = sources;
    assert_shows(&profile, " /usr/local /home/data");
    sources[0] = (char[]){"/home"};
    assert_shows(&profile, " /usr/local /home /home/data /home/data2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context_profile_shows_what_is_in_the_view),
        cmocka_unit_test(test_context_profile_shows_what_holds_a_source_and_what_is_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
