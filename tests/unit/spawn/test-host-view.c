/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/strv.h"
#include "spawn/host-view.h"

static char root[] = "/tmp/hoist-test-XXXXXX";
static const char *const none[] = {NULL};

static void make(int (*maker)(const char *path), const char *path)
{
    _cleanup_free_ char *whole = text_format("%s%s", root, path);

    assert_int_equal(maker(whole), 0);
}

static int directory(const char *path)
{
    return mkdir(path, 0755);
}

static int file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    return fd < 0 ? -1 : close(fd);
}

static int link_to_usr(const char *path)
{
    return symlink("usr/bin", path);
}

static int setup(void **unused)
{
    assert_non_null(mkdtemp(root));
    make(directory, "/usr");
    make(directory, "/usr/bin");
    make(directory, "/var");
    make(directory, "/var/lib");
    make(directory, "/var/lib/hoist");
    make(directory, "/home");
    make(directory, "/proc");
    make(link_to_usr, "/bin");
    make(file, "/swapfile");
    return 0;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    return remove(path);
}

static int teardown(void **unused)
{
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct host_entry *entry_find(const struct host_view *view, const char *path)
{
    for (size_t i = 0; i < view->count; i++)
        if (text_equal(view->entries[i].path, path))
            return &view->entries[i];
    return NULL;
}

static void assert_entry(const struct host_view *view, const char *path, enum host_entry_kind kind,
                         const char *link)
{
    const struct host_entry *entry = entry_find(view, path);

    if (!entry)
        fail_msg("%s is missing", path);
    else
        assert_true(entry->kind == kind && text_equal(entry->link, link));
}

static void test_host_view_make_tells_kinds_apart(void **unused)
{
    static const char *const own[] = {"/proc", NULL}, *const hidden[] = {"/home", NULL};
    _cleanup_(host_view_done) struct host_view view = {0};

    assert_int_equal(host_view_make(root, own, hidden, NULL, &view, NULL), 0);
    assert_entry(&view, "/usr", HOST_ENTRY_SHOWN, NULL);
    assert_entry(&view, "/home", HOST_ENTRY_EMPTY, NULL);
    assert_entry(&view, "/bin", HOST_ENTRY_LINK, "usr/bin");
    assert_null(entry_find(&view, "/proc"));
    assert_null(entry_find(&view, "/swapfile"));
    assert_null(view.covered);
}

static void test_host_view_make_covers_what_lies_deeper(void **unused)
{
    static const char *const hidden[] = {"/home/alice", "/var/lib/hoist", NULL};
    static const char *const more[] = {"/bin/secret", "/usr/not-yet", "/home", NULL};
    _cleanup_(host_view_done) struct host_view view = {0};

    assert_int_equal(host_view_make(root, none, hidden, more, &view, NULL), 0);
    assert_int_equal(strv_length(view.covered), 3);
    assert_string_equal(view.covered[0], "/home/alice"); /* /home itself is hidden later */
    assert_string_equal(view.covered[1], "/var/lib/hoist");
    assert_string_equal(view.covered[2], "/usr/not-yet");
    assert_entry(&view, "/home", HOST_ENTRY_EMPTY, NULL);
}

static void test_host_view_make_refuses_a_relative_path(void **unused)
{
    static const char *const hidden[] = {"home", NULL};
    struct host_view view = {0};
    struct error err;

    assert_int_equal(host_view_make(root, none, hidden, NULL, &view, &err), -EINVAL);
    assert_int_equal(host_view_make("/no/such/root", none, none, NULL, &view, &err), -ENOENT);
    assert_null(view.entries);
}

static void test_host_view_shows_neither_hidden_nor_own_places(void **unused)
{
    static const char *const own[] = {"/proc", NULL};
    static const char *const hidden[] = {"/home", "/var/lib/hoist", NULL};
    _cleanup_(host_view_done) struct host_view view = {0};

    assert_int_equal(host_view_make(root, own, hidden, NULL, &view, NULL), 0);
    assert_true(host_view_shows(&view, "/usr"));
    assert_true(host_view_shows(&view, "/usr/local"));
    assert_true(host_view_shows(&view, "/var/lib"));
    assert_false(host_view_shows(&view, "/var/lib/hoist/jobs"));
    assert_false(host_view_shows(&view, "/home/alice"));
    assert_false(host_view_shows(&view, "/proc/sys"));
    assert_false(host_view_shows(&view, "/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_view_make_tells_kinds_apart),
        cmocka_unit_test(test_host_view_make_covers_what_lies_deeper),
        cmocka_unit_test(test_host_view_make_refuses_a_relative_path),
        cmocka_unit_test(test_host_view_shows_neither_hidden_nor_own_places),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
