# SPDX-License-Identifier: Apache-2.0
"""Jobs that are to end with their agent (on_agent_exit: stop), and an agent that dies instead of being asked to end."""

import os
import signal

import pytest

from harness import state_file, traces, waiting
from harness.agent import Agent
from harness.api import ending, seconds, word

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the state directory is hoistd's")


@pytest.fixture
def own(request):
    with Agent(settings=request.param) as agent:
        yield agent


def kill_agent(agent):
    """Launcher and hoistd, so that neither can say anything any more."""
    pids = agent.launcher_pid, agent.hoistd_pid
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        waiting.process_end(pid)


def start(agent, probe, *parts, **fields):
    client = agent.client("alice")
    job = client.start(probe, *parts, **fields)
    client.await_output(job, b"ready\n")
    return job


POLITE = ["hold", "15", "out", "ready", ",", "await", "15", ",", "out", "bye", ",", "exit", "3"]
DEAF = ["ignore", "15", ",", "out", "ready", ",", "tree", "2"]


@pytest.mark.parametrize("own", [{"on_agent_exit": "stop", "adopt_wait": "200ms"}], indirect=True)
def test_jobs_end_with_an_agent_that_stays_away(own, probe):
    """With their own grace, without anybody to tell them, and the record says so afterwards."""
    polite = start(own, probe, *POLITE)
    deaf = start(own, probe, *DEAF, grace=seconds(0.2))
    kill_agent(own)
    for job in (polite, deaf):
        waiting.process_end(job.pid)
    own.restart()
    alice = own.client("alice")
    assert ending(alice.jobs.GetJob(name=polite.name)) == ("STOPPED", "AGENT_SHUTDOWN", 3, 0)
    assert ending(alice.jobs.GetJob(name=deaf.name)) == ("STOPPED", "AGENT_SHUTDOWN", None, signal.SIGKILL)
    assert "its agent had died" in alice.jobs.GetJob(name=polite.name).error
    assert alice.output(polite).data == b"ready\ngot signal 15\nbye\n"
    for job in (polite, deaf):
        traces.assert_gone(own, job)


@pytest.mark.parametrize("own", [{"on_agent_exit": "stop", "adopt_wait": "1h"}], indirect=True)
def test_jobs_go_on_when_another_agent_takes_them_over(own, probe):
    """Again and again; what they wait for then is that one's life."""
    job = start(own, probe, *POLITE)
    for _ in range(2):
        kill_agent(own)
        state_file.wait_flags(own, job, lambda flags: flags & state_file.AGENT_GONE)
        own.restart()
        state_file.wait_flags(own, job, lambda flags: not flags & state_file.AGENT_GONE)
        found = own.client("alice").jobs.GetJob(name=job.name)
        assert (word("JobState", found.state), found.pid) == ("RUNNING", job.pid)
    alice = own.client("alice")
    assert ending(alice.stop(job)) == ("STOPPED", "STOPPED_BY_USER", 3, 0)
    assert alice.jobs.GetJob(name=job.name).error == ""


@pytest.mark.parametrize("own", [{"on_agent_exit": "stop", "adopt_wait": "1ms"}], indirect=True)
def test_a_hoistd_that_dies_is_no_end_of_the_agent(own, probe):
    """The launcher lives and starts another: to a job nothing has happened, however short its patience."""
    job = start(own, probe, *POLITE)
    for _ in range(2):
        own.kill_hoistd()
        found = own.client("alice").jobs.GetJob(name=job.name)
        assert (word("JobState", found.state), found.pid) == ("RUNNING", job.pid)
    assert state_file.flags(state_file.path(own, job)) == 0
    own.client("alice").stop(job)


@pytest.mark.parametrize("own", [{"adopt_wait": "1ms"}], indirect=True)
def test_jobs_that_are_kept_wait_for_nobody(own, probe):
    job = start(own, probe, "out", "ready", ",", "await", "10", ",", "exit", "4")
    watched = [os.readlink(f"/proc/{job.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{job.pid}/fd")]
    assert not [target for target in watched if target.endswith("/lifeline")]
    kill_agent(own)
    # To the command, from outside: nobody is there to queue it.
    os.kill(traces.processes_of(job.job_uid)[0], signal.SIGUSR1)
    waiting.process_end(job.pid)
    own.restart()
    assert ending(own.client("alice").jobs.GetJob(name=job.name)) == ("FAILED", "EXITED", 4, 0)
