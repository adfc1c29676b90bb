# SPDX-License-Identifier: Apache-2.0
"""A fork bomb is held at its limit, harms nobody else, and is stopped whole."""

import pytest

from harness.api import amounts, ending

PIDS = 64
# So that the machine, which has two slow CPUs, answers meanwhile.
LIMITS = amounts(pids_max=PIDS, cpu_millis=500)


def living(machine, uid):
    """Processes of that user."""
    listed = machine.try_sh("stat -c '%u %n' /proc/[0-9]*")[1]  # some have gone before it comes to them
    return [line for line in listed.splitlines() if line.startswith(f"{uid} ")]


def test_process_beyond_the_limit_is_refused(alice):
    """The shell is the first of them, and dies of the fork that is refused."""
    job = alice.run("/bin/sh", "-c", "i=1; while sleep 1000 & do i=$((i+1)); echo $i; done", limits=LIMITS)
    output = alice.output(job)
    assert output.stdout.split()[-1] == str(PIDS).encode()
    assert b"can't fork: Resource temporarily unavailable" in output.stderr
    assert job.usage.pids_refused == 1


@pytest.mark.parametrize("grace", [0, 1])
def test_fork_bomb_is_held_and_stopped_whole(alice, agent, machine, probe, grace):
    job = alice.start(probe, "ignore", "15", "forkbomb", limits=LIMITS)
    alice.await_output(job, b"fork refused")
    cgroup = agent.cgroup(job)
    assert 2 <= int(machine.read(f"{cgroup}/pids.current")) <= PIDS
    assert machine.figures(f"{cgroup}/pids.events")["max"] > 0
    assert 2 <= alice.jobs.GetJob(name=job.name).usage.pids_current <= PIDS
    assert living(machine, job.job_uid)

    assert ending(alice.run(probe, "exit", "3")) == ("FAILED", "EXITED", 3, 0)  # others go on

    stopped = alice.end(job, grace=grace)
    assert ending(stopped) == ("STOPPED", "STOPPED_BY_USER", None, 9)
    assert machine.try_sh(f"ls {cgroup}")[0] != 0
    assert living(machine, job.job_uid) == []


def test_fork_bomb_left_by_the_command_ends_with_it(alice, machine, probe):
    job = alice.run(probe, "child", "forkbomb", ",", "sleep", "500", "exit", "4", limits=LIMITS)
    assert ending(job) == ("FAILED", "EXITED", 4, 0)
    assert living(machine, job.job_uid) == []
