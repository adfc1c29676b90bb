/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two parts, one behind the other. The looks into arguments are written by hand: libseccomp can
 * neither refuse one value of an argument and allow the rest, nor compare half of an argument
 * except by masks. They hand on what they don't refuse to libseccomp's part, which knows the
 * numbers of every architecture and sorts them into a search tree (SCMP_FLTATR_CTL_OPTIMIZE = 2: 62
 * µs for each exec instead of 209 with 291 calls).
 */
#include "linux/syscall-filter.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/strv.h"
#include "linux/audit-architecture.h"

#define NAMESPACE_FLAGS                                                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

#ifndef CLONE_NEWTIME
#    define CLONE_NEWTIME 0x00000080 /* in clone(2) these bits are the exit signal */
#endif

#ifndef IPPROTO_MPTCP
#    define IPPROTO_MPTCP 262
#endif

#define SOCKET_TYPE_MASK 0xf /* SOCK_TYPE_MASK of <linux/net.h>: above are flags */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half of an argument comes first");

#define FIELD(member)      ((uint32_t)offsetof(struct seccomp_data, member))
#define LOAD(offset)       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define LOAD_ARGUMENT(n)   LOAD(FIELD(args) + (n) * (uint32_t)sizeof(uint64_t))
#define UNLESS(value, n)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, (n))
#define IF(value, n)       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), (n), 0)
#define IF_ANY(bits, n)    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), (n), 0)
#define SKIP(n)            BPF_STMT(BPF_JMP | BPF_JA, (n))
#define FAIL(error_number) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error_number))

/* Every path ends in a FAIL or behind the last instruction, where libseccomp's part begins. */
static const struct sock_filter looks_into_arguments[] = {
    /*  0 */ LOAD(FIELD(arch)),
    /*  1 */ UNLESS(AUDIT_ARCH_NATIVE, 39), /* → 41 */
    /*  2 */ LOAD(FIELD(nr)),
    /*  3 */ IF(SYS_clone, 5),       /* → 9 */
    /*  4 */ IF(SYS_unshare, 7),     /* → 12 */
    /*  5 */ IF(SYS_ioctl, 9),       /* → 15 */
    /*  6 */ IF(SYS_socket, 12),     /* → 19 */
    /*  7 */ IF(SYS_socketpair, 11), /* → 19 */
    /*  8 */ SKIP(32),               /* → 41 */

    /*  9 */ LOAD_ARGUMENT(0),
    /* 10 */ IF_ANY(NAMESPACE_FLAGS, 3), /* → 14 */
    /* 11 */ SKIP(29),                   /* → 41 */
    /* 12 */ LOAD_ARGUMENT(0),
    /* 13 */
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(NAMESPACE_FLAGS | CLONE_NEWTIME), 0,
             27), /* → 41 */
    /* 14 */ FAIL(EPERM),

    /* 15 */ LOAD_ARGUMENT(1),
    /* 16 */ IF(TIOCSTI, 1),        /* → 18 */
    /* 17 */ UNLESS(TIOCLINUX, 23), /* → 41 */
    /* 18 */ FAIL(EPERM),

    /* 19 */ LOAD_ARGUMENT(0),
    /* 20 */ IF(AF_UNIX, 20),   /* → 41 */
    /* 21 */ IF(AF_INET, 7),    /* → 29 */
    /* 22 */ IF(AF_INET6, 6),   /* → 29 */
    /* 23 */ IF(AF_NETLINK, 1), /* → 25 */
    /* 24 */ FAIL(EAFNOSUPPORT),
    /* 25 */ LOAD_ARGUMENT(2),
    /* 26 */ IF(NETLINK_ROUTE, 14),     /* → 41 */
    /* 27 */ IF(NETLINK_SOCK_DIAG, 13), /* → 41 */
    /* 28 */ FAIL(EPROTONOSUPPORT),
    /* 29 */ LOAD_ARGUMENT(1),
    /* 30 */ BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE_MASK),
    /* 31 */ UNLESS(SOCK_DCCP, 1), /* → 33 */
    /* 32 */ FAIL(EPROTONOSUPPORT),
    /* 33 */ LOAD_ARGUMENT(2),
    /* 34 */ IF(IPPROTO_IP, 6),     /* → 41; whatever is the type's own */
    /* 35 */ IF(IPPROTO_TCP, 5),    /* → 41 */
    /* 36 */ IF(IPPROTO_UDP, 4),    /* → 41 */
    /* 37 */ IF(IPPROTO_ICMP, 3),   /* → 41 */
    /* 38 */ IF(IPPROTO_ICMPV6, 2), /* → 41 */
    /* 39 */ IF(IPPROTO_MPTCP, 1),  /* → 41 */
    /* 40 */ FAIL(EPROTONOSUPPORT),
};

static_assert(ARRAY_SIZE(looks_into_arguments) == 41, "the jumps above count on it");

void syscall_filter_done(struct syscall_filter *program)
{
    free(program->instructions);
    *program = (struct syscall_filter){0};
}

