/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/strv.h"
#include "fixture.h"
#include "linux/cgroup-controllers.h"
#include "linux/cgroup-stat.h"
#include "linux/cgroup-tree.h"

static const char pure[] =
    "23 27 0:22 / /sys rw - sysfs sysfs rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
static const char hybrid[] = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
                             "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                             "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

static int parse(const char *mountinfo, const char *cgroup, char **ret_mount, char **ret_own,
                 bool *ret_hybrid)
{
    free(*ret_mount);
    free(*ret_own);
    *ret_mount = *ret_own = NULL;
    return cgroup_tree_parse(mountinfo, cgroup, ret_mount, ret_own, ret_hybrid, NULL);
}

static void test_cgroup_tree_parse_finds_pure_and_hybrid(void **unused)
{
    _cleanup_free_ char *mount = NULL, *own = NULL;
    bool is_hybrid;

    assert_int_equal(parse(pure, "0::/system.slice/hoist.service\n", &mount, &own, &is_hybrid), 0);
    assert_string_equal(mount, "/sys/fs/cgroup");
    assert_string_equal(own, "system.slice/hoist.service");
    assert_false(is_hybrid);

    assert_int_equal(parse(hybrid, "4:memory:/m\n0::/\n", &mount, &own, &is_hybrid), 0);
    assert_string_equal(mount, "/sys/fs/cgroup/unified");
    assert_string_equal(own, "");
    assert_true(is_hybrid);
}

static void test_cgroup_tree_parse_follows_the_root_of_the_mount(void **unused)
{
    static const char bind[] = "31 23 0:28 /pod /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    _cleanup_free_ char *mount = NULL, *own = NULL;
    bool is_hybrid;

    assert_int_equal(parse(bind, "0::/pod/a\n", &mount, &own, &is_hybrid), 0);
    assert_string_equal(own, "a");
    assert_int_equal(parse(bind, "0::/pod\n", &mount, &own, &is_hybrid), 0);
    assert_string_equal(own, "");
    assert_int_equal(parse(bind, "0::/podium\n", &mount, &own, &is_hybrid), -EXDEV);
    assert_int_equal(parse(pure, "0::/../other\n", &mount, &own, &is_hybrid), -EXDEV);
}

static void test_cgroup_tree_parse_says_what_is_missing(void **unused)
{
    _cleanup_free_ char *mount = NULL, *own = NULL;
    bool is_hybrid;

    assert_int_equal(parse("", "0::/\n", &mount, &own, &is_hybrid), -ENOENT);
    assert_int_equal(parse(pure, "4:memory:/m\n", &mount, &own, &is_hybrid), -ENOENT);
    assert_int_equal(parse(pure, "", &mount, &own, &is_hybrid), -ENOENT);
    assert_int_equal(parse("x\n", "0::/\n", &mount, &own, &is_hybrid), -EBADMSG);
}

static void test_cgroup_open_refuses_another_file_system(void **unused)
{
    int dir_fd = fake_open();
    struct error err;

    assert_int_equal(mkdirat(dir_fd, "group", 0755), 0);
    assert_int_equal(cgroup_open(dir_fd, "group", &err), -ENOTTY);
    assert_int_equal(cgroup_open(dir_fd, "none", &err), -ENOENT);
    assert_int_equal(cgroup_open(dir_fd, "../..", &err), -EXDEV);
    assert_int_equal(cgroup_make(dir_fd, "new", NULL, &err), -ENOTTY);
    fake_close(dir_fd);
}

static void test_cgroup_file_does_not_follow_links(void **unused)
{
    int dir_fd = fake_open();
    char text[8];

    fake_file(dir_fd, "real", "1\n");
    assert_int_equal(symlinkat("real", dir_fd, "link"), 0);
    assert_int_equal(cgroup_file_read(dir_fd, "link", text, sizeof(text)), -ELOOP);
    assert_int_equal(cgroup_file_write(dir_fd, "link", "2"), -ELOOP);
    assert_int_equal(cgroup_file_read(dir_fd, "real", text, sizeof(text)), 0);
    assert_string_equal(text, "1");
    fake_close(dir_fd);
}

