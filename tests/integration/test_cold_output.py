# SPDX-License-Identifier: Apache-2.0
"""Output that lies on the disk alone: who waits for the disk is a thread of its own."""

import hashlib
import os

import pytest

from harness import process, traces

pytestmark = pytest.mark.tsan

SIZE = 8_000_000


def drop_from_memory(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def waited_for_disk(agent):
    """CPU seconds of the thread that waits for the disk."""
    return process.cpu_seconds(agent.hoistd_pid, "cold-reads")


def test_cold_output_is_read_by_another_thread(agent, alice, probe):
    job = alice.run(probe, "bytes", str(SIZE))
    warm = alice.output(job)
    directory, before = traces.directory_of(agent, job), waited_for_disk(agent)
    for name in ("output", "index"):
        drop_from_memory(f"{directory}/{name}")
    cold = alice.output(job, offset=1_000_001)
    assert hashlib.sha256(cold.data).digest() == hashlib.sha256(warm.data[1_000_001:]).digest()
    assert cold.summary.complete
    assert waited_for_disk(agent) > before
