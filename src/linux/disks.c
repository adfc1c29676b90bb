/* SPDX-License-Identifier: Apache-2.0 */
#include "linux/disks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/mount-table.h"

#define LOOP_MAJOR        7
#define OVERLAY_DEPTH_MAX 4 /* the kernel's own bound is 2 (FILESYSTEM_MAX_STACK_DEPTH) */
#define DEVICE_TEXT_MAX   32

struct search {
    const struct mount_table *table;
    int sysfs;
    struct disk_set set;
    struct disk_set known; /* devices whose disks are in it: thousands of mounts are of a few */
};

void disk_set_done(struct disk_set *set)
{
    strv_free(set->unreachable);
    *set = (struct disk_set){0};
}

static void search_done(struct search *search)
{
    disk_set_done(&search->set);
}

/* --- devices ------------------------------------------------------------------------------------
 */

static bool disk_set_has(const struct disk_set *set, struct disk disk)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->disks[i].major == disk.major && set->disks[i].minor == disk.minor)
            return true;
    return false;
}

static int disk_set_add(struct disk_set *set, struct disk disk)
{
    if (disk_set_has(set, disk))
        return 0;
    if (set->count == DISKS_MAX)
        return -E2BIG;
    set->disks[set->count++] = disk;
    return 0;
}

static int device_parse(const char *text, struct disk *ret)
{
    char end;
    int n = sscanf(text, "%u:%u%c", &ret->major, &ret->minor, &end);

    return n == 2 || (n == 3 && end == '\n') ? 0 : -EBADMSG;
}

/* The file `path` below /sys, which holds "MAJOR:MINOR". */
static int device_read(int sysfs, const char *path, struct disk *ret)
{
    _cleanup_free_ char *text = NULL;
    int r = file_read(sysfs, path, DEVICE_TEXT_MAX, &text, NULL);

    return r < 0 ? r : device_parse(text, ret);
}

/* The whole disk that `device` is or is a partition of. -ENODEV: /sys doesn't know it. */
static int disk_of_device(int sysfs, struct disk device, struct disk *ret)
{
    char path[64];

    if (device.major == LOOP_MAJOR)
        return -EOPNOTSUPP;
    snprintf(path, sizeof(path), "dev/block/%u:%u", device.major, device.minor);
    if (faccessat(sysfs, path, F_OK, 0) < 0)
        return -ENODEV;

    snprintf(path, sizeof(path), "dev/block/%u:%u/partition", device.major, device.minor);
    if (faccessat(sysfs, path, F_OK, 0) < 0) {
        *ret = device;
        return 0;
    }
    /* dev/block/M:m is a symbolic link to …/block/DISK/PARTITION. */
    snprintf(path, sizeof(path), "dev/block/%u:%u/../dev", device.major, device.minor);
    return device_read(sysfs, path, ret);
}

static int search_add_device(struct search *search, struct disk device)
{
    struct disk disk;
    int r;

    if (disk_set_has(&search->known, device))
        return 0;
    r = disk_of_device(search->sysfs, device, &disk);
    if (r >= 0)
        r = disk_set_add(&search->set, disk);
    if (r >= 0)
        (void)disk_set_add(&search->known, device); /* one too many is looked up again */
    return r;
}

static DIR *directory_open(int dir_fd, const char *path)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir)
        fd_close(fd);
    return dir;
}

/* The disks of the devices that the directory `path` below /sys names. */
static int add_devices_in(int sysfs, const char *path, struct disk_set *set)
{
    _cleanup_closedir_ DIR *dir = directory_open(sysfs, path);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        char file[PATH_MAX];
        struct disk device, disk;
        int r;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s/dev", path, entry->d_name);
        r = device_read(sysfs, file, &device);
        if (r >= 0)
            r = disk_of_device(sysfs, device, &disk);
        if (r >= 0)
            r = disk_set_add(set, disk);
        if (r < 0)
            return r;
    }
    return dir ? 0 : -ENODEV;
}

int disk_set_lower(int sysfs, struct disk disk, struct disk_set *ret)
{
    struct disk_set set = {.count = 0};
    char path[64];
    int r;

    snprintf(path, sizeof(path), "dev/block/%u:%u/slaves", disk.major, disk.minor);
    r = faccessat(sysfs, path, F_OK, 0) < 0 ? 0 : add_devices_in(sysfs, path, &set);
    if (r >= 0)
        *ret = set;
    return r;
}

/* --- file systems -------------------------------------------------------------------------------
 */

/* In memory, or the kernel's own: no disk. An autofs mount point has what is mounted over it. */
static const char *const diskless[] = {
    "autofs",    "bdev",   "binfmt_misc", "bpf",      "cgroup",  "cgroup2",    "configfs",
    "debugfs",   "devpts", "devtmpfs",    "efivarfs", "fusectl", "hugetlbfs",  "mqueue",
    "nsfs",      "proc",   "pstore",      "ramfs",    "resctrl", "rpc_pipefs", "securityfs",
    "selinuxfs", "sysfs",  "tmpfs",       "tracefs",
};

static bool file_system_is_diskless(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(diskless); i++)
        if (text_equal(type, diskless[i]))
            return true;
    return false;
}

