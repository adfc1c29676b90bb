# SPDX-License-Identifier: Apache-2.0
"""A stop that can't come to its end: the command is in a read of a suspended disk, where no signal reaches it."""

import pytest

from harness.api import ending, word

DM = "/opt/hoist/dmsetup --noudevsync --noudevrules"
PLACE = "/srv/held"
# Once it is told to, the command itself reads past the page cache: a suspended disk holds it for good.
READ = f"trap go=1 USR1; echo waiting; until [ $go ]; do :; done; exec dd if={PLACE}/file bs=4096 count=1 iflag=direct"


@pytest.fixture
def disk(agent, machine):
    """A file system on a device that can be suspended; at the end it is not."""
    machine.sh(f"""set -e
        {DM} create held --table "0 $(cat /sys/class/block/vdc1/size) linear /dev/vdc1 0"
        mke2fs /dev/dm-0 >/dev/null
        mkdir {PLACE}
        mount -t ext4 /dev/dm-0 {PLACE}
        dd if=/dev/zero of={PLACE}/file bs=4096 count=1 status=none""")
    yield
    machine.sh(f"{DM} resume held; umount {PLACE}; rmdir {PLACE}; {DM} remove held")


def held(machine, cgroup):
    """The pid of the process that is in the read and can't be killed any more, once there is one."""
    return int(machine.sh(f"""
        while :; do
            for pid in $(cat {cgroup}/cgroup.procs); do
                [ -e /proc/$pid ] || continue
                read call fd rest </proc/$pid/syscall
                read at name state rest </proc/$pid/stat
                [ "$call $fd $state" != "0 0x0 D" ] || {{ echo $pid; exit; }}
            done
            usleep 10000
        done 2>/dev/null"""))


def test_stop_of_a_task_that_nothing_can_kill(alice, admin, agent, machine, probe, disk):
    job = alice.start("/bin/sh", "-c", READ)
    alice.await_output(job, b"waiting\n")
    machine.sh(f"{DM} suspend held")
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    pid = held(machine, agent.cgroup(job))

    stopping = alice.stop(job, grace=0)
    assert word("JobState", stopping.state) == "STOPPING"
    assert not stopping.HasField("end_time")
    assert stopping.processes_blocked == len(stopping.blocked_tasks) == 1
    blocked, = stopping.blocked_tasks
    assert (blocked.pid, blocked.name, blocked.state) == (pid, "dd", "D")
    shown = agent.cli("alice")("status", job.name, check=0).stdout
    assert f"1 tasks can't be ended yet\n            pid {pid} (dd), state D\n" in shown

    # Neither others nor the agent wait for it.
    assert admin.agent.GetInfo().stuck_stops == 1
    other = alice.run(probe, "lines", "10", "exit", "3")
    assert ending(other) == ("FAILED", "EXITED", 3, 0)
    assert word("JobState", alice.stop(job, grace=0).state) == "STOPPING"

    # Nor is it forgotten by the next agent.
    agent.kill_hoistd()
    client = agent.client("alice")
    assert word("JobState", client.jobs.GetJob(name=job.name).state) == "STOPPING"
    assert agent.client("admin").agent.GetInfo().stuck_stops == 1

    machine.sh(f"{DM} resume held")
    assert ending(client.wait(job)) == ("STOPPED", "STOPPED_BY_USER", None, 9)
    assert client.output(job).data == b"waiting\n"
    machine.sh(f"while [ -e {agent.cgroup(job)} ]; do usleep 50000; done; ! [ -e /proc/{pid} ]")
    assert agent.client("admin").agent.GetInfo().stuck_stops == 0
    client.close()
