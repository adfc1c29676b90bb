/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "child.h"
#include "fixture.h"
#include "linux/cgroup-tree.h"
#include "linux/cgroup-view.h"

/* What a reader can do with a view of a cgroup, made by root and by somebody who is not. */

#define NOBODY 65534

static struct cgroup_tree tree = CGROUP_TREE_NULL;
static char name[64];

static int setup(void **unused)
{
    int fd;

    (void)unused;
    if (geteuid() != 0 || cgroup_tree_open(&tree, NULL) < 0)
        return 0;
    snprintf(name, sizeof(name), "hoist-test-view-%d/inner", (int)getpid());
    fd = cgroup_make(tree.fd, name, NULL, NULL);
    *strchr(name, '/') = '\0';
    return fd_close(fd) == FD_NONE && fd >= 0 ? 0 : -1;
}

static int teardown(void **unused)
{
    (void)unused;
    if (tree.fd >= 0)
        (void)cgroup_remove(tree.fd, name, NULL);
    cgroup_tree_done(&tree);
    return 0;
}

static bool leads_to_itself(int view, const char *path)
{
    _cleanup_close_ int fd = openat(view, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat there, own;

    return fd >= 0 && fstat(fd, &there) == 0 && fstat(view, &own) == 0 &&
           there.st_ino == own.st_ino && there.st_dev == own.st_dev;
}

static int use(void)
{
    _cleanup_close_ int view = cgroup_view_open(&tree, name, NULL), inner = FD_NONE;
    char text[256];

    CHECK(view >= 0);
    CHECK(leads_to_itself(view, "."));
    CHECK(leads_to_itself(view, ".."));
    CHECK(leads_to_itself(view, "inner/../../../.."));
    inner = cgroup_open(view, "inner", NULL);
    CHECK(inner >= 0 && cgroup_file_read(inner, "cgroup.events", text, sizeof(text)) == 0);
    CHECK(cgroup_file_write(inner, "cgroup.kill", "1") < 0);
    CHECK(mkdirat(view, "new", 0755) < 0);
    return 0;
}

static int use_as_nobody(void)
{
    if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        return SKIPPED;
    return use();
}

static void in_child_with_tree(int (*body)(void))
{
    if (tree.fd < 0)
        skip();
    in_child(body);
}

static void test_cgroup_view_leads_nowhere_else(void **unused)
{
    (void)unused;
    in_child_with_tree(use);
}

static bool namespaces_are_allowed(void)
{
    _cleanup_free_ char *text = NULL;

    return file_read(AT_FDCWD, "/proc/sys/user/max_user_namespaces", 64, &text, NULL) == 0 &&
           strtol(text, NULL, 10) > 0 &&
           access("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", F_OK) < 0;
}

static void test_cgroup_view_of_an_ordinary_user_is_the_same(void **unused)
{
    (void)unused;
    if (!namespaces_are_allowed())
        skip();
    in_child_with_tree(use_as_nobody);
}

static int look_after_removal(void)
{
    _cleanup_close_ int view = cgroup_view_open(&tree, name, NULL);
    char text[256];

    CHECK(view >= 0);
    CHECK(cgroup_remove(tree.fd, name, NULL) == 0);
    CHECK(cgroup_file_read(view, "cgroup.events", text, sizeof(text)) < 0);
    return 0;
}

static void test_cgroup_view_keeps_no_cgroup_there(void **unused)
{
    (void)unused;
    in_child_with_tree(look_after_removal);
}

static void test_cgroup_view_names_what_is_not_there(void **unused)
{
    struct error err;

    (void)unused;
    if (tree.fd < 0)
        skip();
    assert_int_equal(cgroup_view_open(&tree, "hoist-test-none", &err), -ENOENT);
    assert_string_equal(err.text, "the mount of the cgroup hoist-test-none can't be cloned: "
                                  "No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cgroup_view_leads_nowhere_else),
        cmocka_unit_test(test_cgroup_view_of_an_ordinary_user_is_the_same),
        cmocka_unit_test(test_cgroup_view_keeps_no_cgroup_there),
        cmocka_unit_test(test_cgroup_view_names_what_is_not_there),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
