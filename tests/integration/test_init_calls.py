# SPDX-License-Identifier: Apache-2.0
"""What is left to somebody who has taken over hoist-init of a running job: he makes system calls in its name."""

import signal

import pytest

from harness import traces
from harness.api import ending, word
from harness.takeover import SUPPORTED, Killed, Takeover

pytestmark = [pytest.mark.plain,
              pytest.mark.skipif(not SUPPORTED, reason="only root can take over hoist-init, here on x86-64")]

X32 = 0x40000000


@pytest.fixture
def job(alice, probe):
    job = alice.start(probe, "out", "before", ",", "forever")
    alice.await_output(job, b"before\n")
    yield job
    alice.stop(job, grace=0)


def test_filters_of_hoist_init_and_of_the_command_are_their_own(job):
    """One each: that of hoist-init came after the command was cloned."""
    command, = traces.processes_of(job.job_uid)
    for pid in (job.pid, command):
        status = traces.status_of(pid)
        assert (status["Seccomp"], status["Seccomp_filters"]) == ("2", "1")


@pytest.mark.parametrize("call, arguments", [
    ("open", ("/proc/self/mem", 0, 0)),
    ("socket", (1, 1, 0)),
    ("clone", (int(signal.SIGCHLD), 0)),
    ("execve", ("/bin/sh", 0, 0)),
    ("mmap", (0, 4096, 7, 0x22, -1, 0)),
    ("prctl", (4, 1)),
    ("ptrace", (16, 2)),
    ("getuid", ()),
    (X32 | 0, (0, 0, 0)),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_call_that_it_never_makes_is_its_end_and_the_job_is_lost(agent, alice, job, call, arguments):
    with Takeover(job.pid) as taken, pytest.raises(Killed) as killed:
        taken.call(call, *arguments)
    assert killed.value.args == (signal.SIGSYS,)
    lost = alice.wait(job)
    assert ending(lost) == ("LOST", "LOST", None, 0) and word("Reason", lost.reason) == "INIT_LOST"
    output = alice.output(job)
    assert output.data == b"before\n" and output.summary.complete
    traces.assert_gone(agent, job)
    if call == "open":  # such lines are twenty a minute at most
        agent.wait_log(f'its job is LOST error="pid {job.pid} was killed by SIGSYS"')


def test_a_call_that_it_makes_is_answered(job):
    """The command itself is in its PID namespace, and nobody else."""
    with Takeover(job.pid) as taken:
        assert taken.try_call("kill", 2, 0) == ""
        assert taken.try_call("kill", 3, 0) == "ESRCH"
        assert taken.try_call("read", -1, 0, 0) == "EBADF"
