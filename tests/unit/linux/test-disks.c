/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/strv.h"
#include "fixture.h"
#include "linux/disks.h"
#include "linux/mount-table.h"

#define MINOR_MANY 100 /* DISKS_MAX + 1 more partitions of 8:0, from here on */

/* A disk 8:0 with partition 8:1, dm device 253:0, NVMe disk 259:0 with partition 259:2. */
static int sysfs_open(void)
{
    int dir_fd = fake_open();

    fake_file(dir_fd, "devices/pci/block/sda/dev", "8:0\n");
    fake_file(dir_fd, "devices/pci/block/sda/sda1/dev", "8:1\n");
    fake_file(dir_fd, "devices/pci/block/sda/sda1/partition", "1\n");
    fake_file(dir_fd, "devices/virtual/block/dm-0/dev", "253:0\n");
    fake_file(dir_fd, "devices/pci/nvme/nvme0n1/dev", "259:0\n");
    fake_file(dir_fd, "devices/pci/nvme/nvme0n1/nvme0n1p2/dev", "259:2\n");
    fake_file(dir_fd, "devices/pci/nvme/nvme0n1/nvme0n1p2/partition", "2\n");
    fake_file(dir_fd, "dev/block/.keep", "");
    fake_file(dir_fd, "fs/btrfs/features/x", "");
    fake_file(dir_fd, "fs/btrfs/1234-uuid/devices/sda1/dev", "8:1\n");
    fake_file(dir_fd, "fs/btrfs/1234-uuid/devices/nvme0n1p2/dev", "259:2\n");
    assert_int_equal(symlinkat("../../devices/pci/block/sda", dir_fd, "dev/block/8:0"), 0);
    assert_int_equal(symlinkat("../../devices/pci/block/sda/sda1", dir_fd, "dev/block/8:1"), 0);
    assert_int_equal(symlinkat("../../devices/virtual/block/dm-0", dir_fd, "dev/block/253:0"), 0);
    assert_int_equal(symlinkat("../../devices/pci/nvme/nvme0n1", dir_fd, "dev/block/259:0"), 0);
    assert_int_equal(
        symlinkat("../../devices/pci/nvme/nvme0n1/nvme0n1p2", dir_fd, "dev/block/259:2"), 0);
    for (int i = 0; i <= DISKS_MAX; i++) {
        char name[32];

        snprintf(name, sizeof(name), "dev/block/8:%d", MINOR_MANY + i);
        assert_int_equal(symlinkat("../../devices/pci/block/sda/sda1", dir_fd, name), 0);
    }
    return dir_fd;
}

static bool all(const struct mount_entry *entry, void *data)
{
    return true;
}

static bool only(const struct mount_entry *entry, void *data)
{
    return text_equal(entry->target, data);
}

static int disk_compare(const void *a, const void *b)
{
    const struct disk *one = a, *other = b;

    return (int)one->major - (int)other->major;
}

/* Fails the test unless the mounts have exactly these disks ("8:0 253:0 ") and unreachable places.
 */
static void assert_disks(const char *mounts, disk_mount_fn *wanted, void *data, const char *disks,
                         const char *unreachable)
{
    _cleanup_mount_table_ struct mount_table table = {0};
    _cleanup_disk_set_ struct disk_set set = {0};
    int sysfs = sysfs_open();
    char found[256] = "";
    struct error err;

    assert_int_equal(mount_table_parse(mounts, &table, &err), 0);
    assert_int_equal(disk_set_find(&table, sysfs, wanted, data, &set, &err), 0);
    qsort(set.disks, set.count, sizeof(set.disks[0]), disk_compare);
    for (size_t i = 0; i < set.count; i++)
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%u:%u ", set.disks[i].major,
                 set.disks[i].minor);
    assert_string_equal(found, disks);
    if (unreachable) {
        assert_int_equal(strv_length(set.unreachable), 1);
        assert_string_equal(set.unreachable[0], unreachable);
    } else {
        assert_null(set.unreachable);
    }
    fake_close(sysfs);
}

static void test_disk_set_find_takes_whole_disks_once(void **unused)
{
    assert_disks("1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
                 "2 1 8:0 / /raw rw - ext4 /dev/sda rw\n"
                 "3 1 259:2 / /fast rw - xfs /dev/nvme0n1p2 rw\n",
                 all, NULL, "8:0 259:0 ", NULL);
}