static void seccomp_releasep(scmp_filter_ctx *filter)
{
    if (*filter)
        seccomp_release(*filter);
}

static int add_error(const char *name, int code, struct error *err)
{
    return error_set(err, code, "can't add %s to the seccomp filter: %s", name, strerror(-code));
}

static int names_add(scmp_filter_ctx filter, const char *const *names, uint32_t action,
                     struct error *err)
{
    for (; names && *names; names++) {
        int number = seccomp_syscall_resolve_name(*names), r;

        if (action == SCMP_ACT_ALLOW && text_equal(*names, "clone3"))
            return error_set(err, -EINVAL, "clone3 can't be allowed: its flags can't be seen");
        if (number < 0)
            continue; /* not on this architecture, or younger than libseccomp */
        r = seccomp_rule_add_exact(filter, action, number, 0);
        if (r < 0)
            return add_error(*names, r, err);
    }
    return 0;
}

static int conditions_add(scmp_filter_ctx filter, const struct syscall_filter_profile *profile,
                          struct error *err)
{
    for (size_t i = 0; i < profile->condition_count; i++) {
        const struct syscall_condition *condition = &profile->conditions[i];
        int number = seccomp_syscall_resolve_name(condition->name), r;
        const struct scmp_arg_cmp compare = {
            .arg = condition->argument,
            .op = SCMP_CMP_MASKED_EQ,
            .datum_a = condition->mask,
            .datum_b = condition->value,
        };

        if (number < 0)
            continue;
        r = seccomp_rule_add_exact_array(filter, SCMP_ACT_ALLOW, number, 1, &compare);
        if (r < 0)
            return add_error(condition->name, r, err);
    }
    return 0;
}

/* The native architecture alone is in a fresh filter; calls of others, x32 included, kill. */
static int filter_fill(scmp_filter_ctx filter, const struct syscall_filter_profile *profile,
                       struct error *err)
{
    int r;

    r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (r >= 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r < 0)
        return error_set(err, r, "can't set up a seccomp filter: %s", strerror(-r));
    r = names_add(filter, profile->allowed, SCMP_ACT_ALLOW, err);
    if (r < 0)
        return r;
    r = names_add(filter, profile->refused, SCMP_ACT_ERRNO(EPERM), err);
    if (r < 0)
        return r;
    r = names_add(filter, profile->deadly, SCMP_ACT_KILL_PROCESS, err);
    if (r < 0)
        return r;
    return conditions_add(filter, profile, err);
}

/* libseccomp 2.5 exports into a descriptor only. */
static int filter_export(scmp_filter_ctx filter, struct syscall_filter *ret, struct error *err)
{
    _cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
    _cleanup_free_ struct sock_filter *instructions = NULL;
    const size_t before = sizeof(looks_into_arguments);
    struct stat stat;
    size_t size;
    int r;

    if (fd < 0)
        return error_set(err, -errno, "can't make a memfd: %s", strerror(errno));
    r = seccomp_export_bpf(filter, fd);
    if (r < 0)
        return error_set(err, r, "can't compile the seccomp filter: %s", strerror(-r));
    if (fstat(fd, &stat) < 0)
        return error_set(err, -errno, "can't examine a memfd: %s", strerror(errno));

    size = (size_t)stat.st_size;
    if (size % sizeof(*instructions) != 0 || before + size > BPF_MAXINSNS * sizeof(*instructions))
        return error_set(err, -E2BIG, "the seccomp filter is too long: %zu bytes", size);
    instructions = malloc(before + size);
    if (!instructions)
        return error_set(err, -ENOMEM, "no memory for the seccomp filter");
    memcpy(instructions, looks_into_arguments, before);
    r = fd_pread_full(fd, instructions + ARRAY_SIZE(looks_into_arguments), size, 0);
    if (r < 0)
        return error_set(err, r, "can't read a memfd: %s", strerror(-r));

    *ret = (struct syscall_filter){
        .instructions = TAKE_PTR(instructions),
        .count = (before + size) / sizeof(*instructions),
    };
    return 0;
}

int syscall_filter_compile(const struct syscall_filter_profile *profile, struct syscall_filter *ret,
                           struct error *err)
{
    _cleanup_(seccomp_releasep) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int r;

    if (!filter)
        return error_set(err, -ENOMEM, "can't make a seccomp filter");
    r = filter_fill(filter, profile, err);
    if (r < 0)
        return r;
    return filter_export(filter, ret, err);
}

/* TSYNC: also threads that a library has started before us. */
int syscall_filter_install(const struct syscall_filter *filter, struct error *err)
{
    const struct sock_fprog program = {
        .len = (unsigned short)filter->count,
        .filter = filter->instructions,
    };
    long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);

    if (r < 0)
        return error_set(err, -errno, "can't install the seccomp filter: %s", strerror(errno));
    if (r > 0)
        return error_set(err, -EBUSY, "thread %ld has a seccomp filter of its own", r);
    return 0;
}
