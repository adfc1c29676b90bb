# SPDX-License-Identifier: Apache-2.0
"""The pid of a hoist-init that ended while the agent was away belongs to somebody else: nothing happens to that one."""

import contextlib

import grpc
import pytest

from harness.api import ending, word

# The kernel gives the next process the pid behind this one, unless somebody else was faster. Threads have theirs from
# the same numbers: of so many in a row one has it. A pid is free once its process was reaped, of which no event tells:
# a pidfd of 6.1 tells the end alone.
RECYCLE = {
    "process": """until [ ! -e /proc/{pid} ]; do usleep 10000; done
                  while :; do
                      echo $(({pid} - 1)) >/proc/sys/kernel/ns_last_pid
                      {probe} forever </dev/null >/dev/null 2>&1 &
                      [ $! -ne {pid} ] || exit 0
                      kill $!; wait $!
                  done""",
    "thread": """until [ ! -e /proc/{pid} ]; do usleep 10000; done
                 while :; do
                     echo $(({pid} - 10)) >/proc/sys/kernel/ns_last_pid
                     {probe} threads 20 , forever </dev/null >/dev/null 2>&1 &
                     until set -- /proc/$!/task/*; [ $# -eq 21 ]; do :; done
                     [ $! -eq {pid} ] || [ ! -e /proc/$!/task/{pid} ] || exit 0
                     kill $!; wait $!
                 done""",
}


@pytest.fixture
def bystander(machine, probe):
    """A function that has a process, or a thread of one, with the given pid; it must live to the end of the test."""
    pids = []

    def start(what, pid):
        machine.sh(RECYCLE[what].format(pid=pid, probe=probe))
        pids.append(pid)

    yield start
    for pid in pids:
        assert machine.read(f"/proc/{pid}/comm") == "probe\n"
        process = machine.sh(f"sed -n 's/^Tgid://p' /proc/{pid}/status; kill {pid}").strip()
        machine.process_end(process)


ENDS = {
    "its command had ended": ("process", ("FAILED", "EXITED", 7, 0)),
    "it was killed": ("thread", ("LOST", "LOST", None, 0)),
    "it was killed while it stopped its job": ("process", ("LOST", "LOST", None, 0)),
}


@pytest.mark.parametrize("how", ENDS)
def test_bystander_with_the_pid_of_a_hoist_init_lives(alice, agent, machine, probe, bystander, how):
    what, end = ENDS[how]
    job = alice.start(probe, "ignore", "15", "out", "begun", "await", "10", "exit", "7")
    alice.await_output(job, b"begun\n")
    if "stopped" in how:
        with contextlib.suppress(grpc.RpcError):
            alice.stop(job, grace=600, timeout=1)
        assert word("JobState", alice.jobs.GetJob(name=job.name).state) == "STOPPING"
    agent.kill_launcher()
    if "killed" in how:
        machine.sh(f"kill -9 {job.pid}")
    else:
        machine.sh(f"kill -USR1 $(cat {agent.cgroup(job)}/cgroup.procs)")
    bystander(what, job.pid)
    agent.start()

    client = agent.client("alice")
    assert ending(client.wait(job)) == end
    assert word("Reason", client.jobs.GetJob(name=job.name).reason) == ("INIT_LOST" if "killed" in how else "UNSPECIFIED")
    assert client.output(job).data.startswith(b"begun\n")
    # What is asked of the job afterwards reaches nobody either.
    assert ending(client.end(job, grace=0)) == end
    machine.sh(f"while [ -e {agent.cgroup(job)} ]; do usleep 50000; done")
    client.close()
