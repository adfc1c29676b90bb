# SPDX-License-Identifier: Apache-2.0
"""Output that is on a disk alone which doesn't answer: who asks for it waits, and nobody else does."""

import contextlib
import threading

import pytest

from harness.api import word
from harness.pattern import pattern

DM = "/opt/hoist/dmsetup --noudevsync --noudevrules"
COLD, WARM = 3_000_000, 1_000_000

# Every way of beginning looks at the disk before the first byte comes: at the index, and for lines at the data.
BEGINNINGS = {"the first byte": {}, "an offset": {"offset": 1_234_567}, "a time": {"since": {"seconds": 1}},
              "the last lines": {"tail_lines": 7}, "the last bytes": {"tail_bytes": 70_000}}


@pytest.fixture
def device(agent, machine):
    """A disk that can be told not to answer, with the jobs' directories; the records lie elsewhere."""
    machine.sh(f'{DM} create slow --table "0 $(cat /sys/class/block/vdc1/size) linear /dev/vdc1 0"')
    name = machine.sh("basename $(grep -lx slow /sys/block/dm-*/dm/name | cut -d / -f 1-4)").strip()
    with agent.jobs_on(f"/dev/{name}") as directories:
        yield "slow", directories
    machine.sh(f"{DM} remove slow")


@contextlib.contextmanager
def suspended(machine, device):
    machine.sh(f"{DM} suspend --noflush --nolockfs {device}")
    try:
        yield
    finally:
        machine.sh(f"{DM} resume {device}")


def forget(machine, device):
    """Nothing of the disk is known any more: what only the journal holds was written to its place by the freeze."""
    machine.sh(f"sync; {DM} suspend {device}; {DM} resume {device}; echo 3 >/proc/sys/vm/drop_caches")


def it_waits(machine, agent, thread):
    """Does a thread of hoistd wait for the disk?"""
    return machine.sh(f"""task=$(grep -lx {thread} /proc/{agent.hoistd_pid}/task/*/comm)
                          grep '^State:.D' "${{task%/comm}}/status" || true""") != ""


def until_it_waits(machine, agent, thread, unless=threading.Event()):
    while not it_waits(machine, agent, thread) and not unless.is_set():
        pass


def opened(responses):
    """Set once the call's files are open; hoistd looks at all directories each minute, and may know the way by that."""
    event = threading.Event()

    def wait():
        responses.initial_metadata()
        event.set()

    threading.Thread(target=wait, daemon=True).start()
    return event


def read(responses):
    return b"".join(response.chunk.data for response in responses)


def test_only_who_reads_from_a_disk_that_does_not_answer_waits(agent, machine, probe, device):
    alice = agent.client("alice")
    device, directories = device
    cold, warm = alice.run(probe, "bytes", str(COLD)), alice.run(probe, "bytes", str(WARM))
    forgotten = alice.run(probe, "bytes", str(COLD))
    whole = {name: alice.output(cold, **fields).data for name, fields in BEGINNINGS.items()}
    assert whole["the first byte"] == whole["a time"] == pattern(COLD)
    forget(machine, device)
    # The way to the files of one is known again, but not what is in them.
    machine.sh(f"stat {directories}/{cold.name.removeprefix('jobs/')}/* >&2")
    assert alice.output(warm).data == pattern(WARM)
    with suspended(machine, device):
        waiting = {name: alice.jobs.StreamOutput(name=cold.name, **fields) for name, fields in BEGINNINGS.items()}
        for responses in waiting.values():
            responses.initial_metadata()
        until_it_waits(machine, agent, "cold-reads")
        waiting["forgotten"], whole["forgotten"] = alice.jobs.StreamOutput(name=forgotten.name), pattern(COLD)
        until_it_waits(machine, agent, "disk", unless=opened(waiting["forgotten"]))
        assert alice.agent.Ping().principal == "alice"
        assert word("JobState", alice.jobs.GetJob(name=cold.name).state) == "SUCCEEDED"
        assert alice.output(warm).data == pattern(WARM)
        assert alice.output(warm, tail_bytes=1000).data == pattern(WARM, WARM - 1000)
        until_it_waits(machine, agent, "cold-reads")
        assert all(responses.is_active() for responses in waiting.values())
    assert {name: read(responses) for name, responses in waiting.items()} == whole
    for job in (cold, warm, forgotten):
        alice.jobs.DeleteJob(name=job.name)
    alice.close()
