/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "linux/mount-table.h"

static const char text[] =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "27 1 254:1 /a\\040b / rw,relatime shared:1 master:2 - ext4 /dev/vda1 rw,discard\n"
    "28 27 0:25 / /mnt/with\\040blank\\134 ro,nosuid - fuse.sshfs host:/x rw,user_id=0\n"
    "29 27 254:2 / /srv rw - xfs /dev/vda2 rw\n"
    "30 27 254:3 / /srv rw - xfs /dev/vda3 rw\n";

static void test_mount_table_parse_takes_all_fields(void **unused)
{
    _cleanup_mount_table_ struct mount_table table = {0};

    assert_int_equal(mount_table_parse(text, &table, NULL), 0);
    assert_int_equal(table.count, 5);
    assert_int_equal(table.entries[1].id, 27);
    assert_int_equal(table.entries[1].parent, 1);
    assert_int_equal(table.entries[1].major, 254);
    assert_int_equal(table.entries[1].minor, 1);
    assert_string_equal(table.entries[1].root, "/a b");
    assert_string_equal(table.entries[1].target, "/");
    assert_string_equal(table.entries[1].options, "rw,relatime");
    assert_string_equal(table.entries[1].type, "ext4");
    assert_string_equal(table.entries[1].source, "/dev/vda1");
    assert_string_equal(table.entries[1].super_options, "rw,discard");
    assert_string_equal(table.entries[2].target, "/mnt/with blank\\");
}

static void test_mount_table_parse_refuses_what_is_no_mountinfo(void **unused)
{
    static const char *const bad[] = {
        "hello\n",
        "22 27 0:21 / /proc rw,relatime\n",
        "22 27 0:21 / /proc rw,relatime - proc proc\n",
        "22 27 0 / /proc rw - proc proc rw\n",
        "x 27 0:21 / /proc rw - proc proc rw\n",
        "22 27 0:21 / proc rw - proc proc rw\n",
        "22\n",
        "\n",
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_mount_table_ struct mount_table table = {0};
        struct error err;

        assert_int_equal(mount_table_parse(bad[i], &table, &err), -EBADMSG);
        assert_string_equal(err.text, "line 1 of mountinfo is malformed");
    }
}

static void test_mount_table_parse_takes_an_empty_file(void **unused)
{
    _cleanup_mount_table_ struct mount_table table = {0};

    assert_int_equal(mount_table_parse("", &table, NULL), 0);
    assert_int_equal(table.count, 0);
}

static void test_mount_table_read_knows_our_own_proc(void **unused)
{
    _cleanup_mount_table_ struct mount_table table = {0};

    assert_int_equal(mount_table_read(&table, NULL), 0);
    assert_string_equal(mount_table_find(&table, "/proc/self/status")->type, "proc");
}

static void test_mount_table_find_takes_the_longest_and_the_last(void **unused)
{
    _cleanup_mount_table_ struct mount_table table = {0};

    assert_int_equal(mount_table_parse(text, &table, NULL), 0);
    assert_ptr_equal(mount_table_find(&table, "/srv"), &table.entries[4]);
    assert_ptr_equal(mount_table_find(&table, "/srv/x"), &table.entries[4]);
    assert_ptr_equal(mount_table_find(&table, "/srvx"), &table.entries[1]);
    assert_ptr_equal(mount_table_find(&table, "/proc/1"), &table.entries[0]);
    assert_ptr_equal(mount_table_find(&table, "/srv/x/"), &table.entries[4]);
    assert_ptr_equal(mount_table_find(&table, "/"), &table.entries[1]);
    assert_ptr_equal(mount_table_find(&table, "/mnt/with blank\\/y"), &table.entries[2]);
    assert_ptr_equal(mount_table_find(&table, "/mnt/with"), &table.entries[1]);
    assert_null(mount_table_find(&table, "srv"));
}

