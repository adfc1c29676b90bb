/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child runs in our memory while we sleep. What it may do is bounded by that: no allocation, no
 * stdio, no locks, nothing that a signal handler of ours could enter (all signals are blocked and
 * CLONE_CLEAR_SIGHAND drops the handlers), and no sanitizer's bookkeeping on the borrowed stack.
 * Hence raw system calls in functions that the sanitizers leave alone. What it has to say it leaves
 * in struct child, where we read it after we have woken up.
 *
 * posix_spawn(3) does the same, but knows neither namespaces nor cgroups nor execveat(2).
 */
#include "linux/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

#define STACK_SIZE  (64u << 10)
#define ID_MAP_SIZE 48

#define SHARED_UNTIL_EXEC ((uint64_t)(CLONE_VM | CLONE_VFORK | CLONE_PIDFD) | CLONE_CLEAR_SIGHAND)

#define NO_SANITIZER __attribute__((no_sanitize("address", "undefined"), noinline))

enum child_step {
    CHILD_MAPS_IDS,
    CHILD_COPIES_MOUNTS,
    CHILD_ARRANGES_FDS,
    CHILD_EXECUTES,
    _CHILD_STEP_MAX,
};

static const char *const child_step_text[_CHILD_STEP_MAX] = {
    [CHILD_MAPS_IDS] = "can't map our uid into a user namespace",
    [CHILD_COPIES_MOUNTS] = "can't copy the mount namespace that was made ahead",
    [CHILD_ARRANGES_FDS] = "can't arrange the descriptors of the new process",
    [CHILD_EXECUTES] = "can't execute the program",
};

struct child {
    const struct clone_request *request;
    char uid_map[ID_MAP_SIZE];
    char gid_map[ID_MAP_SIZE];
    /* The child's answer: */
    enum child_step step;
    int error; /* negative errno; 0: executed */
};

/* --- in the child -------------------------------------------------------------------------------
 */

NO_SANITIZER static long child_write_file(const char *path, const char *text, size_t size)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC), n;

    if (fd < 0)
        return -1;
    n = syscall(SYS_write, fd, text, size);
    syscall(SYS_close, fd);
    return n == (long)size ? 0 : -1;
}

NO_SANITIZER static size_t child_text_size(const char *text)
{
    size_t size = 0;

    while (text[size])
        size++;
    return size;
}

/* Before the exec: an unmapped uid would lose the namespace's capabilities in it. */
NO_SANITIZER static long child_map_ids(const struct child *child)
{
    static const char deny[] = "deny";

    if (!(child->request->namespaces & CLONE_NEWUSER))
        return 0;
    if (child_write_file("/proc/self/setgroups", deny, sizeof(deny) - 1) < 0 ||
        child_write_file("/proc/self/uid_map", child->uid_map, child_text_size(child->uid_map)) < 0)
        return -1;
    return child_write_file("/proc/self/gid_map", child->gid_map, child_text_size(child->gid_map));
}

/* Entered and left for a copy: others, and the next child, find the first as it was. */
NO_SANITIZER static long child_copy_mounts(const struct clone_request *request)
{
    if (!request->mounts)
        return 0;
    if (syscall(SYS_setns, *request->mounts, CLONE_NEWNS) < 0)
        return -1;
    return syscall(SYS_unshare, CLONE_NEWNS);
}

/*
 * First all of them out of the way, then each into its place: a descriptor's new number may be
 * another one's old one. Returns the program's new number.
 */