static void test_cgroup_file_read_knows_its_bounds(void **unused)
{
    int dir_fd = fake_open();
    char text[8];

    fake_file(dir_fd, "seven", "1234567");
    fake_file(dir_fd, "eight", "12345678");
    fake_file(dir_fd, "empty", "");
    assert_int_equal(cgroup_file_read(dir_fd, "seven", text, sizeof(text)), 0);
    assert_string_equal(text, "1234567");
    assert_int_equal(cgroup_file_read(dir_fd, "eight", text, sizeof(text)), -EFBIG);
    assert_int_equal(cgroup_file_read(dir_fd, "empty", text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(cgroup_file_read(dir_fd, "none", text, sizeof(text)), -ENOENT);
    fake_close(dir_fd);
}

static void test_cgroup_remove_takes_the_whole_tree(void **unused)
{
    int dir_fd = fake_open();
    char **children = NULL;

    assert_int_equal(mkdirat(dir_fd, "job", 0755), 0);
    assert_int_equal(mkdirat(dir_fd, "job/init", 0755), 0);
    assert_int_equal(mkdirat(dir_fd, "job/cmd", 0755), 0);
    assert_int_equal(mkdirat(dir_fd, "job/cmd/deeper", 0755), 0);
    assert_int_equal(cgroup_remove_empty(dir_fd, "job"), -ENOTEMPTY);
    assert_int_equal(cgroup_remove(dir_fd, "job", NULL), 0);
    assert_int_equal(cgroup_remove(dir_fd, "job", NULL), 0);
    assert_int_equal(cgroup_children(dir_fd, &children), 0);
    assert_null(children);
    fake_close(dir_fd);
}

static void test_cgroup_remove_keeps_what_is_in_use(void **unused)
{
    int dir_fd = fake_open();
    struct error err;

    fake_file(dir_fd, "job/cmd/process", "");
    assert_int_equal(cgroup_remove(dir_fd, "job", &err), -ENOTEMPTY);
    assert_int_equal(faccessat(dir_fd, "job/cmd", F_OK, 0), 0);
    fake_close(dir_fd);
}

static void test_cgroup_controllers_reads_those_it_knows(void **unused)
{
    int dir_fd = fake_open();
    uint32_t available, handed_on;

    fake_file(dir_fd, "cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc\n");
    fake_file(dir_fd, "cgroup.subtree_control", "memory pids\n");
    assert_int_equal(cgroup_controllers(dir_fd, &available, &handed_on), 0);
    assert_int_equal(available, CGROUP_CONTROLLERS_ALL);
    assert_int_equal(handed_on, CGROUP_CONTROLLER_MEMORY | CGROUP_CONTROLLER_PIDS);
    assert_string_equal(cgroup_controller_name(CGROUP_CONTROLLER_IO), "io");
    assert_null(cgroup_controller_name(CGROUP_CONTROLLERS_ALL));
    fake_close(dir_fd);
}

static void test_cgroup_tree_lives_on_this_host(void **unused)
{
    _cleanup_cgroup_tree_ struct cgroup_tree tree = CGROUP_TREE_NULL;
    _cleanup_close_ int fd = FD_NONE;
    uint32_t handed_on;
    struct error err;
    char name[64];
    bool made;

    if (geteuid() != 0 || cgroup_tree_open(&tree, &err) < 0) {
        fprintf(stderr, "# skipped: needs root and a cgroup v2 hierarchy\n");
        skip();
    }
    snprintf(name, sizeof(name), "hoist-test-%d/a/b", (int)getpid());
    fd = cgroup_make(tree.fd, name, &made, &err);
    assert_true(fd >= 0);
    assert_true(made);
    assert_int_equal(cgroup_is_populated(fd), 0);
    assert_int_equal(
        cgroup_tree_enable(&tree, name, CGROUP_CONTROLLERS_ALL, "leaf", &handed_on, &err), 0);
    assert_int_equal(cgroup_kill(fd, &err), 0);
    *strchr(name, '/') = '\0';
    assert_int_equal(cgroup_remove(tree.fd, name, &err), 0);
    assert_true(cgroup_is_populated(fd) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cgroup_tree_parse_finds_pure_and_hybrid),
        cmocka_unit_test(test_cgroup_tree_parse_follows_the_root_of_the_mount),
        cmocka_unit_test(test_cgroup_tree_parse_says_what_is_missing),
        cmocka_unit_test(test_cgroup_open_refuses_another_file_system),
        cmocka_unit_test(test_cgroup_file_does_not_follow_links),
        cmocka_unit_test(test_cgroup_file_read_knows_its_bounds),
        cmocka_unit_test(test_cgroup_remove_takes_the_whole_tree),
        cmocka_unit_test(test_cgroup_remove_keeps_what_is_in_use),
        cmocka_unit_test(test_cgroup_controllers_reads_those_it_knows),
        cmocka_unit_test(test_cgroup_tree_lives_on_this_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
