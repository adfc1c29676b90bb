# SPDX-License-Identifier: Apache-2.0
"""Stopping: the whole tree, within its deadline, told truthfully; and what survives the agent."""

import concurrent.futures
import os
import subprocess
import time

import pytest

from harness import PATIENCE
from harness.api import message, refused

pytestmark = pytest.mark.tsan


def names(job):
    return message("JobState").Name(job.state), message("Cause").Name(job.cause)


def start_and_see(client, *argv, **spec):
    """Starts a job and returns when its first output has come: its signals are then as its steps set them."""
    job = client.start(*argv, **spec)
    for response in client.jobs.StreamOutput(name=job.name, follow=True):
        if response.WhichOneof("kind") == "chunk":
            return job
    raise AssertionError("the job ended without output")


def living(uid):
    listed = subprocess.run(["ps", "-eo", "uid=,stat="], capture_output=True, text=True, timeout=PATIENCE).stdout
    return [line for line in listed.splitlines() if int(line.split()[0]) == uid and "Z" not in line.split()[1]]


def test_stop_sends_term_first(alice, probe):
    job = alice.start(probe, "forever")
    job = alice.jobs.StopJob(name=job.name)
    assert names(job) == ("JOB_STATE_STOPPED", "CAUSE_STOPPED_BY_USER")
    assert job.signal == 15 and job.stopped_by == "alice"


def test_stop_of_a_command_that_exits_by_itself_on_the_signal(alice):
    job = start_and_see(alice, "sh", "-c", "trap 'exit 3' TERM; echo x; while :; do sleep 1 & wait $!; done")
    job = alice.jobs.StopJob(name=job.name)
    assert names(job) == ("JOB_STATE_STOPPED", "CAUSE_STOPPED_BY_USER")
    assert job.has_exit_code and job.exit_code == 3


def test_stop_kills_a_tree_that_ignores_the_signal(alice, probe):
    job = start_and_see(alice, probe, "ignore", "15", "child", "tree", "4", ",", "daemon", "tree", "2", ",", "out", "x",
                        "forever")
    begin = time.monotonic()
    job = alice.jobs.StopJob(name=job.name, grace={"seconds": 1})
    assert 1 <= time.monotonic() - begin < 3 * PATIENCE / 30
    assert names(job)[0] == "JOB_STATE_STOPPED" and job.signal == 9
    assert os.geteuid() != 0 or living(job.job_uid) == []


def test_stop_with_another_signal(alice, probe):
    job = start_and_see(alice, probe, "ignore", "15", "out", "x", "forever")
    assert alice.jobs.StopJob(name=job.name, signal="INT").signal == 2


def test_stop_of_an_ended_job_changes_nothing(alice, probe):
    job = alice.run(probe, "exit", "4")
    again = alice.jobs.StopJob(name=job.name)
    assert names(again) == names(job) == ("JOB_STATE_FAILED", "CAUSE_EXITED")
    assert again.exit_code == 4 and not again.stopped_by


def test_many_stops_at_once_agree(alice, probe):
    job = alice.start(probe, "forever")
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        ends = list(pool.map(lambda _: alice.jobs.StopJob(name=job.name), range(10)))
    assert {names(end) for end in ends} == {("JOB_STATE_STOPPED", "CAUSE_STOPPED_BY_USER")}


def test_second_stop_may_shorten_the_grace(alice, probe):
    job = start_and_see(alice, probe, "ignore", "15", "out", "x", "forever")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        patient = pool.submit(alice.jobs.StopJob, name=job.name, grace={"seconds": 3600}, timeout=PATIENCE)
        while names(alice.jobs.GetJob(name=job.name))[0] == "JOB_STATE_RUNNING":
            pass
        assert alice.jobs.StopJob(name=job.name, grace={"seconds": 0}).signal == 9
        assert patient.result().signal == 9


def test_leader_that_exits_takes_its_tree_along(alice, probe):
    job = alice.run(probe, "child", "forever", ",", "daemon", "forever", ",", "exit", "0")
    assert names(job) == ("JOB_STATE_SUCCEEDED", "CAUSE_EXITED")
    assert os.geteuid() != 0 or living(job.job_uid) == []


def test_timeout_stops_and_says_so(alice, probe):
    job = alice.run(probe, "ignore", "15", "forever", timeout={"seconds": 1}, grace={"nanos": 100000000})
    assert names(job) == ("JOB_STATE_FAILED", "CAUSE_TIMED_OUT")


def test_signal_reaches_the_command(alice, probe):
    job = alice.start(probe, "out", "up", "await", "12", "exit", "6")
    alice.release(job, "SIGUSR2")
    assert alice.wait(job).exit_code == 6
    with refused("FAILED_PRECONDITION", "JOB_ENDED"):
        alice.jobs.SignalJob(name=job.name, signal="TERM")


def test_many_jobs_start_and_stop_side_by_side(alice, probe):
    def life(_):
        return names(alice.jobs.StopJob(name=alice.start(probe, "forever").name, grace={"seconds": 0}))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(life, range(40))) == {("JOB_STATE_STOPPED", "CAUSE_STOPPED_BY_USER")}


def test_killed_hoistd_loses_no_job_and_no_byte(make_agent, probe):
    agent = make_agent()
    alice = agent.client("alice")
    job = start_and_see(alice, probe, "out", "before", "await", "10", "out", "after", "exit", "9")
    done = alice.run(probe, "lines", "10")
    agent.kill_hoistd()
    alice = agent.client("alice")  # waits in the launcher's socket until hoistd is back
    assert names(alice.jobs.GetJob(name=job.name))[0] == "JOB_STATE_RUNNING"
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    assert alice.output(job).data == b"before\ngot signal 10\nafter\n"
    assert alice.wait(job).exit_code == 9
    assert alice.jobs.GetJob(name=done.name).exit_code == 0
    assert alice.output(done).data.count(b"\n") == 10


def test_job_that_ends_while_hoistd_is_away_is_told_truthfully(make_agent, probe):
    agent = make_agent()
    alice = agent.client("alice")
    job = start_and_see(alice, probe, "out", "x", "exit", "11")
    agent.restart()
    job = agent.client("alice").wait(job.name)
    assert names(job) == ("JOB_STATE_FAILED", "CAUSE_EXITED") and job.exit_code == 11


def test_killed_hoist_init_is_lost_and_never_an_invented_code(alice, probe):
    if os.geteuid() != 0:
        pytest.skip("only root can kill a hoist-init that is not its own")
    job = start_and_see(alice, probe, "out", "x", "forever")
    os.kill(alice.jobs.GetJob(name=job.name).pid, 9)
    job = alice.wait(job)
    assert names(job) == ("JOB_STATE_LOST", "CAUSE_LOST") and not job.has_exit_code
    assert message("Reason").Name(job.reason) == "REASON_INIT_LOST"
    assert alice.output(job).data == b"x\n"
    assert living(job.job_uid) == []