NO_SANITIZER static long child_arrange_fds(const struct clone_request *request)
{
    int high[CLONE_FDS_MAX];
    long program = syscall(SYS_fcntl, request->program, F_DUPFD_CLOEXEC, request->fd_count);

    if (program < 0)
        return -1;
    for (size_t i = 0; i < request->fd_count; i++) {
        high[i] = -1;
        if (request->fds[i] < 0)
            continue;
        high[i] = (int)syscall(SYS_fcntl, request->fds[i], F_DUPFD_CLOEXEC, request->fd_count);
        if (high[i] < 0)
            return -1;
    }
    for (size_t i = 0; i < request->fd_count; i++) {
        if (high[i] < 0)
            syscall(SYS_close, (int)i);
        else if (syscall(SYS_dup3, high[i], (int)i, 0) < 0)
            return -1;
    }
    if (syscall(SYS_close_range, (unsigned)request->fd_count, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return -1;
    return program;
}

NO_SANITIZER _Noreturn static void child_run(struct child *child)
{
    const struct clone_request *request = child->request;
    long program = -1;

    child->step = CHILD_MAPS_IDS;
    if (child_map_ids(child) >= 0) {
        child->step = CHILD_COPIES_MOUNTS;
        if (child_copy_mounts(request) >= 0) {
            child->step = CHILD_ARRANGES_FDS;
            program = child_arrange_fds(request);
        }
    }
    if (program >= 0) {
        child->step = CHILD_EXECUTES;
        child->error = 0;
        syscall(SYS_execveat, (int)program, "", request->argv, request->env, AT_EMPTY_PATH);
    }
    child->error = -errno;
    for (;;)
        syscall(SYS_exit, 127);
}

/* --- in the parent ------------------------------------------------------------------------------
 */

/*
 * clone3(2) with a stack of its own for the child: the libc's syscall() can't return on another
 * stack, so the child is led into child_run() right behind the instruction. Returns the pid or a
 * negative errno.
 */
#if defined(__x86_64__)
static long clone3_run(struct clone_args *args, struct child *child)
{
    register long result __asm__("rax") = SYS_clone3;
    register void (*run)(struct child *) __asm__("r8") = child_run;
    register struct child *argument __asm__("r9") = child;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r9, %%rdi\n\t"
                     "call *%%r8\n\t"
                     "ud2\n"
                     "1:"
                     : "+r"(result)
                     : "D"(args), "S"(sizeof(*args)), "r"(run), "r"(argument)
                     : "rcx", "r11", "memory", "cc");
    return result;
}
#elif defined(__aarch64__)
static long clone3_run(struct clone_args *args, struct child *child)
{
    register long number __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)args;
    register long size __asm__("x1") = sizeof(*args);
    register void (*run)(struct child *) __asm__("x2") = child_run;
    register struct child *argument __asm__("x3") = child;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, x3\n\t"
                     "blr x2\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(result)
                     : "r"(number), "r"(size), "r"(run), "r"(argument)
                     : "memory", "cc");
    return result;
}
#else
/* Elsewhere the child gets a copy of our memory; struct child lies in shared memory. */
static long clone3_run(struct clone_args *args, struct child *child)
{
    long pid;

    args->flags &= ~(uint64_t)CLONE_VM;
    args->stack = args->stack_size = 0;
    pid = syscall(SYS_clone3, args, sizeof(*args));
    if (pid == 0)
        child_run(child);
    return pid < 0 ? -errno : pid;
}
#endif

/* All of them, the libc's own real-time signals included, which sigfillset(3) leaves out. */
static void signals_block(uint64_t *ret_before)
{
    uint64_t all = ~UINT64_C(0);

    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, ret_before, sizeof(all));
}

static void signals_restore(const uint64_t *before)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, sizeof(*before));
}

static void child_reap(int pidfd)
{
    siginfo_t info;

    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL) < 0 && errno == EINTR)
        ;
}

/* The child's stack with its struct child above it, shared and behind a guard page. */
struct room {
    char *base;
    size_t guard;
    size_t size;
    struct child *child;
};

static void room_done(struct room *room)
{
    if (room->base)
        munmap(room->base, room->size);
}

static bool room_make(struct room *ret)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = page + STACK_SIZE + page;
    char *base;

    _Static_assert(sizeof(struct child) <= 4096, "one page holds it");
    base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return false;
    if (mprotect(base, page, PROT_NONE) < 0) {
        munmap(base, size);
        return false;
    }
    *ret = (struct room){
        .base = base,
        .guard = page,
        .size = size,
        .child = (struct child *)(void *)(base + page + STACK_SIZE),
    };
    return true;
}

static void child_init(struct child *child, const struct clone_request *request)
{
    child->request = request;
    child->error = -ECHILD; /* should it die without a word */
    snprintf(child->uid_map, sizeof(child->uid_map), "0 %u 1\n", (unsigned)geteuid());
    snprintf(child->gid_map, sizeof(child->gid_map), "0 %u 1\n", (unsigned)getegid());
}

int clone_execute(const struct clone_request *request, pid_t *ret_pid, int *ret_pidfd,
                  struct error *err)
{
    _cleanup_(room_done) struct room room = {0};
    int pidfd = FD_NONE;
    struct clone_args args;
    uint64_t signals;
    long pid;

    if (request->fd_count > CLONE_FDS_MAX)
        return error_set(err, -E2BIG, "%zu descriptors are too many for a new process",
                         request->fd_count);
    if (!room_make(&room))
        return error_set(err, -ENOMEM, "no memory for the stack of a new process");
    child_init(room.child, request);

    args = (struct clone_args){
        .flags = SHARED_UNTIL_EXEC | request->namespaces,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)(room.base + room.guard),
        .stack_size = STACK_SIZE,
    };
    if (request->cgroup >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)request->cgroup;
    }
    signals_block(&signals);
    pid = clone3_run(&args, room.child);
    signals_restore(&signals);

    if (pid < 0)
        return error_set(err, (int)pid, "can't make a process in new namespaces: %s",
                         strerror((int)-pid));
    if (room.child->error < 0) {
        child_reap(pidfd);
        fd_close(pidfd);
        return error_set(err, room.child->error, "%s: %s", child_step_text[room.child->step],
                         strerror(-room.child->error));
    }
    *ret_pid = (pid_t)pid;
    *ret_pidfd = pidfd;
    return 0;
}
