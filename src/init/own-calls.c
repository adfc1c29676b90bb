/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A comparison for each call, one after the other. Sorting them would gain nothing: no argument is
 * looked at, and what a program answers to the number alone the kernel finds out once and keeps
 * (kernel/seccomp.c: struct action_cache, since Linux 5.11).
 */
#include "init/own-calls.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sanitized.h"
#include "init/syscalls.h"
#include "linux/audit-architecture.h"

/* What supervise() needs. A call that is added there is added here, by its subject. */
static const uint32_t own_calls[] = {
/* waiting, and going on after a stop (SIGSTOP of a debugger) in the midst of it */
#ifdef SYS_poll
    SYS_poll,
#else
    SYS_ppoll,
#endif
    SYS_restart_syscall,
    /* time, where the vDSO has no clock to read; the one timer */
    SYS_clock_gettime,
    SYS_timerfd_settime,
    /* signals, pipes, cpu.stat: read; output, index, state file: written */
    SYS_read,
    SYS_pread64,
    SYS_write,
    SYS_pwrite64,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_fallocate,
    SYS_close,
    /* the job's processes */
    SYS_kill,
    SYS_waitid,
    SYS_getrusage,
    /* the copier's buffer, when it isn't needed for a while */
    SYS_madvise,
    SYS_exit_group,
};

/* The number of a call that a tracer makes fail (ptrace(2)): nothing is called. */
#define NO_CALL UINT32_MAX

#define FIELD(member)  ((uint32_t)offsetof(struct seccomp_data, member))
#define LOAD(member)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(member))
#define IF(value, n)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (uint8_t)(n), 0)
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (action))

enum {
    KILL_UNLESS_NATIVE = 3, /* instructions before the first comparison … */
    COMPARISONS = ARRAY_SIZE(own_calls),
    NOTHING = KILL_UNLESS_NATIVE + COMPARISONS, /* … and behind the last one */
    KILL,
    FAIL,
    ALLOW,
    LENGTH,
};

static_assert(LENGTH <= UINT8_MAX, "a jump is no longer than that");

static void fill(struct sock_filter program[LENGTH])
{
    program[0] = (struct sock_filter)LOAD(arch);
    program[1] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_NATIVE, 0, KILL - 2);
    program[2] = (struct sock_filter)LOAD(nr);
    for (unsigned i = 0; i < COMPARISONS; i++)
        program[KILL_UNLESS_NATIVE + i] =
            (struct sock_filter)IF(own_calls[i], ALLOW - (KILL_UNLESS_NATIVE + i) - 1);
    program[NOTHING] = (struct sock_filter)IF(NO_CALL, FAIL - NOTHING - 1);
    program[KILL] = (struct sock_filter)ANSWER(SECCOMP_RET_KILL_PROCESS);
    program[FAIL] = (struct sock_filter)ANSWER(SECCOMP_RET_ERRNO | ENOSYS);
    program[ALLOW] = (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW);
}

int own_calls_restrict(struct error *err)
{
    struct sock_filter instructions[LENGTH];
    const struct sock_fprog program = {LENGTH, instructions};
    int r;

    if (IS_SANITIZED)
        return 0;
    fill(instructions);
    r = sys_seccomp_filter(&program);
    if (r < 0)
        return error_set(err, r, "hoist-init's own seccomp program is refused: %s", strerror(-r));
    return 0;
}
