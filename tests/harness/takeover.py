# SPDX-License-Identifier: Apache-2.0
"""A process that does what an attacker in it would: system calls, made by ptrace(2) in its own name.

What the kernel answers is what code that was injected into the process would get. Needs root and x86-64.
"""

import ctypes
import errno
import os
import platform
import signal

SUPPORTED = os.geteuid() == 0 and platform.machine() == "x86_64"

CALLS = {"read": 0, "open": 2, "mmap": 9, "mprotect": 10, "kill": 62, "socket": 41, "clone": 56, "fork": 57,
         "execve": 59, "chmod": 90, "ptrace": 101, "getuid": 102, "setuid": 105, "prctl": 157, "mount": 165,
         "keyctl": 250, "fchdir": 81, "openat": 257, "mkdirat": 258, "unshare": 272, "prlimit64": 302, "memfd_create": 319, "bpf": 321, "io_uring_setup": 425}

ATTACH, GETREGS, SETREGS, SINGLESTEP = 16, 12, 13, 9
WALL = 0x40000000
SYSCALL = b"\x0f\x05"


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds "
        "es fs gs").split()]


class Killed(Exception):
    """The call has killed the process; `args[0]` is the signal."""


libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request, pid, data=None):
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, data) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Takeover:
    """Its main thread stops, and then makes one call after the other; it is of no other use afterwards."""

    def __init__(self, pid):
        self.pid = pid
        ptrace(ATTACH, pid)
        self.wait()
        self.registers = Registers()
        ptrace(GETREGS, pid, ctypes.byref(self.registers))
        self.memory = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        self.instruction = self.registers.rip - len(SYSCALL)  # it was stopped in a call: that instruction it is
        assert os.pread(self.memory, len(SYSCALL), self.instruction) == SYSCALL

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Nothing of what was done to it is worth saving."""
        os.close(self.memory)
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, WALL)
        except (ProcessLookupError, ChildProcessError):
            pass

    def wait(self):
        _, status = os.waitpid(self.pid, WALL)
        if os.WIFSIGNALED(status):
            raise Killed(os.WTERMSIG(status))
        assert os.WIFSTOPPED(status)

    def call(self, name, *arguments):
        """What the call (a name, or a number) returns; negative is an errno. Texts are put below its stack."""
        values, room = [], self.registers.rsp - 65536
        for argument in arguments:
            if isinstance(argument, str):
                os.pwrite(self.memory, argument.encode() + b"\0", room)
                values.append(room)
                room += len(argument) + 1
            else:
                values.append(argument)
        wanted = Registers.from_buffer_copy(self.registers)
        for register, value in zip("rdi rsi rdx r10 r8 r9".split(), values + [0] * (6 - len(values))):
            setattr(wanted, register, value & (1 << 64) - 1)
        wanted.rax, wanted.rip, wanted.orig_rax = CALLS.get(name, name), self.instruction, (1 << 64) - 1
        ptrace(SETREGS, self.pid, ctypes.byref(wanted))
        ptrace(SINGLESTEP, self.pid)
        self.wait()
        ptrace(GETREGS, self.pid, ctypes.byref(wanted))
        return ctypes.c_int64(wanted.rax).value

    def try_call(self, name, *arguments):
        """ "EACCES" and the like, or "" when it worked."""
        result = self.call(name, *arguments)
        return errno.errorcode[-result] if result < 0 else ""
