/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/doctor.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/disks.h"
#include "linux/mount-table.h"
#include "linux/open-places.h"
#include "wire/hidden-places.h"

#define FREE_LEAST                                                                                 \
    (UINT64_C(256) << 20) /* bytes: a few jobs' preallocated files and the records                 \
                           */

#define HOLE_SIZE 65536

#define WALK_MOST 2000000 /* entries: some seconds */

/* --- the state directory -------------------------------------------------------------------------
 */

void check_state_directory(const struct doctor_facts *facts, struct check *check)
{
    const char *path = facts->config->state_dir;
    struct stat status;

    if (stat(path, &status) < 0 && errno == ENOENT) {
        check_say(check, CHECK_OK, "%s will be made", path);
        return;
    }
    if (stat(path, &status) < 0 || !S_ISDIR(status.st_mode)) {
        check_say(check, CHECK_FAILED, "%s is no directory that can be looked at", path);
        check_mend(check, "install -d -m 0700 -o hoist -g hoist %s", path);
        return;
    }
    if (status.st_mode & 077) {
        check_say(check, CHECK_FAILED, "others may enter %s (mode %04o)", path,
                  status.st_mode & 07777);
        check_mend(check, "chmod 0700 %s", path);
        return;
    }
    if (geteuid() != 0 && status.st_uid != geteuid()) {
        check_say(check, CHECK_WARNING, "%s belongs to uid %u, and we are %u", path, status.st_uid,
                  geteuid());
        check_mend(check, "chown -R %u %s", geteuid(), path);
        return;
    }
    check_say(check, CHECK_OK, "%s, uid %u, mode 0700", path, status.st_uid);
}

static bool is_entry(const struct mount_entry *entry, void *data)
{
    return entry == data;
}

/* Do limits of disk IO reach the disk behind `entry`? */
static bool has_disk(const struct mount_table *table, const struct mount_entry *entry)
{
    _cleanup_disk_set_ struct disk_set disks = {.count = 0};
    _cleanup_close_ int sysfs = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);

    return sysfs >= 0 &&
           disk_set_find(table, sysfs, is_entry, (void *)(uintptr_t)entry, &disks, NULL) >= 0 &&
           disks.count > 0;
}

static bool has_room(const char *path, struct check *check)
{
    struct statvfs status;
    uint64_t bytes;

    if (statvfs(path, &status) < 0)
        return true;
    bytes = (uint64_t)status.f_bavail * status.f_frsize;
    if (bytes >= FREE_LEAST)
        return true;
    check_say(check, CHECK_FAILED, "%s has %llu MiB left: starts are refused when it is full", path,
              (unsigned long long)(bytes >> 20));
    check_mend(check, "hoist rm JOB   # of those that have ended: hoist list");
    return false;
}

void check_state_disk(const struct doctor_facts *facts, struct check *check)
{
    _cleanup_mount_table_ struct mount_table table = {0};
    const struct mount_entry *entry;
    const char *path = facts->config->state_dir;

    if (mount_table_read(&table, NULL) < 0 || !(entry = mount_table_find(&table, path))) {
        check_say(check, CHECK_SKIPPED, "what %s is on can't be told", path);
        return;
    }
    if (!has_room(path, check))
        return;
    if (!has_disk(&table, entry)) {
        check_say(check, CHECK_WARNING,
                  "%s is on %s (%s), which limits of disk input and output don't reach", path,
                  entry->source, entry->type);
        check_mend(check, "mount /dev/DISK %s", path);
        return;
    }
    check_say(check, CHECK_OK, "%s on %s (%s)", path, entry->source, entry->type);
}

/* Caps on output give the middle back to the file system: fallocate(2). */
void check_hole_punching(const struct doctor_facts *facts, struct check *check)
{
    const char *path = facts->config->state_dir;
    _cleanup_close_ int fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int r;

    if (fd < 0) {
        check_say(check, CHECK_SKIPPED, "no file can be made in %s: %s", path, strerror(errno));
        return;
    }
    r = fallocate(fd, 0, 0, HOLE_SIZE);
    if (r == 0)
        r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HOLE_SIZE);
    if (r == 0) {
        check_say(check, CHECK_OK, "the file system of %s gives back what is cut out of a file",
                  path);
        return;
    }
    check_say(check, CHECK_WARNING,
              "the file system of %s can't cut holes (%s): capped output keeps its room", path,
              strerror(errno));
    check_mend(check, "mkfs.ext4 /dev/DISK && mount /dev/DISK %s", path);
}

/* --- sockets and FIFOs ---------------------------------------------------------------------------
 */

struct open_finding {
    const struct doctor_facts *facts;
    size_t count;
    char first[256];
};

static bool is_hidden(const char *path, void *data)
{
    static const char *const always[] = {HIDDEN_OWN_PLACES, HIDDEN_HOST_PLACES};
    const struct open_finding *finding = data;

    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        if (path_is_below(path, always[i]))
            return true;
    for (char **hidden = finding->facts->hidden; hidden && *hidden; hidden++)
        if (path_is_below(path, *hidden))
            return true;
    return path_is_below(path, finding->facts->config->state_dir);
}

static void note_place(const char *path, void *data)
{
    struct open_finding *finding = data;

    if (finding->count++ == 0)
        snprintf(finding->first, sizeof(finding->first), "%s", path);
}

void check_sockets(const struct doctor_facts *facts, struct check *check)
{
    struct open_finding finding = {.facts = facts};
    const struct open_places places = {is_hidden, note_place, &finding};
    int r;

    if (!facts->thorough) {
        check_say(check, CHECK_SKIPPED, "hoist-launcher looks at each start");
        return;
    }
    r = open_places_walk(&places, WALK_MOST);
    if (finding.count > 0) {
        check_say(check, CHECK_WARNING,
                  "jobs can use %zu sockets and FIFOs of the host, the first is %s", finding.count,
                  finding.first);
        check_mend(check, "echo 'hide = %s' >>/etc/hoist/launcher.conf && systemctl restart hoist",
                   finding.first);
        return;
    }
    if (r < 0)
        check_say(check, CHECK_SKIPPED, "the file system can't be walked: %s", strerror(-r));
    else if (r > 0)
        check_say(check, CHECK_OK, "none among the first %d entries of the file system", WALK_MOST);
    else
        check_say(check, CHECK_OK, "none of the host's that jobs could use");
}
