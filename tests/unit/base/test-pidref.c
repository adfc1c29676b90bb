/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/pidref.h"

static pid_t child_that_waits(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        for (;;)
            pause();
    }
    return pid;
}

static void test_pidref_reopen_compares_the_start_time(void **unused)
{
    _cleanup_pidref_ struct pidref ref = PIDREF_NULL;
    pid_t pid = child_that_waits();
    uint64_t start;

    (void)unused;
    assert_int_equal(pid_start_time(pid, &start), 0);
    assert_int_equal(pidref_reopen(pid, start + 1, &ref), -ESRCH);
    assert_int_equal(ref.fd, FD_NONE);
    assert_int_equal(pidref_reopen(pid, start, &ref), 0);
    assert_false(pidref_has_ended(&ref));
    assert_int_equal(pidref_kill(&ref, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(pidref_has_ended(&ref));
    assert_int_equal(pidref_kill(&ref, SIGTERM), -ESRCH);
    assert_int_equal(pidref_reopen(pid, start, &ref), -ESRCH);
}

struct thread {
    pthread_t thread;
    pid_t tid;
    pthread_barrier_t known, done;
};

static void *stay(void *data)
{
    struct thread *thread = data;

    thread->tid = (pid_t)syscall(SYS_gettid);
    pthread_barrier_wait(&thread->known);
    pthread_barrier_wait(&thread->done);
    return NULL;
}

/* A thread's id is out of the same numbers: it may be one that a process had before. */
static void test_pidref_reopen_takes_no_thread_for_a_process(void **unused)
{
    _cleanup_pidref_ struct pidref ref = PIDREF_NULL;
    struct thread thread;
    uint64_t start;

    (void)unused;
    assert_int_equal(pthread_barrier_init(&thread.known, NULL, 2), 0);
    assert_int_equal(pthread_barrier_init(&thread.done, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread.thread, NULL, stay, &thread), 0);
    pthread_barrier_wait(&thread.known);
    assert_int_equal(pid_start_time(thread.tid, &start), 0);
    assert_int_equal(pidref_reopen(thread.tid, start, &ref), -ESRCH);
    assert_int_equal(pidref_reopen(thread.tid, start + 1, &ref), -ESRCH);
    assert_int_equal(ref.fd, FD_NONE);
    pthread_barrier_wait(&thread.done);
    assert_int_equal(pthread_join(thread.thread, NULL), 0);
    pthread_barrier_destroy(&thread.known);
    pthread_barrier_destroy(&thread.done);
}

static void test_pidref_queue_delivers_the_value(void **unused)
{
    _cleanup_pidref_ struct pidref ref = PIDREF_NULL;
    sigset_t set;
    siginfo_t info;
    uint64_t start;

    (void)unused;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    assert_int_equal(pid_start_time(getpid(), &start), 0);
    assert_int_equal(pidref_reopen(getpid(), start, &ref), 0);
    assert_int_equal(pidref_queue(&ref, SIGRTMIN + 3, 0x1234567), 0);
    assert_int_equal(sigwaitinfo(&set, &info), SIGRTMIN + 3);
    assert_int_equal(info.si_value.sival_int, 0x1234567);
}

static void test_boot_id_read_is_stable(void **unused)
{
    struct id a, b;

    (void)unused;
    assert_int_equal(boot_id_read(&a), 0);
    assert_int_equal(boot_id_read(&b), 0);
    assert_true(id_equal(&a, &b));
    assert_false(id_is_nil(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pidref_reopen_compares_the_start_time),
        cmocka_unit_test(test_pidref_reopen_takes_no_thread_for_a_process),
        cmocka_unit_test(test_pidref_queue_delivers_the_value),
        cmocka_unit_test(test_boot_id_read_is_stable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
