/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * System calls that musl 1.2.3 has no function for. The kernel's own headers say their arguments;
 * <sys/mount.h> is not included beside them, since both define the same enums. Each returns what
 * the kernel returned, a failure as negative errno.
 */

#ifndef __NR_mount_setattr
#    define __NR_mount_setattr 442 /* Linux 5.12; one number on every architecture */
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#    define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

#define KEYCTL_JOIN_SESSION_KEYRING 1 /* keyctl(2); <linux/keyctl.h> is not in every sysroot */
#define UMOUNT_DETACH               2 /* MNT_DETACH of umount2(2) */

static inline int sys_result(long r)
{
    return r < 0 ? -errno : (int)r;
}

static inline int sys_openat2(int dir_fd, const char *path, const struct open_how *how)
{
    return sys_result(syscall(__NR_openat2, dir_fd, path, how, sizeof(*how)));
}

static inline int sys_open_tree(int dir_fd, const char *path, unsigned flags)
{
    return sys_result(syscall(__NR_open_tree, dir_fd, path, flags));
}

/* Attaches the detached mount `mount_fd` at the place that `target_fd` stands for. */
static inline int sys_move_mount(int mount_fd, int target_fd)
{
    return sys_result(syscall(__NR_move_mount, mount_fd, "", target_fd, "",
                              MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

static inline int sys_fsopen(const char *type)
{
    return sys_result(syscall(__NR_fsopen, type, FSOPEN_CLOEXEC));
}

static inline int sys_fsconfig(int fs_fd, unsigned command, const char *key, const char *value)
{
    return sys_result(syscall(__NR_fsconfig, fs_fd, command, key, value, 0));
}

static inline int sys_fsmount(int fs_fd, unsigned attributes)
{
    return sys_result(syscall(__NR_fsmount, fs_fd, FSMOUNT_CLOEXEC, attributes));
}

/* Sets (and clears nothing of) MOUNT_ATTR_* of the mount `fd`; `flags`: AT_RECURSIVE or 0. */
static inline int sys_mount_setattr(int fd, unsigned flags, const struct mount_attr *attr)
{
    return sys_result(syscall(__NR_mount_setattr, fd, "", flags | 0x1000 /* AT_EMPTY_PATH */, attr,
                              sizeof(*attr)));
}

static inline int sys_mount_propagation(const char *path, unsigned long flags)
{
    return sys_result(syscall(__NR_mount, NULL, path, NULL, flags, NULL));
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
    return sys_result(syscall(__NR_pivot_root, new_root, put_old));
}

static inline int sys_umount_detach(const char *path)
{
    return sys_result(syscall(__NR_umount2, path, UMOUNT_DETACH));
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return sys_result(syscall(__NR_close_range, first, last, flags));
}

static inline int sys_clone3(struct clone_args *args)
{
    return sys_result(syscall(__NR_clone3, args, sizeof(*args)));
}

/* setrlimit(2) and getrlimit(2) in one, with an unsigned resource whatever the C library; `set` and
 * `ret_old` may be NULL. */
static inline int sys_prlimit(unsigned resource, const struct rlimit *set, struct rlimit *ret_old)
{
    return sys_result(syscall(__NR_prlimit64, 0, resource, set, ret_old));
}

static inline int sys_seccomp_filter(const struct sock_fprog *program)
{
    return sys_result(syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, program));
}

static inline int sys_join_session_keyring(void)
{
    return sys_result(syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
}

static inline int sys_capset(const struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

    return sys_result(syscall(__NR_capset, &header, data));
}

static inline int sys_capget(struct __user_cap_data_struct data[2])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

    return sys_result(syscall(__NR_capget, &header, data));
}
