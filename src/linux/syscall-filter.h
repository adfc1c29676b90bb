/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/*
 * From lists of system calls to a seccomp filter (seccomp(2)).
 *
 * A list of what is allowed; everything else fails with ENOSYS, as on a kernel that doesn't have
 * it, so that programs take the older way. Calls of another architecture (int 0x80 and x32 on
 * x86-64) kill the process.
 */

/* Allowed when (argument & mask) == value. Several conditions of one call: any of them will do. */
struct syscall_condition {
    const char *name;
    unsigned argument; /* 0 … 5 */
    uint64_t mask, value;
};

/* The lists hold names and end with NULL; calls that this architecture lacks are passed over. */
struct syscall_filter_profile {
    const char *const *allowed;
    const struct syscall_condition *conditions; /* of calls that `allowed` doesn't hold */
    size_t condition_count;
    const char *const
        *refused; /* EPERM rather than ENOSYS: the call exists, the right to it doesn't */
    const char *const *deadly; /* kills the process: only an attacker calls it. NULL: none */
};

/*
 * Beyond the lists every profile has, looking at the low 32 bits of an argument as the kernel does
 * (a comparison of all 64 lets TIOCSTI + 2³² through: CVE-2019-10063):
 * - clone(2), unshare(2): EPERM when a namespace is to be made. clone3(2) can't be looked into, so
 * it must not be in `allowed`: -EINVAL.
 * - ioctl(2): EPERM for TIOCSTI and TIOCLINUX, which type into a terminal.
 * - socket(2), socketpair(2): EAFNOSUPPORT unless the family is AF_UNIX, AF_INET, AF_INET6 or
 * AF_NETLINK (AF_VSOCK reaches the hypervisor from any network namespace); EPROTONOSUPPORT for
 * protocols beside TCP, MPTCP, UDP and ICMP, and for netlink beside routes and sock_diag(7): asking
 * for another one loads its kernel module, whoever asks, and other netlink families tell of the
 * host.
 */
struct syscall_filter {
    struct sock_filter *instructions; /* owned */
    size_t count;
};

void syscall_filter_done(struct syscall_filter *program);

int syscall_filter_compile(const struct syscall_filter_profile *profile, struct syscall_filter *ret,
                           struct error *err);

/*
 * Puts all threads of this process under the filter, for good (no_new_privs must be set). A second
 * filter adds to the first: the stricter one counts.
 */
int syscall_filter_install(const struct syscall_filter *filter, struct error *err);
