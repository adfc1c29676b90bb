# SPDX-License-Identifier: Apache-2.0
"""Programs on a terminal of their own."""

import os
import pty
import select
import subprocess
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
