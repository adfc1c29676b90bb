# SPDX-License-Identifier: Apache-2.0
"""A control file that refuses a limit: the start is refused, and nothing is left behind."""

import contextlib

import pytest

from harness.api import amounts, refused


@contextlib.contextmanager
def file_refuses(machine, pid, name, error):
    """While the block runs the launcher can't open the control files of that name."""
    tracer = machine.sh(f"/opt/hoist/strace -f -o /dev/null -P {name} -e trace=openat,openat2 "
                        f"-e inject=openat,openat2:error={error} -p {pid} >/dev/null 2>&1 & echo $!").strip()
    machine.sh(f"until grep -q 'TracerPid:.[1-9]' /proc/{pid}/status; do usleep 10000; done")
    try:
        yield
    finally:
        machine.sh(f"kill -INT {tracer}")
        machine.process_end(tracer)
        assert "TracerPid:\t0\n" in machine.read(f"/proc/{pid}/status")


def what_jobs_leave(machine):
    return machine.try_sh("ls -d /sys/fs/cgroup/hoist/p-* /var/lib/hoist/jobs/* 2>/dev/null")[1]


@pytest.mark.parametrize("name,controller,file,value", [("memory_max", "memory", "memory.max", 64 << 20),
                                                        ("pids_max", "pids", "pids.max", 32),
                                                        ("cpu_millis", "cpu", "cpu.max", 250)])
def test_limit_whose_file_refuses_is_a_start_that_fails(machine, agent, alice, probe, name, controller, file, value):
    limits = amounts(**{name: value})
    before = what_jobs_leave(machine)
    with file_refuses(machine, agent.launcher_pid, file, "EIO"):
        with refused("FAILED_PRECONDITION", "LIMIT_NOT_ENFORCEABLE") as refusal:
            alice.start(probe, "forever", limits=limits)
    assert f"limit {name} can't be enforced (controller {controller})" in refusal.message
    assert refusal.metadata == {"limit": name, "controller": controller}
    assert "job" not in refusal.metadata and not alice.jobs.ListJobs(states=[2, 3, 4]).jobs
    assert "rpc=StartJob outcome=FAILED_PRECONDITION reason=LIMIT_NOT_ENFORCEABLE" in agent.log()
    assert what_jobs_leave(machine) == before
    alice.end(alice.start(probe, "forever", limits=limits), grace=0)
