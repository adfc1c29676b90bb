# SPDX-License-Identifier: Apache-2.0
"""Output on a small ext4 file system: a job that prints without end, and a disk that is full."""

import pytest

from harness.api import ending, word
from harness.pattern import pattern

DEVICE = "/dev/vdb2"
SIZE = 12 << 20
CAP = 3 << 20


@pytest.fixture
def disk(agent):
    with agent.jobs_on(f"{DEVICE} {SIZE >> 10}k") as path:
        yield path


def free(machine, disk):
    """Bytes that hoistd may still write."""
    blocks, size = machine.sh(f"stat -f -c '%a %S' {disk}").split()
    return int(blocks) * int(size)


def follow(responses, at, until=None):
    """Reads from offset `at` until the stream ends or has come to `until`: each chunk must be the bytes of its offset.
    Returns where it stands, and the gaps that it was told of."""
    gaps = []
    for response in responses:
        kind = response.WhichOneof("kind")
        if kind == "chunk":
            assert response.chunk.offset == at
            assert response.chunk.data == pattern(at + len(response.chunk.data), at), f"wrong bytes at {at}"
            at += len(response.chunk.data)
        elif kind == "gap":
            assert response.gap.start == at < response.gap.end
            gaps.append((at, response.gap.end))
            at = response.gap.end
        if until is not None and at >= until:
            responses.cancel()
            break
    return at, gaps


def test_endless_output_keeps_both_ends_and_leaves_the_disk_alone(agent, machine, probe, disk):
    """Twice as much as the disk holds is printed; readers get each byte that was kept, and never a punched zero."""
    alice, before = agent.client("alice"), free(machine, disk)
    job = alice.start(probe, "bytes", str(1 << 40), output_cap={"value": CAP})
    at = 0
    for until in (SIZE // 2, SIZE, 2 * SIZE):  # three readers, each from where the one before it went away
        at, _ = follow(alice.jobs.StreamOutput(name=job.name, follow=True, offset=at), at, until)
        assert free(machine, disk) >= before - CAP - (512 << 10)
    output = alice.end(job, grace=0).output
    assert output.end_offset > 2 * SIZE and output.complete and not output.waiting_for_disk
    end, gaps = follow(alice.jobs.StreamOutput(name=job.name), 0)
    assert gaps == [(output.gap_start, output.gap_end)] and end == output.end_offset == output.stdout_bytes
    assert CAP // 4 - (128 << 10) <= output.gap_start <= CAP // 4
    assert CAP - (640 << 10) <= output.gap_start + end - output.gap_end <= CAP
    assert alice.output(job, tail_bytes=100_000).data == pattern(end, end - 100_000)
    alice.jobs.DeleteJob(name=job.name)
    assert free(machine, disk) >= before - (64 << 10)
    alice.close()


def test_full_disk_is_waited_for_and_nothing_is_lost(agent, machine, probe, disk):
    alice = agent.client("alice")
    machine.sh(f"""dd if=/dev/zero of={disk}/ballast bs=64k 2>/dev/null
                   truncate -s $(($(stat -c %s {disk}/ballast) - 700000)) {disk}/ballast""")
    job = alice.start(probe, "bytes", "1900000")
    while not job.output.waiting_for_disk:
        job = alice.wait_for(job, 0.2)
        assert word("JobState", job.state) == "RUNNING"
    assert "waits       for room on the agent's disk" in agent.cli("alice")("status", job.name).stdout
    part = alice.output(job, follow=False)
    assert part.data == pattern(len(part.data)) and 0 < len(part.data) < 1900000 and not part.summary.complete
    machine.sh(f"rm {disk}/ballast")
    ended = alice.wait(job)
    assert ending(ended)[:2] == ("SUCCEEDED", "EXITED") and not ended.output.waiting_for_disk
    assert alice.output(job).data == pattern(1900000)
    alice.jobs.DeleteJob(name=job.name)
    alice.close()
