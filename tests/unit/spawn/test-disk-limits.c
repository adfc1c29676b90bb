/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "linux/cgroup-limits.h"
#include "spawn/context.h"
#include "spawn/disk-limits.h"
#include "wire/limits.h"

/*
 * Disks whose io.max a kernel refuses, on a /sys of the test's own. 253:1 is made of 253:0, which
 * is made of 8:0 and 8:16.
 */

static unsigned refused_major; /* io.max takes no disk of it */
static int refused_code;

int __wrap_cgroup_limit_apply(int dir_fd, enum cgroup_limit limit, const struct disk *disk,
                              uint64_t value, char *told, size_t size);

int __wrap_cgroup_limit_apply(int dir_fd, enum cgroup_limit limit, const struct disk *disk,
                              uint64_t value, char *told, size_t size)
{
    bool refused = disk->major == refused_major;

    (void)dir_fd, (void)limit, (void)value;
    snprintf(told, size, refused ? "no %u:%u" : "%u:%u", disk->major, disk->minor);
    return refused ? refused_code : 0;
}

static const char *const files[] = {
    "dev/block/8:0/dev=8:0",
    "dev/block/8:16/dev=8:16",
    "dev/block/253:0/slaves/sda/dev=8:0",
    "dev/block/253:0/slaves/sdb/dev=8:16",
    "dev/block/253:1/slaves/dm-0/dev=253:0",
};

struct scene {
    char path[32];
    struct spawn_context context;
    struct disk_set disks;
};

static void file_make(int dir_fd, const char *line)
{
    char path[128];
    char *value, *slash;
    int fd;

    snprintf(path, sizeof(path), "%s", line);
    value = strchr(path, '=');
    *value++ = '\0';
    for (slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdirat(dir_fd, path, 0700);
        *slash = '/';
    }
    fd = openat(dir_fd, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(write(fd, value, strlen(value)) > 0);
    fd_close(fd);
}

static int setup(void **state)
{
    static struct scene scene;

    strcpy(scene.path, "/tmp/hoist-sys-XXXXXX");
    assert_non_null(mkdtemp(scene.path));
    scene.context = (struct spawn_context){
        .sysfs_fd = open(scene.path, O_PATH | O_DIRECTORY | O_CLOEXEC),
    };
    scene.disks = (struct disk_set){.disks = {{253, 1}}, .count = 1};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        file_make(scene.context.sysfs_fd, files[i]);
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    char command[64];

    fd_close(scene->context.sysfs_fd);
    snprintf(command, sizeof(command), "rm -r %s", scene->path);
    return system(command); /* NOLINT(cert-env33-c): a path of our own */
}

static void applies(const struct scene *scene, unsigned major, int code, int wanted,
                    const char *first, const char *other)
{
    char detail[LIMIT_DETAIL_MAX];

    refused_major = major;
    refused_code = code;
    assert_int_equal(
        disk_limits_apply(&scene->context, &scene->disks, 3, CGROUP_LIMIT_IO_READ_BPS, 7, detail),
        wanted);
    if (strcmp(detail, first) != 0)
        assert_string_equal(detail, other);
}

static void test_disk_limits_apply_takes_the_topmost_that_is_taken(void **state)
{
    const struct scene *scene = *state;

    applies(scene, 0, 0, 0, "253:1", "");
    applies(scene, 253, -EINVAL, 0, "8:0, 8:16", "8:16, 8:0");
}

static void test_disk_limits_apply_tells_what_the_lowest_say(void **state)
{
    struct scene *scene = *state;

    scene->disks.disks[0] = (struct disk){8, 0};
    applies(scene, 8, -ENODEV, -ENODEV, "no 8:0", "");
    scene->disks.disks[0] = (struct disk){253, 1};
    applies(scene, 253, -ENOENT, -ENOENT, "no 253:1", ""); /* there is no io.max */
}

static void test_disk_limits_apply_counts_what_it_has_no_room_to_tell(void **state)
{
    struct scene *scene = *state;
    char detail[LIMIT_DETAIL_MAX];

    refused_major = 0;
    scene->disks.count = DISKS_MAX;
    for (unsigned i = 0; i < DISKS_MAX; i++)
        scene->disks.disks[i] = (struct disk){259, 100 + i};
    assert_int_equal(
        disk_limits_apply(&scene->context, &scene->disks, 3, CGROUP_LIMIT_IO_READ_BPS, 7, detail),
        0);
    assert_non_null(strstr(detail, "259:100, 259:101, "));
    assert_non_null(strstr(detail, ", and on 49 more"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disk_limits_apply_takes_the_topmost_that_is_taken,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_limits_apply_tells_what_the_lowest_say, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_disk_limits_apply_counts_what_it_has_no_room_to_tell,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
