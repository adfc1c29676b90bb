/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/resource.h>

#include "fixture.h"
#include "output/watch.h"

static void count_call(void *userdata)
{
    ++*(unsigned *)userdata;
}

/* Waits for something to do and does it; false: nothing came within `msec`. */
static bool dispatch(struct output_watch *watch, int msec)
{
    if (!fixture_wait(watch, msec))
        return false;
    assert_int_equal(output_watch_dispatch(watch), 0);
    return true;
}

static void test_output_watch_follow_tells_all_followers_of_a_job(void **unused)
{
    struct fixture one, two;
    struct output_watch *watch = NULL;
    struct output_follower *a, *b, *c;
    unsigned a_calls = 0, b_calls = 0, c_calls = 0;

    (void)unused;
    fixture_begin(&one, false);
    fixture_begin(&two, false);
    assert_int_equal(output_watch_new(&watch, NULL), 0);
    assert_int_equal(
        output_watch_follow(watch, one.index_path, one.files.index, count_call, &a_calls, &a), 0);
    {
        /* Another descriptor of the same file: still one watch. */
        _cleanup_output_files_ struct output_files files = OUTPUT_FILES_NULL;

        assert_int_equal(output_files_open(one.dir_fd, &files, NULL), 0);
        assert_int_equal(
            output_watch_follow(watch, one.index_path, files.index, count_call, &b_calls, &b), 0);
    }
    assert_int_equal(
        output_watch_follow(watch, two.index_path, two.files.index, count_call, &c_calls, &c), 0);
    assert_int_equal(output_watch_count(watch), 2);
    assert_false(dispatch(watch, 0));

    fixture_append(&one, OUTPUT_STREAM_STDOUT, "x", 1, 1);
    assert_true(dispatch(watch, 10000));
    assert_int_equal(a_calls, 1);
    assert_int_equal(b_calls, 1);
    assert_int_equal(c_calls, 0);

    output_follower_leave(a);
    assert_int_equal(output_watch_count(watch), 2);
    fixture_append(&one, OUTPUT_STREAM_STDOUT, "y", 1, 1);
    assert_true(dispatch(watch, 10000));
    assert_int_equal(a_calls, 1);
    assert_int_equal(b_calls, 2);
    output_follower_leave(b);
    assert_int_equal(output_watch_count(watch), 1);
    output_follower_leave(c);
    assert_int_equal(output_watch_count(watch), 0);
    output_watch_free(watch);
    fixture_end(&one);
    fixture_end(&two);
}

struct leaver {
    struct output_follower *self, *other;
    unsigned calls;
};

static void leave_both(void *userdata)
{
    struct leaver *leaver = userdata;

    leaver->calls++;
    leaver->other = output_follower_leave(leaver->other);
    leaver->self = output_follower_leave(leaver->self);
}

static void test_output_follower_leave_may_be_called_from_a_callback(void **unused)
{
    struct fixture fixture;
    struct output_watch *watch = NULL;
    struct leaver a = {}, b = {};

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(output_watch_new(&watch, NULL), 0);
    assert_int_equal(output_watch_follow(watch, fixture.index_path, fixture.files.index, leave_both,
                                         &a, &a.self),
                     0);
    assert_int_equal(output_watch_follow(watch, fixture.index_path, fixture.files.index, leave_both,
                                         &b, &b.self),
                     0);
    a.other = b.self;
    b.other = a.self;
    fixture_append(&fixture, OUTPUT_STREAM_STDOUT, "x", 1, 1);
    assert_true(dispatch(watch, 10000));
    assert_int_equal(a.calls + b.calls, 1);
    assert_int_equal(output_watch_count(watch), 0);
    output_watch_free(watch);
    fixture_end(&fixture);
}

static int lowest_free_fd(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);

    fd_close(fd);
    return fd;
}