static void test_disk_set_find_knows_each_of_many_mounts_of_a_device(void **unused)
{
    char mounts[16384] = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
                         "2 1 8:1 /x /x rw - ext4 /dev/sda1 rw\n"
                         "3 1 9:9 / /gone rw - ext4 /dev/gone rw\n";

    assert_disks(mounts, all, NULL, "8:0 ", "/gone");
    mounts[0] = '\0';
    for (int i = 0; i <= 2 * DISKS_MAX; i++) {
        size_t used = strlen(mounts);

        snprintf(mounts + used, sizeof(mounts) - used, "%d 0 8:%d / /m%d rw - ext4 /dev/sda%d rw\n",
                 i, MINOR_MANY + i % (DISKS_MAX + 1), i, i);
    }
    assert_disks(mounts, all, NULL, "8:0 ", NULL);
}

static void test_disk_set_find_takes_device_mapper_as_it_is(void **unused)
{
    assert_disks("1 0 253:0 / / rw - ext4 /dev/mapper/crypt rw\n", all, NULL, "253:0 ", NULL);
}

/* A volume on a partition and on a whole disk; and a disk, which is on nothing. */
static void test_disk_set_lower_finds_what_a_device_is_made_of(void **unused)
{
    struct disk_set set;
    int sysfs = sysfs_open();

    fake_file(sysfs, "devices/virtual/block/dm-0/slaves/sda1/dev", "8:1\n");
    fake_file(sysfs, "devices/virtual/block/dm-0/slaves/nvme0n1/dev", "259:0\n");
    assert_int_equal(disk_set_lower(sysfs, (struct disk){253, 0}, &set), 0);
    qsort(set.disks, set.count, sizeof(set.disks[0]), disk_compare);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.disks[0].major, 8);
    assert_int_equal(set.disks[0].minor, 0);
    assert_int_equal(set.disks[1].major, 259);
    assert_int_equal(disk_set_lower(sysfs, (struct disk){8, 0}, &set), 0);
    assert_int_equal(set.count, 0);
    fake_close(sysfs);
}

static void test_disk_set_find_passes_over_memory(void **unused)
{
    assert_disks("1 0 0:1 / / rw - tmpfs tmpfs rw\n2 1 0:2 / /proc rw - proc proc rw\n"
                 "3 1 0:3 / /sys rw - sysfs sysfs rw\n4 1 0:4 / /dev rw - devtmpfs devtmpfs rw\n",
                 all, NULL, "", NULL);
}

static void test_disk_set_find_names_what_it_cannot_reach(void **unused)
{
    assert_disks("1 0 0:9 / /nfs rw - nfs4 host:/x rw\n", all, NULL, "", "/nfs");
    assert_disks("1 0 0:9 / /ssh rw - fuse.sshfs host: rw\n", all, NULL, "", "/ssh");
    assert_disks("1 0 8:1 / /ntfs rw - fuseblk /dev/sda1 rw\n", all, NULL, "", "/ntfs");
    assert_disks("1 0 0:9 / /vm rw - virtiofs tag rw\n", all, NULL, "", "/vm");
    assert_disks("1 0 7:0 / /loop rw - squashfs /dev/loop0 rw\n", all, NULL, "", "/loop");
    assert_disks("1 0 9:9 / /gone rw - ext4 /dev/gone rw\n", all, NULL, "", "/gone");
}

static void test_disk_set_find_goes_through_overlays(void **unused)
{
    static char merged[] = "/merged";
    static const char mounts[] =
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 253:0 / /up\\134:per rw - ext4 /dev/dm-0 rw\n"
        "3 1 0:5 / /merged rw - overlay overlay "
        "rw,lowerdir=/low\\134,er:/usr,upperdir=/up\\134\\134\\134:per/dir,workdir=/w\n";

    assert_disks(mounts, only, merged, "8:0 253:0 ", NULL);
    assert_disks("3 1 0:5 / /merged rw - overlay overlay rw,lowerdir=/not/here\n", only, merged, "",
                 "/merged");
    assert_disks("3 1 0:5 / / rw - overlay overlay rw,lowerdir=rel:/x\n", all, NULL, "", "/");
}

static void test_disk_set_find_takes_all_members_of_btrfs(void **unused)
{
    static char root[] = "/";

    assert_disks("1 0 0:30 /@ / rw - btrfs /dev/sda1 rw,subvol=/@\n", only, root, "8:0 259:0 ",
                 NULL);
    assert_disks("1 0 0:30 /@ / rw - btrfs /dev/sdz rw\n", only, root, "", "/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disk_set_find_takes_whole_disks_once),
        cmocka_unit_test(test_disk_set_find_knows_each_of_many_mounts_of_a_device),
        cmocka_unit_test(test_disk_set_find_takes_device_mapper_as_it_is),
        cmocka_unit_test(test_disk_set_lower_finds_what_a_device_is_made_of),
        cmocka_unit_test(test_disk_set_find_passes_over_memory),
        cmocka_unit_test(test_disk_set_find_names_what_it_cannot_reach),
        cmocka_unit_test(test_disk_set_find_goes_through_overlays),
        cmocka_unit_test(test_disk_set_find_takes_all_members_of_btrfs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
