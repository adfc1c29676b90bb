# SPDX-License-Identifier: Apache-2.0
"""What is kept for a job stands on every cgroup above it, and is still its own when others want it."""

import contextlib
import os

import pytest

from guest_agent import CGROUP, KEPT
from harness.api import amounts, ending, refused

MIB = 1 << 20
MEMORY, LOW, CPU = KEPT["reserve"]["memory"], KEPT["memory_low"], KEPT["reserve"]["cpu"]
GROUP = f"{CGROUP}/p-alice"
# All jobs together have less than what one has in the page cache and the other asks for.
DATA, ALL_JOBS, WANTED = 16 * MIB, 96 * MIB, 88 * MIB


@pytest.fixture
def kept(alice, probe):
    job = alice.start(probe, "forever", job_class="kept")
    yield job
    alice.end(job, grace=0)


def levels(machine, agent, job, file):
    """What stands in the cgroups of the command, the job, its group, and all jobs."""
    paths = [agent.cgroup(job), os.path.dirname(agent.cgroup(job)), GROUP, CGROUP]
    return [int(number) for number in machine.sh("; ".join(f"cat {path}/{file}" for path in paths)).split()]


def weight(machine, *millis):
    """As hoistd.yaml(5) tells it: 100, and of 9900 the part of the host's CPUs."""
    cpus = int(machine.sh("grep -c ^processor /proc/cpuinfo"))
    return 100 + sum(9900 * each // (1000 * cpus) for each in millis)


def test_what_is_kept_stands_on_every_level(agent, machine, kept):
    assert levels(machine, agent, kept, "memory.min") == [MEMORY] * 4
    assert levels(machine, agent, kept, "memory.low") == [LOW] * 4
    assert levels(machine, agent, kept, "cpu.weight") == [100, weight(machine, CPU), weight(machine, CPU), 100]


def test_job_says_that_it_is_in_force(alice, machine, kept):
    told = {limit.name: limit for limit in alice.jobs.GetJob(name=kept.name).limits}
    assert all(limit.enforced for limit in told.values())
    assert told["memory_reserved"].detail == f"memory.min {MEMORY}"
    assert told["memory_low"].detail == f"memory.low {LOW}"
    assert told["cpu_reserved_millis"].detail == f"cpu.weight {weight(machine, CPU)}"


def test_levels_hold_the_sum_of_jobs_as_they_come_and_go(alice, agent, machine, probe, kept):
    other = alice.start(probe, "forever", job_class="kept", limits=amounts(memory_reserved=MIB, cpu_reserved_millis=0))
    plain = alice.start(probe, "forever")
    assert levels(machine, agent, other, "memory.min") == [MIB, MIB, MEMORY + MIB, MEMORY + MIB]
    assert levels(machine, agent, other, "memory.low") == [LOW, LOW, 2 * LOW, 2 * LOW]
    assert levels(machine, agent, plain, "memory.min")[:2] == [0, 0]
    alice.end(other, grace=0)
    assert levels(machine, agent, kept, "memory.min") == [MEMORY] * 4
    alice.end(kept, grace=0)
    assert levels(machine, agent, plain, "memory.min") == [0] * 4
    assert levels(machine, agent, plain, "cpu.weight") == [100] * 4
    alice.end(plain, grace=0)
    assert int(machine.read(f"{CGROUP}/memory.min")) == 0


def test_launcher_makes_the_sums_anew_when_it_starts(alice, agent, machine, kept):
    agent.kill_launcher()
    machine.sh(f"echo 0 >{CGROUP}/memory.min; echo {9 * MEMORY} >{GROUP}/memory.min; echo 100 >{GROUP}/cpu.weight")
    agent.start()
    assert levels(machine, agent, kept, "memory.min") == [MEMORY] * 4
    assert levels(machine, agent, kept, "cpu.weight")[2] == weight(machine, CPU)


def test_launcher_adds_up_for_itself(alice, machine, kept):
    """hoistd adds up before it asks; one that was taken over would not."""
    machine.sh(f"echo {1 << 50} >{CGROUP}/memory.min")
    with refused("FAILED_PRECONDITION", "LIMIT_NOT_ENFORCEABLE") as refusal:
        alice.start("/bin/true", job_class="kept")
    assert f"memory.min of all jobs would be {(1 << 50) + MEMORY}, they may have " in refusal.message


@contextlib.contextmanager
def little_for_all_jobs(machine):
    before = machine.read(f"{CGROUP}/memory.max").strip()
    machine.sh(f"echo {ALL_JOBS} >{CGROUP}/memory.max")
    try:
        yield
    finally:
        machine.sh(f"echo {before} >{CGROUP}/memory.max")


@pytest.mark.parametrize("job_class", ["kept", "default"])
def test_page_cache_stays_with_the_job_that_it_is_kept_for(alice, agent, machine, probe, job_class):
    """The other can't have it: there is not enough for both, and one of them is not asked to give."""
    machine.sh("sync; echo 3 >/proc/sys/vm/drop_caches")
    reader = alice.start("/bin/sh", "-c", "cat /srv/data >/dev/null; echo read; sleep 10000", job_class=job_class)
    alice.await_output(reader, b"read\n")
    cgroup = agent.cgroup(reader)
    before = machine.figures(f"{cgroup}/memory.stat")["file"]
    assert before >= DATA
    with little_for_all_jobs(machine):
        eater = alice.run(probe, "memory", str(WANTED), "exit", "3")
    after = machine.figures(f"{cgroup}/memory.stat")["file"]
    alice.end(reader, grace=0)
    if job_class == "kept":
        assert ending(eater) == ("FAILED", "OOM_KILLED", None, 9)
        assert after == before
    else:
        assert ending(eater) == ("FAILED", "EXITED", 3, 0)
        assert after < before