static void test_output_watch_follow_leaves_nothing_after_many_cycles(void **unused)
{
    struct fixture fixture;
    struct output_watch *watch = NULL;
    unsigned calls = 0;
    int before, after;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(output_watch_new(&watch, NULL), 0);
    before = lowest_free_fd();
    for (unsigned i = 0; i < 10000; i++) {
        struct output_follower *follower;

        assert_int_equal(output_watch_follow(watch, fixture.index_path, fixture.files.index,
                                             count_call, &calls, &follower),
                         0);
        output_follower_leave(follower);
    }
    after = lowest_free_fd();
    assert_int_equal(after, before);
    assert_int_equal(output_watch_count(watch), 0);
    while (dispatch(watch, 0))
        ;
    assert_int_equal(calls, 0);
    output_watch_free(watch);
    fixture_end(&fixture);
}

static void test_output_watch_follow_polls_what_the_kernel_refuses(void **unused)
{
    struct output_watch *watch = NULL;
    struct output_follower *follower;
    unsigned calls = 0;

    (void)unused;
    assert_int_equal(output_watch_new(&watch, NULL), 0);
    /* No such file, so no watch: the refusal that needs no privilege to provoke. */
    assert_int_equal(
        output_watch_follow(watch, "/no/such/file", STDIN_FILENO, count_call, &calls, &follower),
        0);
    assert_int_equal(output_watch_polled(watch), 1);
    assert_int_equal(output_watch_trouble(watch), -ENOENT);
    assert_true(dispatch(watch, 10000));
    assert_true(dispatch(watch, 10000));
    assert_int_equal(calls, 2);
    output_follower_leave(follower);
    assert_int_equal(output_watch_polled(watch), 0);
    assert_false(dispatch(watch, 3 * OUTPUT_WATCH_POLL_MSEC));
    output_watch_free(watch);
}

/* Somebody has moved the directory and put another one in its place. */
static void test_output_watch_follow_polls_what_is_elsewhere(void **unused)
{
    struct fixture one, two;
    struct output_watch *watch = NULL;
    struct output_follower *follower;
    unsigned calls = 0;

    (void)unused;
    fixture_begin(&one, false);
    fixture_begin(&two, false);
    assert_int_equal(output_watch_new(&watch, NULL), 0);
    assert_int_equal(
        output_watch_follow(watch, two.index_path, one.files.index, count_call, &calls, &follower),
        0);
    assert_int_equal(output_watch_polled(watch), 1);
    assert_int_equal(output_watch_trouble(watch), -ESTALE);
    assert_true(dispatch(watch, 10000));
    assert_int_equal(calls, 1);
    output_follower_leave(follower);
    output_watch_free(watch);
    fixture_end(&one);
    fixture_end(&two);
}

static void test_output_watch_new_works_without_inotify(void **unused)
{
    struct fixture fixture;
    struct output_watch *watch = NULL;
    struct output_follower *follower;
    struct rlimit before, tight;
    unsigned calls = 0;
    int next;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    next = lowest_free_fd();
    /* Room for the timer, not for inotify. */
    tight = (struct rlimit){.rlim_cur = (rlim_t)next + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    assert_int_equal(output_watch_new(&watch, NULL), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(output_watch_trouble(watch), -EMFILE);
    assert_int_equal(output_watch_follow(watch, fixture.index_path, fixture.files.index, count_call,
                                         &calls, &follower),
                     0);
    assert_true(dispatch(watch, 10000));
    assert_int_equal(calls, 1);
    output_follower_leave(follower);
    output_watch_free(watch);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_watch_follow_tells_all_followers_of_a_job),
        cmocka_unit_test(test_output_follower_leave_may_be_called_from_a_callback),
        cmocka_unit_test(test_output_watch_follow_leaves_nothing_after_many_cycles),
        cmocka_unit_test(test_output_watch_follow_polls_what_the_kernel_refuses),
        cmocka_unit_test(test_output_watch_follow_polls_what_is_elsewhere),
        cmocka_unit_test(test_output_watch_new_works_without_inotify),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
