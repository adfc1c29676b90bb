# SPDX-License-Identifier: Apache-2.0
"""A job that needs more memory than its limit ends, as a whole, and its record names the cause."""

import re

import pytest

from guest_agent import CGROUP
from harness.api import amounts, ending

MIB = 1 << 20
LIMIT = amounts(memory_max=32 * MIB)
TOO_MUCH = str(256 * MIB)


def test_command_beyond_its_limit_is_oom_killed(alice, probe):
    job = alice.run(probe, "out", "begun", "err", "too", "memory", TOO_MUCH, limits=LIMIT)
    assert ending(job) == ("FAILED", "OOM_KILLED", None, 9)
    assert job.error == "killed at its memory limit of 32MiB"
    assert 0 < job.usage.memory_peak <= 32 * MIB
    output = alice.output(job)
    assert (output.stdout, output.stderr) == (b"begun\n", b"too\n")
    assert output.summary.complete


def test_people_are_told_of_the_memory_limit(hoist, probe):
    done = hoist("run", "--memory", "32MiB", "--", probe, "memory", TOO_MUCH)
    assert done.returncode == 137
    assert "memory limit" in done.stderr


def test_whole_job_is_killed_with_the_one_that_asked_for_too_much(alice, probe):
    job = alice.run(probe, "child", "memory", TOO_MUCH, ",", "child", "forever", ",", "forever", limits=LIMIT)
    assert ending(job) == ("FAILED", "OOM_KILLED", None, 9)


def test_command_that_ends_by_itself_was_not_oom_killed(alice, agent, machine, probe):
    """As the kernel would do if it spared the command: only the child is killed, and its parent goes on."""
    job = alice.start(probe, "out", "ready", "await", "10", "child", "memory", TOO_MUCH, ",", "reap", "exit", "5",
                      limits=LIMIT)
    alice.await_output(job, b"ready")
    machine.sh(f"echo 0 >{agent.cgroup(job)}/memory.oom.group")
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    job = alice.wait(job)
    assert ending(job) == ("FAILED", "EXITED", 5, 0)
    assert job.error == "the command exited with 5"


def test_sigkill_from_inside_is_not_taken_for_the_memory_limit(alice, probe):
    assert ending(alice.run(probe, "signal", "9", limits=LIMIT)) == ("FAILED", "SIGNALED", None, 9)


@pytest.fixture
def held_back(alice):
    """Reads twice the file's pages that it may keep, again and again."""
    command = "while :; do cat /srv/data >/dev/null; done"
    job = alice.start("/bin/sh", "-c", command, limits=amounts(memory_high=8 * MIB))
    while alice.jobs.GetJob(name=job.name, sample_usage=True).usage.memory_high_events == 0:
        pass
    yield job
    alice.end(job, grace=0)


def test_job_that_is_held_back_says_so(alice, hoist, held_back):
    assert "memory" in alice.jobs.GetJob(name=held_back.name, sample_usage=True).usage.throttled
    shown = hoist("status", held_back.name, check=0).stdout
    assert re.search(r"^throttled +(cpu, )?memory$", shown, re.MULTILINE)
    ended = alice.end(held_back, grace=0)
    assert "memory" in ended.usage.throttled and ended.usage.memory_peak >= 8 * MIB


def test_one_process_alone_is_killed_where_the_job_says_so(alice, probe):
    job = alice.run(probe, "child", "memory", TOO_MUCH, ",", "reap", "exit", "5",
                    limits=amounts(memory_max=32 * MIB, oom_group=0))
    assert ending(job) == ("FAILED", "EXITED", 5, 0)
    assert job.usage.oom_kills == 1


def test_limit_of_all_jobs_together_is_told_apart(alice, agent, machine, probe):
    before = machine.read(f"{CGROUP}/memory.max").strip()
    machine.sh(f"echo {128 * MIB} >{CGROUP}/memory.max")
    try:
        job = alice.run(probe, "memory", TOO_MUCH, limits=amounts(memory_max=400 * MIB))
    finally:
        machine.sh(f"echo {before} >{CGROUP}/memory.max")
    assert ending(job) == ("FAILED", "OOM_KILLED", None, 9)
    assert job.error == "killed because all jobs together reached their limit of memory"


def test_memory_of_the_host_is_told_apart(alice, machine, probe):
    """The kernel's own OOM killer, asked for: it takes who has most, and with it the job as a whole."""
    job = alice.start(probe, "memory", str(128 * MIB), "child", "forever", ",", "out", "ready", "forever")
    alice.await_output(job, b"ready")
    machine.sh("echo f >/proc/sysrq-trigger")
    job = alice.wait(job)
    assert ending(job) == ("FAILED", "OOM_KILLED", None, 9)
    assert job.error == "killed because the host ran out of memory"


def test_files_in_memory_count(alice, probe):
    job = alice.run(probe, "fill", f"/tmp/x:{64 * MIB}", "fill", f"/job/x:{64 * MIB}", limits=LIMIT)
    assert ending(job) == ("FAILED", "OOM_KILLED", None, 9)
