# SPDX-License-Identifier: Apache-2.0
"""Limits of disk input and output hold on the virtual disk, which is the root that jobs see."""

import pytest

from harness.api import amounts, ending, word

KIB = 1 << 10
BLOCK = 64 * KIB
BLOCKS = 64


def read_disk(alice, **limits):
    """A job that reads the disk past the page cache."""
    job = alice.run("/bin/dd", "if=/srv/data", "of=/dev/null", f"bs={BLOCK}", f"count={BLOCKS}", "iflag=direct",
                    "status=none", limits=amounts(**limits))
    assert ending(job) == ("SUCCEEDED", "EXITED", 0, 0)
    assert job.usage.io_read_bytes >= BLOCK * BLOCKS
    assert job.usage.io_read_ops >= BLOCKS
    return job.run_time.seconds + job.run_time.nanos / 1e9


@pytest.mark.parametrize("limit,value", [("io_read_bps", BLOCK * BLOCKS // 4), ("io_read_iops", BLOCKS // 4)])
def test_reading_takes_as_long_as_its_limit_says(alice, limit, value):
    """Four seconds; without the limit it is done before."""
    limited, free = read_disk(alice, **{limit: value}), read_disk(alice)
    assert limited > 3
    assert free < limited


def test_disk_is_read_only_to_jobs(alice, probe):
    job = alice.run(probe, "fill", f"/srv/x:{BLOCK}")
    assert alice.output(job).stdout == b"filled 0: Read-only file system\n"


def test_writing_takes_as_long_as_its_limit_of_operations_says(alice, agent, machine, probe):
    """The profile gives jobs no place on a disk to write to, so a writer is put into a job's cgroup by hand."""
    job = alice.start(probe, "forever", limits=amounts(io_write_iops=16))
    begin, end = (float(line.split()[0]) for line in machine.sh(f"""
        cat /proc/uptime
        sh -c 'echo $$ >{agent.cgroup(job)}/cgroup.procs
               exec dd if=/dev/zero of=/srv/written bs={BLOCK} count=48 oflag=direct status=none'
        cat /proc/uptime
        rm /srv/written""").splitlines())
    usage = alice.end(job, grace=0).usage
    assert end - begin > 2
    assert usage.io_write_bytes >= 48 * BLOCK and usage.io_write_ops >= 48


def slow_read(bps):
    """A read that its limit holds for BLOCK / bps seconds, in which nothing can kill it, or until it is let_go()."""
    return f"dd if=/srv/data of=/dev/null bs={BLOCK} count=1 iflag=direct", amounts(io_read_bps=bps)


# Before it has come to its read a process can be killed like any other. Only what the shell can do itself: what a job
# executes is read from the disk, and would wait behind the slow read.
READING = 'read call fd rest <"/proc/$pid/syscall"; [ "$call $fd" = "0 0x0" ]'


def let_go(machine, cgroup):
    machine.sh(f"read disk rest <{cgroup}/io.max; echo $disk rbps=max >{cgroup}/io.max")
    machine.sh(f"while [ -e {cgroup} ]; do usleep 50000; done")


def test_stop_answers_though_a_process_can_not_be_killed_yet(alice, agent, machine):
    command, limits = slow_read(5 * KIB)
    job = alice.start("/bin/sh", "-c", f"exec {command}", limits=limits)
    machine.sh(f"read pid <{agent.cgroup(job)}/cgroup.procs; until {READING}; do usleep 10000; done")
    stopping = alice.stop(job, grace=0)
    assert word("JobState", stopping.state) == "STOPPING"
    assert stopping.processes_blocked == 1
    assert ending(alice.wait(job)) == ("STOPPED", "STOPPED_BY_USER", None, 9)


def test_end_is_told_though_a_process_can_not_be_killed_yet(alice, agent, machine):
    """hoist-init gives the child five seconds to go, then writes down how the command ended."""
    command, limits = slow_read(1 * KIB)
    job = alice.run("/bin/sh", "-c", f"{command} & pid=$!; until {READING}; do :; done; echo bye; exit 3", limits=limits)
    assert ending(job) == ("FAILED", "EXITED", 3, 0)
    assert alice.output(job).stdout == b"bye\n"
    cgroup = agent.cgroup(job)
    assert machine.read(f"{cgroup}/cgroup.procs") != ""
    let_go(machine, cgroup)