static void test_mount_table_parse_marks_what_is_covered(void **unused)
{
    static const char text_of_stacks[] = "27 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
                                         "28 27 254:2 / /srv rw - xfs /dev/vda2 rw\n"
                                         "29 28 254:3 / /srv/x rw - xfs /dev/vda3 rw\n"
                                         "30 28 254:4 / /srv rw - xfs /dev/vda4 rw\n"
                                         "31 27 254:5 / /srvx rw - xfs /dev/vda5 rw\n"
                                         "32 27 0:5 / / rw - tmpfs none rw\n"
                                         "33 30 254:6 / /srv rw - xfs /dev/vda6 rw\n";
    static const bool covered[] = {true, true, false, true, false, false, false};
    _cleanup_mount_table_ struct mount_table table = {0};

    assert_int_equal(mount_table_parse(text_of_stacks, &table, NULL), 0);
    assert_int_equal(table.count, ARRAY_SIZE(covered));
    for (size_t i = 0; i < table.count; i++) {
        const struct mount_entry *entry = &table.entries[i];

        assert_int_equal(entry->covered, covered[i]);
        assert_int_equal(entry->covered, mount_table_find(&table, entry->target) != entry);
    }
}

static void test_mount_table_find_knows_what_holds_no_path(void **unused)
{
    static const char chroot[] = "22 27 0:21 / /proc rw,relatime - proc proc rw\n";
    _cleanup_mount_table_ struct mount_table table = {0}, none = {0};

    assert_int_equal(mount_table_parse(chroot, &table, NULL), 0);
    assert_ptr_equal(mount_table_find(&table, "/proc/1"), &table.entries[0]);
    assert_null(mount_table_find(&table, "/process"));
    assert_null(mount_table_find(&table, "/"));
    assert_int_equal(mount_table_parse("", &none, NULL), 0);
    assert_null(mount_table_find(&none, "/proc"));
}

/* As the kernel has it when Y, which was mounted on /mnt/a/d, has come to its slave /mnt/b. */
static void test_mount_table_find_takes_what_a_propagated_mount_was_put_below(void **unused)
{
    static const char tucked[] = "68 27 0:39 / /mnt rw - tmpfs base rw\n"
                                 "71 68 0:40 / /mnt/b rw master:2 - tmpfs s rw\n"
                                 "72 74 0:41 / /mnt/b/d rw - tmpfs X rw\n"
                                 "74 71 0:42 / /mnt/b/d rw master:3 - tmpfs Y rw\n";
    _cleanup_mount_table_ struct mount_table table = {0};

    assert_int_equal(mount_table_parse(tucked, &table, NULL), 0);
    assert_string_equal(mount_table_find(&table, "/mnt/b/d/x")->source, "X");
    assert_false(table.entries[2].covered);
    assert_true(table.entries[3].covered);
}

static void test_path_is_below_ends_at_names(void **unused)
{
    assert_true(path_is_below("/a/b", "/a"));
    assert_true(path_is_below("/a", "/a"));
    assert_true(path_is_below("/a", "/"));
    assert_true(path_is_below("/", "/"));
    assert_true(path_is_below("/a/b", "/a/"));
    assert_false(path_is_below("/ab", "/a"));
    assert_false(path_is_below("/", "/a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mount_table_parse_takes_all_fields),
        cmocka_unit_test(test_mount_table_parse_refuses_what_is_no_mountinfo),
        cmocka_unit_test(test_mount_table_parse_takes_an_empty_file),
        cmocka_unit_test(test_mount_table_read_knows_our_own_proc),
        cmocka_unit_test(test_mount_table_find_takes_the_longest_and_the_last),
        cmocka_unit_test(test_mount_table_parse_marks_what_is_covered),
        cmocka_unit_test(test_mount_table_find_knows_what_holds_no_path),
        cmocka_unit_test(test_mount_table_find_takes_what_a_propagated_mount_was_put_below),
        cmocka_unit_test(test_path_is_below_ends_at_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
