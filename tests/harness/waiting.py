# SPDX-License-Identifier: Apache-2.0
"""Waiting for what happens, never for time to pass."""

import contextlib
import ctypes
import os
import select
import subprocess
import time

from harness import PATIENCE


class Overdue(AssertionError):
    pass


def read_until(file, wanted, seconds=PATIENCE):
    """Reads a pipe until the bytes `wanted` are among what came, and returns all that came."""
    fd, data = file.fileno(), b""
    deadline = time.monotonic() + seconds
    while wanted not in data:
        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
            raise Overdue(f"{wanted!r} did not come within {seconds} s; there was {data[-500:]!r}")
        chunk = os.read(fd, 65536)
        if not chunk:
            raise Overdue(f"the end came before {wanted!r}; there was {data[-500:]!r}")
        data += chunk
    return data


def process_end(pid, seconds=PATIENCE):
    """Returns when the process has ended; one that doesn't exist has."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(seconds * 1000):
            raise Overdue(f"process {pid} did not end within {seconds} s")
    finally:
        os.close(fd)


def cgroup_empty(path, seconds=PATIENCE):
    """Returns when no process is left in the cgroup or below it, or it is gone."""
    deadline = time.monotonic() + seconds
    try:
        with open(f"{path}/cgroup.events") as file:
            poll = select.poll()
            poll.register(file, select.POLLPRI)
            while "populated 0" not in file.read():
                if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                    raise Overdue(f"{path} was not empty within {seconds} s")
                file.seek(0)
    except (FileNotFoundError, OSError) as error:
        if not os.path.exists(path):
            return
        raise error


def log_line(path, wanted, seconds=PATIENCE, start=0):
    """Returns what the log holds, from the byte `start` on, up to the first occurrence of `wanted`, which may still have to
    be written."""
    with subprocess.Popen(["tail", "-c", f"+{start + 1}", "-F", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tail:
        try:
            return read_until(tail.stdout, wanted.encode(), seconds).decode(errors="replace")
        finally:
            tail.kill()


@contextlib.contextmanager
def _watched(directory, mask):
    """An inotify descriptor on a directory; on cgroupfs too, where the kernel tells what system calls did."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if fd < 0 or libc.inotify_add_watch(fd, os.fsencode(directory), mask) < 0:
            raise OSError(ctypes.get_errno(), directory)
        yield fd
    finally:
        os.close(fd)


def path_gone(path, seconds=PATIENCE):
    """Returns when the path doesn't exist any more."""
    deleted, deleted_self, moved = 0x200, 0x400, 0x40
    deadline = time.monotonic() + seconds
    with contextlib.suppress(FileNotFoundError):
        with _watched(os.path.dirname(path), deleted | deleted_self | moved) as fd:
            while os.path.exists(path):
                if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
                    raise Overdue(f"{path} was still there after {seconds} s")
                with contextlib.suppress(BlockingIOError):
                    os.read(fd, 65536)


@contextlib.contextmanager
def new_entry(directory):
    """Yields a function that returns when something was made in the directory since the beginning of the block."""
    made, seconds = 0x100, PATIENCE
    with _watched(directory, made) as fd:
        def wait():
            if not select.select([fd], [], [], seconds)[0]:
                raise Overdue(f"nothing was made in {directory} within {seconds} s")

        yield wait


@contextlib.contextmanager
def changes_in(directory):
    """Yields a function that returns when a file of the directory was written to since it was called last."""
    modified, seconds = 0x2, PATIENCE
    with _watched(directory, modified) as fd:
        def wait():
            if not select.select([fd], [], [], seconds)[0]:
                raise Overdue(f"nothing was written in {directory} within {seconds} s")
            os.read(fd, 65536)

        yield wait
