/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "wire/state-file.h"

#define SLOT 512

static const struct id job = {{1, 2, 3}}, boot = {{9, 8, 7}};

static const struct state_progress running = {
    .phase = STATE_PHASE_STOPPING,
    .flags = STATE_WAITING_FOR_DISK,
    .command_pid = 2,
    .started_wall = 100,
    .started_boot = 50,
    .stop_reason = STATE_STOP_TIMEOUT,
    .stop_signal = SIGTERM,
    .stop_wall = 110,
    .kill_boot = 70,
    .killed = true,
    .error_code = -ENOSPC,
    .totals = {11, 12},
    .gap_start = 3,
    .gap_end = 5,
};

static const struct state_exit ended = {
    .flags = STATE_EXIT_STOPPED | STATE_EXIT_KILLED,
    .code = CLD_KILLED,
    .status = SIGKILL,
    .stop_reason = STATE_STOP_REQUEST,
    .stop_signal = SIGTERM,
    .started_wall = 1,
    .ended_wall = 2,
    .started_boot = 3,
    .ended_boot = 4,
    .totals = {5, 6},
    .output_end = 11,
    .cpu_user = 7,
    .cpu_system = 8,
    .max_rss = 9,
};

static int new_file(void)
{
    int fd = memfd_create("state", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(state_file_create(fd, &job, &boot, NULL), 0);
    return fd;
}

static struct state_file must_read(int fd)
{
    struct state_file file;
    struct error err = {0};

    if (state_file_read(fd, &file, &err) < 0)
        fail_msg("%s", err.text);
    return file;
}

static void flip(int fd, off_t offset)
{
    uint8_t byte;

    assert_int_equal(fd_pread_full(fd, &byte, 1, offset), 0);
    byte ^= 0x10;
    assert_int_equal(fd_pwrite_full(fd, &byte, 1, offset), 0);
}

static void test_file_whose_creator_was_cut_off_is_unwritten(void **unused)
{
    int fd = memfd_create("state", MFD_CLOEXEC), written = new_file();

    (void)unused;
    assert_true(fd >= 0);
    assert_true(state_file_is_unwritten(fd));
    assert_int_equal(ftruncate(fd, STATE_FILE_SIZE), 0);
    assert_true(state_file_is_unwritten(fd));
    flip(fd, STATE_FILE_SIZE - 1);
    assert_false(state_file_is_unwritten(fd));
    assert_false(state_file_is_unwritten(written));
    (void)fd_close(fd);
    (void)fd_close(written);
}

static void test_state_file_create_is_full_and_says_nothing(void **unused)
{
    int fd = new_file();
    struct state_file file = must_read(fd);
    struct stat status;

    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, STATE_FILE_SIZE);
    assert_true(status.st_blocks * 512 >= STATE_FILE_SIZE);
    assert_true(id_equal(&file.job, &job));
    assert_true(id_equal(&file.boot, &boot));
    assert_int_equal(file.progress.phase, STATE_PHASE_CREATED);
    assert_int_equal(file.progress.sequence, 0);
    assert_false(file.has_process);
    assert_false(file.has_exit);
    (void)fd_close(fd);
}

static void test_state_file_write_progress_round_trips(void **unused)
{
    int fd = new_file();
    struct state_progress progress = running;
    struct state_file file;

    strcpy(progress.sentence, "the disk is full");
    assert_int_equal(state_file_write_progress(fd, &progress), 0);
    assert_int_equal(progress.sequence, 1);
    file = must_read(fd);
    assert_memory_equal(&file.progress, &progress, sizeof(progress));
    (void)fd_close(fd);
}

static void test_state_file_read_takes_the_newest_progress(void **unused)
{
    int fd = new_file();
    struct state_progress progress = running;

    for (uint64_t i = 1; i <= 5; i++) {
        progress.totals[0] = i;
        assert_int_equal(state_file_write_progress(fd, &progress), 0);
        assert_int_equal(must_read(fd).progress.sequence, i);
        assert_int_equal(must_read(fd).progress.totals[0], i);
    }
    (void)fd_close(fd);
}

static void test_state_file_write_process_round_trips(void **unused)
{
    int fd = new_file();
    struct state_file file;

    assert_int_equal(state_file_write_process(fd, 4711, 123456789), 0);
    file = must_read(fd);
    assert_true(file.has_process);
    assert_int_equal(file.pid, 4711);
    assert_int_equal(file.start_time, 123456789);
    (void)fd_close(fd);
}

static void test_state_file_write_exit_round_trips(void **unused)
{
    int fd = new_file();
    struct state_file file;

    assert_int_equal(state_file_write_exit(fd, &ended), 0);
    file = must_read(fd);
    assert_true(file.has_exit);
    assert_memory_equal(&file.exit, &ended, sizeof(ended));
    (void)fd_close(fd);
}

/* A power loss in the middle of the newest write: the one before counts. */
static void test_state_file_read_falls_back_from_torn_progress(void **unused)
{
    int fd = new_file();
    struct state_progress progress = running;

    assert_int_equal(state_file_write_progress(fd, &progress), 0);
    progress.phase = STATE_PHASE_DRAINING;
    assert_int_equal(state_file_write_progress(fd, &progress), 0);
    flip(fd, 3 * SLOT + 100);
    assert_int_equal(must_read(fd).progress.phase, STATE_PHASE_STOPPING);
    assert_int_equal(must_read(fd).progress.sequence, 1);
    (void)fd_close(fd);
}

