/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <cmocka.h>

#include "base/error.h"
#include "child.h"
#include "fixture.h"
#include "linux/cage.h"
#include "linux/privileges.h"

static char directory[] = "/var/tmp/hoist-test-XXXXXX";

static int setup(void **unused)
{
    return mkdtemp(directory) ? chmod(directory, 0777) : -1;
}

static int teardown(void **unused)
{
    return rmdir(directory);
}

static int enter(void)
{
    char path[64];
    const struct landlock_place places[] = {
        {.path = directory, .access = LANDLOCK_READ | LANDLOCK_WRITE},
        {.path = "/dev/null", .access = LANDLOCK_READ},
        {.path = "/proc", .access = LANDLOCK_READ},
        {.path = "/etc", .access = LANDLOCK_READ},
    };
    uid_t uid = geteuid();
    struct error err;
    int r = cage_enter(places, ARRAY_SIZE(places), &err);

    if (r == 0)
        return SKIPPED;
    CHECK(r == 1);
    CHECK(geteuid() == uid && !capability_is_effective(CAP_SYS_ADMIN));
    CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    CHECK(access("/usr", F_OK) < 0 && errno == ENOENT);
    CHECK(access("/etc/passwd", R_OK) == 0);
    CHECK(open("/etc/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EROFS);
    CHECK(open("/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
    CHECK(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
    snprintf(path, sizeof(path), "%s/new", directory);
    CHECK(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 && unlink(path) == 0);
    CHECK(unshare(CLONE_NEWNS) < 0);
    return 0;
}

static void test_cage_enter_leaves_the_places_alone(void **unused)
{
    in_child(enter);
}

/* Where no user namespace may be made the root stays, and nothing else has changed. */
static int enter_without_namespaces(void)
{
    struct error err = {.text = ""};
    int fd;

    if (unshare(CLONE_NEWUSER) < 0)
        return SKIPPED;
    fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        return SKIPPED;
    CHECK(cage_enter(&(struct landlock_place){.path = "/proc", .access = LANDLOCK_READ}, 1, &err) ==
          0);
    CHECK(strstr(err.text, "no user namespace can be made"));
    CHECK(access("/usr", F_OK) == 0);
    return 0;
}

static void test_cage_enter_tells_what_is_in_the_way(void **unused)
{
    in_child(enter_without_namespaces);
}

static int enter_with_a_missing_place(void)
{
    struct error err = {.text = ""};
    int r = cage_enter(&(struct landlock_place){.path = "/no/such/place", .access = LANDLOCK_READ},
                       1, &err);

    CHECK(r == 0);
    CHECK(access("/usr", F_OK) == 0);
    return strstr(err.text, "namespace") ? SKIPPED : !strstr(err.text, "/no/such/place");
}

static void test_cage_enter_names_the_place_that_is_missing(void **unused)
{
    in_child(enter_with_a_missing_place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cage_enter_leaves_the_places_alone),
        cmocka_unit_test(test_cage_enter_tells_what_is_in_the_way),
        cmocka_unit_test(test_cage_enter_names_the_place_that_is_missing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
