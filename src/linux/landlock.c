/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The constants are our own: the headers of the oldest system that we build on know version 2.
 * Those of later versions are only used when the kernel says that it has them.
 */
#include "linux/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

#ifndef SYS_landlock_create_ruleset /* the same on all architectures */
#    define SYS_landlock_create_ruleset 444
#    define SYS_landlock_add_rule       445
#    define SYS_landlock_restrict_self  446
#endif

#define CREATE_RULESET_VERSION (1u << 0)
#define RULE_PATH_BENEATH      1

#define BIT(n) (UINT64_C(1) << (n))

#define FS_WRITE_FILE  BIT(1)
#define FS_READ_FILE   BIT(2)
#define FS_READ_DIR    BIT(3)
#define FS_REMOVE_DIR  BIT(4)
#define FS_REMOVE_FILE BIT(5)
#define FS_MAKE_DIR    BIT(7)
#define FS_MAKE_REG    BIT(8)
#define FS_MAKE_FIFO   BIT(10)
#define FS_REFER       BIT(13)
#define FS_TRUNCATE    BIT(14)

#define FS_OF_FILES (FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE)
#define FS_READING  (FS_READ_FILE | FS_READ_DIR)
#define FS_WRITING                                                                                 \
    (FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |    \
     FS_MAKE_FIFO | FS_REFER)

#define NET_ALL             (BIT(0) | BIT(1)) /* bind and connect of TCP */
#define SCOPE_ABSTRACT_UNIX BIT(0)

struct ruleset_attributes {
    uint64_t handled_fs, handled_net, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

/* Bits 0 … 12 came with version 1, then one with each of 2 (refer), 3 (truncate), 5 (ioctl). */
static uint64_t fs_known(int version)
{
    return BIT(13) - 1 + (version >= 2 ? BIT(13) : 0) + (version >= 3 ? BIT(14) : 0) +
           (version >= 5 ? BIT(15) : 0);
}

/* A version's unknown members are zero, which the kernel takes for their absence. */
static int ruleset_new(int version, struct error *err)
{
    const struct ruleset_attributes attributes = {
        .handled_fs = fs_known(version),
        .handled_net = version >= 4 ? NET_ALL : 0,
        .scoped = version >= 6 ? SCOPE_ABSTRACT_UNIX : 0,
    };
    long fd = syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);

    if (fd < 0)
        return error_set(err, -errno, "can't make a Landlock ruleset: %s", strerror(errno));
    return (int)fd;
}

static int place_allow(int ruleset, int version, const struct landlock_place *place,
                       struct error *err)
{
    _cleanup_close_ int own = place->path ? open(place->path, O_PATH | O_CLOEXEC) : FD_NONE;
    const char *name = place->path ? place->path : "a directory that is open";
    int fd = place->path ? own : place->fd;
    struct path_rule rule = {.parent_fd = fd};
    struct stat stat;

    if (fd < 0 || fstat(fd, &stat) < 0)
        return error_set(err, -errno, "can't open %s: %s", name, strerror(errno));
    if (place->access & LANDLOCK_READ)
        rule.allowed |= FS_READING;
    if (place->access & LANDLOCK_WRITE)
        rule.allowed |= FS_WRITING;
    rule.allowed &= fs_known(version);
    if (!S_ISDIR(stat.st_mode))
        rule.allowed &= FS_OF_FILES;
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        return error_set(err, -errno, "can't allow %s: %s", name, strerror(errno));
    return 0;
}

int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

    if (version < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
    return (int)version;
}

int landlock_confine(const struct landlock_place *places, size_t count, struct error *err)
{
    int version = landlock_version();
    _cleanup_close_ int ruleset = FD_NONE;

    if (version == 0)
        return 0;
    if (version < 0)
        return error_set(err, version, "can't ask for Landlock: %s", strerror(-version));
    ruleset = ruleset_new((int)version, err);
    if (ruleset < 0)
        return TAKE_FD(ruleset);
    for (size_t i = 0; i < count; i++) {
        int r = place_allow(ruleset, (int)version, &places[i], err);

        if (r < 0)
            return r;
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return error_set(err, -errno, "can't be confined by Landlock: %s", strerror(errno));
    return (int)version;
}
