# SPDX-License-Identifier: Apache-2.0
"""Programs on a terminal of their own."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from harness import PATIENCE


def run(argv, environment, seconds=PATIENCE):
    """Runs a program with a terminal as its three descriptors; returns its exit code and what it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
                               start_new_session=True)
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + seconds
    try:
        while select.select([ours], [], [], max(0, deadline - time.monotonic()))[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # EIO: the last one that had it open has gone
                return process.wait(seconds), shown
        raise AssertionError(f"{argv[0]} did not end within {seconds} s; it showed {shown[-500:]!r}")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


class Session:
    """A program on a terminal that is its controlling one, so that what is typed reaches it as keys do."""

    def __init__(self, argv, environment, rows, columns):
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = self.attributes()
        self.shown = b""
        self.process = subprocess.Popen(["setsid", "--ctty", *argv], stdin=self.theirs, stdout=self.theirs,
                                        stderr=self.theirs, env=environment)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)

    def attributes(self):
        """How the terminal is set: echo, line by line, what the keys mean."""
        return termios.tcgetattr(self.theirs)

    def read_until(self, is_enough):
        """Reads until is_enough(everything that was shown)."""
        deadline = time.monotonic() + PATIENCE
        while not is_enough(self.shown):
            assert select.select([self.ours], [], [], max(0, deadline - time.monotonic()))[0], self.shown
            self.shown += os.read(self.ours, 65536)

    def type(self, keys):
        os.write(self.ours, keys)

    def wait(self):
        """Its exit code."""
        return self.process.wait(PATIENCE)
