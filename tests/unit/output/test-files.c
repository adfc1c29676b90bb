/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "fixture.h"

static void test_output_files_create_makes_private_files_with_a_header(void **unused)
{
    struct fixture fixture;
    struct output_files again;
    struct stat status;
    struct error err;

    (void)unused;
    (void)umask(0);
    fixture_begin(&fixture, true);
    for (unsigned i = 0; i < 2; i++) {
        int fd = i == 0 ? fixture.files.data : fixture.files.index;

        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(status.st_mode, S_IFREG | 0600);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    }
    assert_true(fcntl(fixture.files.data, F_GETFL) & O_APPEND);
    assert_int_equal(fixture_size(fixture.files.data), 0);
    assert_int_equal(fixture_size(fixture.files.index), OUTPUT_HEADER_SIZE);
    assert_int_equal(fixture.writer.header.flags, OUTPUT_HEADER_MERGED);
    assert_int_equal(fixture.writer.header.created, 1000);
    assert_true(id_equal(&fixture.writer.header.job, &fixture.job));
    assert_int_equal(output_files_create(fixture.dir_fd, &fixture.job, true, 1, &again, &err),
                     -EEXIST);
    fixture_end(&fixture);
}

static void test_output_files_create_leaves_nothing_when_it_fails(void **unused)
{
    struct fixture fixture;
    struct output_files files;
    struct error err;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(unlinkat(fixture.dir_fd, "output", 0), 0);
    /* The index is there: the data file that was made for it has to go again. */
    assert_int_equal(output_files_create(fixture.dir_fd, &fixture.job, false, 1, &files, &err),
                     -EEXIST);
    assert_int_equal(faccessat(fixture.dir_fd, "output", F_OK, 0), -1);
    fixture_end(&fixture);
}

static void check_header(const struct fixture *fixture, int result)
{
    uint8_t bytes[OUTPUT_HEADER_SIZE];
    struct output_header header;

    assert_int_equal(output_files_restore_header(&fixture->files, &fixture->job, true, 2000, NULL),
                     0);
    assert_int_equal(fd_pread_full(fixture->files.index, bytes, sizeof(bytes), 0), 0);
    assert_int_equal(output_header_decode(bytes, &header), result);
    if (result < 0)
        return;
    assert_true(id_equal(&header.job, &fixture->job));
    assert_int_equal(header.flags, OUTPUT_HEADER_MERGED);
}

static void test_output_files_restore_header_writes_where_none_is(void **unused)
{
    static const uint8_t zeros[OUTPUT_HEADER_SIZE];
    struct fixture fixture;

    (void)unused;
    fixture_begin(&fixture, true);
    check_header(&fixture, 0);
    assert_int_equal(ftruncate(fixture.files.index, 0), 0);
    check_header(&fixture, 0);
    fixture_overwrite(fixture.files.index, 0, zeros, sizeof(zeros));
    check_header(&fixture, 0);
    fixture_overwrite(fixture.files.index, 8, "damage", 6);
    check_header(&fixture, -EBADMSG);
    fixture_end(&fixture);
}

static void test_output_files_restore_makes_what_is_missing(void **unused)
{
    _cleanup_output_files_ struct output_files files = OUTPUT_FILES_NULL;
    struct fixture fixture;
    struct stat status;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(unlinkat(fixture.dir_fd, "index", 0), 0);
    assert_int_equal(fd_write_full(fixture.files.data, "kept", 4), 0);
    assert_int_equal(output_files_restore(fixture.dir_fd, NULL), 0);
    assert_int_equal(output_files_open_for_sealing(fixture.dir_fd, &files, NULL), 0);
    assert_int_equal(fstat(files.index, &status), 0);
    assert_int_equal(status.st_size, 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(fstat(files.data, &status), 0);
    assert_int_equal(status.st_size, 4);
    fixture_end(&fixture);
}

static void test_output_files_open_refuses_links_and_other_kinds(void **unused)
{
    struct fixture fixture;
    struct output_files files;
    struct error err;

    (void)unused;
    fixture_begin(&fixture, false);
    assert_int_equal(unlinkat(fixture.dir_fd, "output", 0), 0);
    assert_int_equal(output_files_open(fixture.dir_fd, &files, &err), -ENOENT);
    assert_int_equal(symlinkat("index", fixture.dir_fd, "output"), 0);
    assert_int_equal(output_files_open(fixture.dir_fd, &files, &err), -ELOOP);
    assert_int_equal(unlinkat(fixture.dir_fd, "output", 0), 0);
    assert_int_equal(mkfifoat(fixture.dir_fd, "output", 0600), 0);
    assert_int_equal(output_files_open(fixture.dir_fd, &files, &err), -EBADMSG);
    fixture_end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_files_create_makes_private_files_with_a_header),
        cmocka_unit_test(test_output_files_create_leaves_nothing_when_it_fails),
        cmocka_unit_test(test_output_files_restore_header_writes_where_none_is),
        cmocka_unit_test(test_output_files_restore_makes_what_is_missing),
        cmocka_unit_test(test_output_files_open_refuses_links_and_other_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
