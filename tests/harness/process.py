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


def memory(pid):
    """Resident bytes."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


@contextlib.contextmanager
def bounded(pid, step, grows=8 << 20):
    """The process holds as many descriptors afterwards as before, and not much more memory.

    `step` is a call that it serves: what clients have closed is closed there some calls later.
    """
    step()
    open_before, memory_before = descriptors(pid), memory(pid)
    yield
    deadline = time.monotonic() + PATIENCE
    while descriptors(pid) > open_before:
        assert time.monotonic() < deadline, f"{descriptors(pid)} descriptors, {open_before} before"
        step()
    if not is_sanitized():
        grown = memory(pid) - memory_before
        assert grown <= grows, f"it holds {grown >> 10} KiB more than before"
