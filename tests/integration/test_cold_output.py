# SPDX-License-Identifier: Apache-2.0
"""Output that lies on the disk alone, once the page cache has let go of it, byte for byte."""

import hashlib
import os

import pytest

from harness import traces

pytestmark = pytest.mark.tsan

SIZE = 8_000_000


def drop_from_memory(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def test_cold_output_is_read_whole(agent, alice, probe):
    job = alice.run(probe, "bytes", str(SIZE))
    warm = alice.output(job)
    directory = traces.directory_of(agent, job)
    for name in ("output", "index"):
        drop_from_memory(f"{directory}/{name}")
    cold = alice.output(job, offset=1_000_001)
    assert hashlib.sha256(cold.data).digest() == hashlib.sha256(warm.data[1_000_001:]).digest()
    assert cold.summary.complete