/*
 * What /sys calls a device that a mount names ("/dev/vda2"): the kernel's own name, where the node
 * is there to ask it. Of device mapper nodes have any name ("/dev/mapper/crypt").
 */
static void device_name(int sysfs, const char *source, char name[static NAME_MAX + 1])
{
    const char *last = strrchr(source, '/');
    char path[64], target[PATH_MAX];
    struct stat node;
    ssize_t size = -1;

    if (stat(source, &node) == 0 && S_ISBLK(node.st_mode)) {
        snprintf(path, sizeof(path), "dev/block/%u:%u", major(node.st_rdev), minor(node.st_rdev));
        size = readlinkat(sysfs, path, target, sizeof(target) - 1);
    }
    if (size > 0) {
        target[size] = '\0';
        last = strrchr(target, '/');
    }
    snprintf(name, NAME_MAX + 1, "%s", last ? last + 1 : "");
}

/* The file system that has the mount's source device among its members. */
static int search_add_btrfs(struct search *search, const struct mount_entry *entry)
{
    _cleanup_closedir_ DIR *dir = directory_open(search->sysfs, "fs/btrfs");
    char name[NAME_MAX + 1];
    const struct dirent *uuid;

    device_name(search->sysfs, entry->source, name);
    while (name[0] && dir && (uuid = readdir(dir))) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/devices/%s", uuid->d_name, name);
        if (uuid->d_name[0] == '.' || faccessat(dirfd(dir), path, F_OK, 0) < 0)
            continue;
        snprintf(path, sizeof(path), "fs/btrfs/%s/devices", uuid->d_name); /* all members */
        return add_devices_in(search->sysfs, path, &search->set);
    }
    return -ENODEV;
}

static int search_add_mount(struct search *search, const struct mount_entry *entry, unsigned depth);

/* One layer: whatever holds its path here. Its own namespace may have seen something else there. */
static int overlay_add_layer(struct search *search, char *layer, const struct mount_entry *overlay,
                             unsigned depth)
{
    const struct mount_entry *entry;
    char *to = layer;

    for (const char *from = layer; *from; from++) {
        if (*from == '\\' && from[1]) /* "\:", "\," and "\\" stand for what follows */
            from++;
        *to++ = *from;
    }
    *to = '\0';

    entry = layer[0] == '/' ? mount_table_find(search->table, layer) : NULL;
    if (!entry || entry == overlay)
        return -ENODEV;
    return search_add_mount(search, entry, depth + 1);
}

/* The next `separator` that no backslash takes back, replaced by NUL; returns what is behind it. */
static char *text_cut(char *text, char separator)
{
    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        else if (*text == separator) {
            *text = '\0';
            return text + 1;
        }
    }
    return NULL;
}

static int overlay_add_option(struct search *search, char *option, const struct mount_entry *entry,
                              unsigned depth)
{
    static const char *const keys[] = {"lowerdir=", "lowerdir+=", "datadir+=", "upperdir="};
    char *layers = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (text_starts_with(option, keys[i]))
            layers = option + strlen(keys[i]);

    while (layers) {
        char *next = text_cut(layers, ':');
        int r = layers[0] ? overlay_add_layer(search, layers, entry, depth) : 0; /* "::" data */

        if (r < 0)
            return r;
        layers = next;
    }
    return 0;
}

static int search_add_overlay(struct search *search, const struct mount_entry *entry,
                              unsigned depth)
{
    _cleanup_free_ char *options = strdup(entry->super_options);

    if (!options)
        return -ENOMEM;
    if (depth >= OVERLAY_DEPTH_MAX)
        return -ELOOP;
    for (char *option = options; option;) {
        char *next = text_cut(option, ',');
        int r = overlay_add_option(search, option, entry, depth);

        if (r < 0)
            return r;
        option = next;
    }
    return 0;
}

static int search_add_mount(struct search *search, const struct mount_entry *entry, unsigned depth)
{
    if (file_system_is_diskless(entry->type))
        return 0;
    if (text_equal(entry->type, "overlay"))
        return search_add_overlay(search, entry, depth);
    if (text_equal(entry->type, "btrfs"))
        return search_add_btrfs(search, entry);
    if (entry->major == 0 || text_starts_with(entry->type, "fuse"))
        return -EOPNOTSUPP; /* no device: network, FUSE, virtiofs; or fuseblk, a process */
    return search_add_device(search, (struct disk){entry->major, entry->minor});
}

int disk_set_find(const struct mount_table *table, int sysfs, disk_mount_fn *wanted, void *data,
                  struct disk_set *ret, struct error *err)
{
    _cleanup_(search_done) struct search search = {.table = table, .sysfs = sysfs};

    for (size_t i = 0; i < table->count; i++) {
        const struct mount_entry *entry = &table->entries[i];
        int r;

        if (!wanted(entry, data))
            continue;
        r = search_add_mount(&search, entry, 0);
        if (r == -E2BIG)
            return error_set(err, r, "more than %d disks are mounted", DISKS_MAX);
        if (r < 0 && r != -ENOMEM)
            r = strv_append(&search.set.unreachable, entry->target);
        if (r < 0)
            return error_set(err, r, "no memory for the list of disks");
    }
    *ret = search.set;
    search.set = (struct disk_set){0};
    return 0;
}
