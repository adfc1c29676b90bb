# SPDX-License-Identifier: Apache-2.0
"""What a process holds."""

import contextlib
import json
import os
import time

from harness import BUILD, PATIENCE


def is_sanitized():
    """Sanitizers keep what was freed: figures of memory mean nothing under them."""
    with open(f"{BUILD}/meson-info/intro-buildoptions.json") as file:
        options = {option["name"]: option["value"] for option in json.load(file)}
    return options["b_sanitize"] not in ("none", [])


def memory(pid, figure="VmRSS"):
    """Resident bytes; VmHWM: the most there have been."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith(f"{figure}:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid, thread=None):
    """Of all its threads so far, or of those with that name, by the scheduler's own clock: proc(5)."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/task/{task}/comm") as file:
                name = file.read().strip()
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0]) if thread in (None, name) else 0
    return total / 1e9


def forget_peak(pid):
    """VmHWM begins anew: proc(5). Only root can, for a process of another user."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@contextlib.contextmanager
def bounded(pid, step, grows=8 << 20):
    """The process holds as many descriptors afterwards as before, and at no time much more memory.

    `step` is a call that it serves: what clients have closed is closed there some calls later.
    """
    step()
    forget_peak(pid)
    open_before, memory_before = descriptors(pid), memory(pid)
    yield
    deadline = time.monotonic() + PATIENCE
    while descriptors(pid) > open_before:
        assert time.monotonic() < deadline, f"{descriptors(pid)} descriptors, {open_before} before"
        step()
    if not is_sanitized():
        grown = memory(pid, "VmHWM") - memory_before
        assert grown <= grows, f"it held {grown >> 10} KiB more than before"
