/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "linux/mount-watch.h"

/* In a mount namespace of our own: nobody else changes anything in it. */
static int setup(void **state)
{
    static struct mount_watch watch = MOUNT_WATCH_NULL;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        fprintf(stderr, "# skipped: needs root\n");
        return 0;
    }
    *state = &watch;
    return 0;
}

static int close_watch(void **state)
{
    if (*state)
        mount_watch_close(*state);
    return 0;
}

#define NEEDS_NAMESPACE(watch)                                                                     \
    if (!(watch))                                                                                  \
    skip()

static void change(void)
{
    assert_int_equal(mount("none", "/mnt", "tmpfs", 0, NULL), 0);
    assert_int_equal(umount("/mnt"), 0);
}

static int is_ready(const struct mount_watch *watch)
{
    struct pollfd waits = mount_watch_waits(watch);

    return poll(&waits, 1, 0);
}

static void test_mount_watch_changes_with_each_change(void **state)
{
    struct mount_watch *watch = *state;
    struct error err;
    uint64_t seen;

    NEEDS_NAMESPACE(watch);
    change();
    assert_int_equal(mount_watch_open(watch, &err), 0);
    seen = mount_watch_changes(watch);
    assert_int_not_equal(seen, 0);
    assert_int_equal(mount_watch_changes(watch), seen);
    change();
    assert_int_not_equal(mount_watch_changes(watch), seen);

    assert_int_equal(mount("none", "/mnt", "tmpfs", 0, NULL), 0);
    seen = mount_watch_changes(watch);
    assert_int_equal(mount(NULL, "/mnt", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL), 0);
    assert_int_not_equal(mount_watch_changes(watch), seen);
    assert_int_equal(umount("/mnt"), 0);
}

static void test_mount_watch_tells_who_waits_and_who_asks(void **state)
{
    struct mount_watch *watch = *state;
    struct error err;
    uint64_t seen;

    NEEDS_NAMESPACE(watch);
    assert_int_equal(mount_watch_open(watch, &err), 0);
    seen = mount_watch_changes(watch);
    assert_int_equal(is_ready(watch), 0);
    change();
    assert_int_equal(is_ready(watch), 1);
    assert_int_not_equal(mount_watch_changes(watch), seen);
    change();
    assert_int_not_equal(mount_watch_changes(watch), seen + 1);
    assert_int_equal(is_ready(watch), 1);
    assert_int_equal(is_ready(watch), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_mount_watch_changes_with_each_change, close_watch),
        cmocka_unit_test_teardown(test_mount_watch_tells_who_waits_and_who_asks, close_watch),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