static void test_state_file_read_never_believes_a_torn_exit(void **unused)
{
    int fd = new_file();

    assert_int_equal(state_file_write_exit(fd, &ended), 0);
    for (off_t at = 0; at < SLOT; at++) {
        flip(fd, 4 * SLOT + at);
        assert_false(must_read(fd).has_exit);
        flip(fd, 4 * SLOT + at);
    }
    assert_true(must_read(fd).has_exit);
    (void)fd_close(fd);
}

/* A slot that checks, at another slot's place. */
static void test_state_file_read_knows_a_slot_from_another(void **unused)
{
    int fd = new_file();
    struct state_progress progress = running;
    uint8_t slot[SLOT];

    assert_int_equal(state_file_write_progress(fd, &progress), 0);
    assert_int_equal(fd_pread_full(fd, slot, SLOT, 2 * SLOT), 0);
    assert_int_equal(fd_pwrite_full(fd, slot, SLOT, 4 * SLOT), 0);
    assert_false(must_read(fd).has_exit);
    (void)fd_close(fd);
}

static void test_state_file_read_refuses_other_files(void **unused)
{
    int fd = new_file();
    struct state_file file;
    struct error err;

    flip(fd, 20);
    assert_int_equal(state_file_read(fd, &file, &err), -EPROTO);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(state_file_read(fd, &file, &err), -ENODATA);
    (void)fd_close(fd);
}

static void assert_nonsense(const struct state_progress *progress)
{
    int fd = new_file();
    struct state_progress copy = *progress;
    struct state_file file;

    assert_int_equal(state_file_write_progress(fd, &copy), 0);
    assert_int_equal(state_file_read(fd, &file, NULL), -EPROTO);
    (void)fd_close(fd);
}

/* It checks, but hoist-init would never say so. */
static void test_state_file_read_refuses_nonsense(void **unused)
{
    struct state_exit exit = ended;
    struct state_file file;
    int fd = new_file();

    assert_nonsense(&(struct state_progress){.phase = _STATE_PHASE_MAX});
    assert_nonsense(&(struct state_progress){.flags = 1u << 20});
    assert_nonsense(&(struct state_progress){.stop_reason = _STATE_STOP_REASON_MAX});
    assert_nonsense(&(struct state_progress){.stop_signal = 65});
    assert_nonsense(&(struct state_progress){.gap_start = 2, .gap_end = 1});
    assert_nonsense(&(struct state_progress){.failure = _SPAWN_FAILURE_MAX});
    assert_nonsense(&(struct state_progress){.error_code = 5});
    exit.code = CLD_EXITED;
    exit.status = 256;
    assert_int_equal(state_file_write_exit(fd, &exit), 0);
    assert_int_equal(state_file_read(fd, &file, NULL), -EPROTO);
    exit.code = CLD_STOPPED;
    exit.status = 0;
    assert_int_equal(state_file_write_exit(fd, &exit), 0);
    assert_int_equal(state_file_read(fd, &file, NULL), -EPROTO);
    (void)fd_close(fd);
}

static void test_state_file_write_progress_ends_a_long_sentence(void **unused)
{
    int fd = new_file();
    struct state_progress progress = running;

    memset(progress.sentence, 'x', sizeof(progress.sentence));
    assert_int_equal(state_file_write_progress(fd, &progress), 0);
    assert_int_equal(strlen(must_read(fd).progress.sentence), STATE_SENTENCE_MAX - 1);
    (void)fd_close(fd);
}

/* One process writes as fast as it can, the other reads: every value is one that was written. */
static void test_state_file_read_beside_a_writer(void **unused)
{
    int fd = new_file(), status;
    struct state_progress progress = running;
    uint64_t last = 0;
    pid_t writer = fork();

    if (writer == 0) {
        for (uint64_t i = 1; i <= 200000; i++) {
            progress.totals[0] = progress.totals[1] = i;
            (void)state_file_write_progress(fd, &progress);
        }
        _exit(0);
    }
    while (waitpid(writer, &status, WNOHANG) == 0) {
        struct state_file file = must_read(fd);

        if (file.progress.sequence == 0)
            continue;
        assert_int_equal(file.progress.totals[0], file.progress.sequence);
        assert_int_equal(file.progress.totals[1], file.progress.sequence);
        assert_true(file.progress.sequence >= last);
        last = file.progress.sequence;
    }
    assert_int_equal(must_read(fd).progress.sequence, 200000);
    (void)fd_close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_whose_creator_was_cut_off_is_unwritten),
        cmocka_unit_test(test_state_file_create_is_full_and_says_nothing),
        cmocka_unit_test(test_state_file_write_progress_round_trips),
        cmocka_unit_test(test_state_file_read_takes_the_newest_progress),
        cmocka_unit_test(test_state_file_write_process_round_trips),
        cmocka_unit_test(test_state_file_write_exit_round_trips),
        cmocka_unit_test(test_state_file_read_falls_back_from_torn_progress),
        cmocka_unit_test(test_state_file_read_never_believes_a_torn_exit),
        cmocka_unit_test(test_state_file_read_knows_a_slot_from_another),
        cmocka_unit_test(test_state_file_read_refuses_other_files),
        cmocka_unit_test(test_state_file_read_refuses_nonsense),
        cmocka_unit_test(test_state_file_write_progress_ends_a_long_sentence),
        cmocka_unit_test(test_state_file_read_beside_a_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
