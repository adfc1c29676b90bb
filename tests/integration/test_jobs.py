# SPDX-License-Identifier: Apache-2.0
"""The life of jobs through the API: start, look, list, wait, signal, stop, delete, and every end that a job can have.

The ends that need a kernel with all cgroup controllers (OOM_KILLED) are shown by tests/vm.
"""

import os
import re
import signal
import time
import uuid

import pytest

from harness import PATIENCE, traces, waiting
from harness.api import ending, refused, seconds, word

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def unique(prefix="job"):
    return f"{prefix}-x{uuid.uuid4().hex[:6]}-t"


def state(job):
    return word("JobState", job.state)


# --- starting and looking


def test_start_answers_with_a_running_job(alice, probe):
    job = alice.start(probe, "forever")
    assert re.fullmatch(f"jobs/{UUID}", job.name)
    assert state(job) == "RUNNING" and job.created_by == "alice" and job.stopped_by == ""
    assert job.create_time.seconds and job.start_time.seconds and not job.HasField("end_time")
    assert (job.spec.command, list(job.spec.args), job.spec.job_class) == (probe.encode(), [b"forever"], "default")
    assert job.host == os.uname().nodename and job.job_uid > 0 and job.pid > 0
    assert traces.status_of(job.pid)["Name"].startswith("hoist-init")
    assert ending(alice.stop(job, grace=0))[0] == "STOPPED"


def test_get_finds_a_job_by_each_of_its_names(alice, probe):
    name = unique()
    job = alice.run(probe, "exit", "3", display_name=name)
    full = traces.uuid_of(job)
    for form in (job.name, full, full[:13], f"jobs/{full[:13]}", name):
        found = alice.jobs.GetJob(name=form)
        assert found.name == job.name and found.spec.display_name == name


def test_two_jobs_at_once_have_uids_of_their_own(alice, probe):
    jobs = [alice.start(probe, "forever") for _ in range(4)]
    assert len({job.job_uid for job in jobs}) == 4
    assert all(len(traces.processes_of(job.job_uid)) == 1 for job in jobs)
    for job in jobs:
        alice.stop(job, grace=0)


def test_environment_reaches_the_job_and_its_values_never_come_back(alice, probe):
    env = [{"name": "TOKEN", "value": b"sec\xff ret"}, {"name": "HOME", "value": b"/tmp"}]
    job = alice.run(probe, "env", env=env)
    lines = alice.output(job).data.split(b"\n")
    assert b"TOKEN=sec\xff ret" in lines and b"HOME=/tmp" in lines
    assert f"HOIST_JOB_ID={traces.uuid_of(job)}".encode() in lines and b"LANG=C.UTF-8" in lines
    assert any(line.startswith(b"PATH=") for line in lines)
    assert len([line for line in lines if line]) == 5, "something of the agent's environment came along"
    listed = alice.jobs.ListJobs(page_size=1).jobs[0]
    for shown in (job, alice.jobs.GetJob(name=job.name), listed):
        assert [variable.name for variable in shown.spec.env] == ["TOKEN", "HOME"]
        assert all(variable.value == b"" for variable in shown.spec.env)
        assert b"sec\xff" not in shown.SerializeToString()


def test_arguments_arrive_byte_for_byte(alice):
    words = ["", " ", "a\nb", "--", "'\"$`\\", "ä", b"\xff\xfe"]
    job = alice.run("printf", "%s|", *words)
    assert alice.output(job).data == b"".join(
        (word_.encode() if isinstance(word_, str) else word_) + b"|" for word_ in words)


def test_cwd_is_the_jobs_own_directory_unless_told(alice, probe):
    assert b" cwd /job\n" in alice.output(alice.run(probe, "id")).data
    job = alice.run(probe, "id", cwd="/usr/bin")
    assert job.spec.cwd == "/usr/bin" and b" cwd /usr/bin\n" in alice.output(job).data


def test_labels_are_kept(alice):
    labels = {"team": "blue", "a/b.c-d": "", "x": "v" * 256}
    job = alice.run("true", labels=labels)
    assert dict(alice.jobs.GetJob(name=job.name).spec.labels) == labels


def test_usage_of_a_job_that_runs_and_of_one_that_has_ended(alice, probe):
    job = alice.start(probe, "burn", "300", ",", "out", "warm", ",", "burn", "0")
    alice.await_output(job, b"warm\n")
    running = alice.jobs.GetJob(name=job.name, sample_usage=True).usage
    assert running.cpu_usec >= 300000 and running.interval.seconds >= 1 and 0 < running.cpu_percent < 150
    ended = alice.stop(job, grace=0)
    assert ended.usage.cpu_usec >= running.cpu_usec and ended.usage.read_time.seconds
    assert ended.usage.cpu_user_usec + ended.usage.cpu_system_usec <= ended.usage.cpu_usec + 10000
    assert ended.run_time.seconds >= 1 and ended.usage.cpu_percent == 0


def test_limits_say_whether_they_are_in_force(alice, probe):
    job = alice.start(probe, "cat", "/proc/self/limits", ",", "forever", limits={"open_files": {"value": 123}})
    limits = {limit.name: limit for limit in job.limits}
    assert limits["open_files"].enforced and limits["open_files"].value == 123
    assert {"cpu_millis", "memory_max", "pids_max"} <= set(limits)
    assert all(limit.enforced or limit.detail for limit in job.limits)
    alice.await_output(job, b"Max open files            123")
    assert ending(alice.stop(job, grace=0))[0] == "STOPPED"


# --- the ends


@pytest.mark.parametrize("code,expected", [(0, "SUCCEEDED"), (1, "FAILED"), (7, "FAILED"), (255, "FAILED")])
def test_exit_code(alice, probe, code, expected):
    job = alice.run(probe, "exit", str(code))
    assert ending(job) == (expected, "EXITED", code, 0)
    assert job.end_time.ToNanoseconds() >= job.start_time.ToNanoseconds() >= job.create_time.ToNanoseconds()
    assert job.pid == 0 and word("Reason", job.reason) == "UNSPECIFIED"
    assert job.error == ("" if code == 0 else f"the command exited with {code}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP])
def test_signal_from_inside(alice, probe, number):
    job = alice.run(probe, "signal", str(int(number)), limits={"core_size": {"value": 0}})
    assert ending(job) == ("FAILED", "SIGNALED", None, number)
    assert not job.core_dumped and job.error == f"killed by signal {number.name[3:]}"


def test_timeout(alice, probe):
    job = alice.run(probe, "forever", timeout=seconds(0.2))
    assert ending(job) == ("FAILED", "TIMED_OUT", None, signal.SIGTERM)
    assert job.run_time.ToNanoseconds() >= 200 * 10**6 and job.error.startswith("stopped at its timeout")


def test_timeout_of_a_tree_that_ignores_the_signal(alice, probe):
    spec = {"timeout": seconds(1), "grace": seconds(0.2)}
    job = alice.run(probe, "tree", "5", **spec)
    assert ending(job) == ("FAILED", "TIMED_OUT", None, signal.SIGKILL)


def test_timeout_of_a_job_that_exits_on_the_signal_is_still_a_timeout(alice):
    job = alice.run("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait", timeout=seconds(0.5))
    assert ending(job) == ("FAILED", "TIMED_OUT", 0, 0)


def test_stop_by_the_signal(alice, probe):
    job = alice.stop(alice.start(probe, "forever"))
    assert ending(job) == ("STOPPED", "STOPPED_BY_USER", None, signal.SIGTERM) and job.stopped_by == "alice"


def test_stop_tells_the_code_of_a_job_that_exits_on_it(alice):
    job = alice.start("sh", "-c", "trap 'exit 5' TERM; echo ready; sleep 1000 & wait")
    alice.await_output(job, b"ready")
    assert ending(alice.stop(job)) == ("STOPPED", "STOPPED_BY_USER", 5, 0)


def test_stop_signal_of_the_job_and_of_the_call(alice, probe):
    job = alice.start(probe, "forever", stop_signal="INT", grace=seconds(60))
    assert ending(alice.stop(job))[3] == signal.SIGINT
    job = alice.start(probe, "forever", stop_signal="INT")
    assert ending(alice.stop(job, signal="SIGHUP"))[3] == signal.SIGHUP


def test_stop_without_grace_kills_at_once(alice, probe):
    job = alice.start(probe, "ignore", "15", ",", "out", "ready", ",", "forever", grace=seconds(3600))
    alice.await_output(job, b"ready")
    assert ending(alice.stop(job, grace=0)) == ("STOPPED", "STOPPED_BY_USER", None, signal.SIGKILL)


# A job of each shape, all of whose processes ignore SIGTERM or never hear of it.
SHAPES = {
    "tree": ("tree", "30"),
    "setsid and double fork": ("daemon", "tree", "5", ",", "daemon", "forever", ",", "forever"),
    "children": ("child", "forever", ",", "child", "tree", "3", ",", "forever"),
}


@pytest.mark.tsan
@pytest.mark.parametrize("shape", SHAPES)
def test_stop_ends_the_whole_tree(alice, agent, probe, shape):
    job = alice.start(probe, "ignore", "15", ",", "out", "ready", ",", *SHAPES[shape])
    alice.await_output(job, b"ready\n")
    assert traces.processes_of(job.job_uid)
    begin = time.monotonic()
    ended = alice.stop(job, grace=0.3)
    assert ending(ended) == ("STOPPED", "STOPPED_BY_USER", None, signal.SIGKILL)
    assert time.monotonic() - begin < 0.3 + 2 + PATIENCE / 10, "StopJob answers within grace + 2 s"
    traces.assert_gone(agent, ended)


def test_stop_of_a_job_that_has_stopped_itself(alice, agent):
    job = alice.start("sh", "-c", "echo ready; kill -STOP $$")
    alice.await_output(job, b"ready")
    ended = alice.stop(job, grace=0.2)
    assert ending(ended)[:2] == ("STOPPED", "STOPPED_BY_USER")
    traces.assert_gone(agent, ended)


@pytest.mark.tsan
def test_stop_is_idempotent(alice, probe):
    job = alice.start(probe, "ignore", "15", ",", "out", "ready", ",", "tree", "3")
    alice.await_output(job, b"ready")
    first = alice.stop(job, grace=0.1)
    again = alice.stop(job)
    assert ending(again) == ending(first) and again.end_time == first.end_time
    done = alice.run("true")
    assert ending(alice.stop(done)) == ("SUCCEEDED", "EXITED", 0, 0) and alice.stop(done).stopped_by == ""


def test_second_stop_shortens_the_grace(alice, probe):
    job = alice.start(probe, "ignore", "15", ",", "out", "ready", ",", "forever")
    alice.await_output(job, b"ready")
    with refused("DEADLINE_EXCEEDED"):
        alice.stop(job, grace=600, timeout=1)
    assert state(alice.jobs.GetJob(name=job.name)) == "STOPPING"
    assert ending(alice.stop(job, grace=0)) == ("STOPPED", "STOPPED_BY_USER", None, signal.SIGKILL)


def test_the_leaders_exit_ends_what_is_left_of_its_tree(alice, agent, probe):
    job = alice.run(probe, "daemon", "tree", "3", ",", "child", "forever", ",", "out", "bye", ",", "exit", "4")
    assert ending(job) == ("FAILED", "EXITED", 4, 0)
    assert alice.output(job).data == b"bye\n"
    traces.assert_gone(agent, job)


@pytest.mark.parametrize("command,reason,words", [
    ("no-such-command", "COMMAND_NOT_FOUND", "no-such-command"),
    ("/no/such/command", "COMMAND_NOT_FOUND", "/no/such/command"),
    ("/etc/passwd", "COMMAND_NOT_EXECUTABLE", "/etc/passwd"),
    ("/usr/bin", "COMMAND_NOT_EXECUTABLE", "/usr/bin"),
])
def test_start_failed_is_an_error_and_a_record(alice, agent, command, reason, words):
    with refused("FAILED_PRECONDITION", reason) as refusal:
        alice.start(command)
    job = alice.jobs.GetJob(name=refusal.metadata["job"])
    assert ending(job) == ("FAILED", "START_FAILED", None, 0)
    assert word("Reason", job.reason) == reason and words in job.error and job.error in refusal.message
    assert not job.HasField("start_time") and job.HasField("end_time")
    assert alice.output(job).data == b""
    traces.assert_gone(agent, job)


def test_start_in_a_cwd_that_is_not_there(alice):
    with refused("FAILED_PRECONDITION", "CWD_INVALID") as refusal:
        alice.start("true", cwd="/no/such/place")
    assert "/no/such/place" in alice.jobs.GetJob(name=refusal.metadata["job"]).error


def test_lost_when_hoist_init_is_killed(alice, agent, probe):
    job = alice.start(probe, "out", "before", ",", "tree", "3")
    alice.await_output(job, b"before\n")
    os.kill(job.pid, signal.SIGKILL)
    job = alice.wait(job)
    assert ending(job) == ("LOST", "LOST", None, 0)
    assert word("Reason", job.reason) == "INIT_LOST" and "unknown" in job.error
    output = alice.output(job)
    assert output.data == b"before\n" and output.summary.complete
    traces.assert_gone(agent, job)


# --- waiting, signals


def test_wait_answers_at_the_end_or_when_its_time_has_passed(alice, probe):
    job = alice.start(probe, "out", "ready", ",", "await", "10")
    alice.await_output(job, b"ready")
    early = alice.wait_for(job, 0.1)
    assert state(early) == "RUNNING"
    assert state(alice.wait_for(job, 0)) == "RUNNING"
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    assert ending(alice.wait(job)) == ("SUCCEEDED", "EXITED", 0, 0)
    assert ending(alice.wait_for(job, 0)) == ("SUCCEEDED", "EXITED", 0, 0)


@pytest.mark.parametrize("name", ["USR1", "SIGUSR1", "10"])
def test_signal_reaches_the_command(alice, probe, name):
    job = alice.start(probe, "out", "ready", ",", "await", "10")
    alice.await_output(job, b"ready")
    assert alice.jobs.SignalJob(name=job.name, signal=name).name == job.name
    assert ending(alice.wait(job)) == ("SUCCEEDED", "EXITED", 0, 0)
    assert alice.output(job).data == b"ready\ngot signal 10\n"


def test_signal_that_kills_is_not_a_stop(alice, probe):
    job = alice.start(probe, "forever")
    alice.jobs.SignalJob(name=job.name, signal="KILL")
    job = alice.wait(job)
    assert ending(job) == ("FAILED", "SIGNALED", None, signal.SIGKILL) and job.stopped_by == ""


def test_signal_to_a_job_that_has_ended(alice):
    job = alice.run("true")
    with refused("FAILED_PRECONDITION", "JOB_ENDED"):
        alice.jobs.SignalJob(name=job.name, signal="HUP")


# --- names and retries


def test_name_is_unique_among_an_owners_jobs_and_free_after_rm(alice, bob):
    name = unique()
    job = alice.run("true", display_name=name)
    with refused("ALREADY_EXISTS", "NAME_TAKEN") as refusal:
        alice.start("true", display_name=name)
    assert name in refusal.message
    other = bob.run("true", display_name=name)
    assert bob.jobs.GetJob(name=name).name == other.name != alice.jobs.GetJob(name=name).name
    alice.jobs.DeleteJob(name=name)
    again = alice.run("true", display_name=name)
    assert again.name != job.name and alice.jobs.GetJob(name=name).name == again.name


def test_request_id_makes_a_retry_the_same_job(alice, bob):
    request = {"spec": {"command": b"true"}, "request_id": unique("retry")}
    first = alice.jobs.StartJob(**request)
    assert alice.jobs.StartJob(**request).name == first.name
    alice.wait(first)
    assert alice.jobs.StartJob(**request).name == first.name
    with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
        alice.jobs.StartJob(spec={"command": b"false"}, request_id=request["request_id"])
    assert bob.jobs.StartJob(**request).name != first.name


def test_a_prefix_that_fits_nothing_or_is_too_short(alice):
    full = traces.uuid_of(alice.run("true"))
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        alice.jobs.GetJob(name=full[:3])
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        alice.jobs.GetJob(name=str(uuid.uuid4()))


# --- lists


@pytest.fixture
def family(alice):
    """Five jobs that share a label, oldest first; the value tells them apart."""
    label = unique("family")
    jobs = [alice.run("sh", "-c", f"exit {i % 2}", labels={label: str(i)}) for i in range(5)]
    return label, [job.name for job in jobs]


def names(response):
    return [job.name for job in response.jobs]


def test_list_is_newest_first_and_filters(alice, family):
    label, oldest_first = family
    states = {"SUCCEEDED": 5, "FAILED": 6, "RUNNING": 3}
    assert names(alice.jobs.ListJobs(labels={label: ""})) == oldest_first[::-1]
    assert names(alice.jobs.ListJobs(labels={label: "3"})) == [oldest_first[3]]
    assert names(alice.jobs.ListJobs(labels={label: "", "no-such-label": ""})) == []
    assert names(alice.jobs.ListJobs(labels={label: ""}, states=[states["FAILED"]])) == \
        [oldest_first[3], oldest_first[1]]
    assert names(alice.jobs.ListJobs(labels={label: ""}, states=[states["RUNNING"]])) == []
    assert names(alice.jobs.ListJobs(labels={label: ""}, states=[states["FAILED"], states["SUCCEEDED"]])) == \
        oldest_first[::-1]
    assert names(alice.jobs.ListJobs(labels={label: ""}, owner="alice")) == oldest_first[::-1]
    assert names(alice.jobs.ListJobs(labels={label: ""}, owner="bob")) == []


def test_list_pages_hold_each_job_once(alice, family):
    label, oldest_first = family
    seen, token = [], ""
    for size in (2, 1, 2):
        page = alice.jobs.ListJobs(labels={label: ""}, page_size=size, page_token=token)
        assert len(page.jobs) == size
        seen += names(page)
        token = page.next_page_token
    assert seen == oldest_first[::-1] and token == ""


def test_list_goes_on_where_it_was_when_jobs_come_and_go(alice, family):
    label, oldest_first = family
    page = alice.jobs.ListJobs(labels={label: ""}, page_size=2)
    alice.run("true", labels={label: "new"})
    alice.jobs.DeleteJob(name=names(page)[1])
    rest = alice.jobs.ListJobs(labels={label: ""}, page_token=page.next_page_token)
    assert names(rest) == oldest_first[2::-1]


def test_list_refuses_a_token_of_another_query(alice, family):
    label, _ = family
    token = alice.jobs.ListJobs(labels={label: ""}, page_size=2).next_page_token
    for wrong in ({"labels": {label: "1"}, "page_token": token}, {"page_token": token},
                  {"labels": {label: ""}, "page_token": token[:-1] + ("0" if token[-1] != "0" else "1")},
                  {"page_token": "x"}):
        with refused("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN"):
            alice.jobs.ListJobs(**wrong)


def test_list_refuses_a_page_above_500(alice):
    with refused("INVALID_ARGUMENT", "INVALID_FIELD"):
        alice.jobs.ListJobs(page_size=501)
    assert alice.jobs.ListJobs(page_size=500).jobs


def test_list_shows_running_jobs_as_they_are(alice, probe):
    label = unique("live")
    job = alice.start(probe, "forever", labels={label: ""})
    listed = alice.jobs.ListJobs(labels={label: ""}, states=[3]).jobs
    assert [(one.name, state(one), one.HasField("usage")) for one in listed] == [(job.name, "RUNNING", False)]
    alice.stop(job, grace=0)
    assert names(alice.jobs.ListJobs(labels={label: ""}, states=[3])) == []


# --- deleting


def test_delete_removes_record_and_output(alice, agent):
    job = alice.run("echo", "hello")
    assert os.path.isdir(traces.directory_of(agent, job))
    alice.jobs.DeleteJob(name=job.name)
    assert not os.path.exists(traces.directory_of(agent, job))
    for call in (alice.jobs.GetJob, alice.jobs.DeleteJob, alice.jobs.StopJob, alice.jobs.WaitJob):
        with refused("NOT_FOUND", "JOB_NOT_FOUND"):
            call(name=job.name)
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        alice.output(job)


def test_delete_of_a_running_job_needs_force_which_stops_it(alice, agent, probe):
    job = alice.start(probe, "ignore", "15", ",", "out", "ready", ",", "tree", "2", grace=seconds(0.2))
    alice.await_output(job, b"ready")
    with refused("FAILED_PRECONDITION", "JOB_RUNNING"):
        alice.jobs.DeleteJob(name=job.name)
    assert state(alice.jobs.GetJob(name=job.name)) == "RUNNING"
    alice.jobs.DeleteJob(name=job.name, force=True)
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        alice.jobs.GetJob(name=job.name)
    traces.assert_gone(agent, job)
    assert not os.path.exists(traces.directory_of(agent, job))


def test_each_end_and_each_call_is_one_line_of_the_log(alice, agent):
    job = alice.run("sh", "-c", "exit 9")
    log = agent.wait_log(f"rpc=WaitJob job={traces.uuid_of(job)}")
    ends = [line for line in log.splitlines() if "job ended" in line and traces.uuid_of(job) in line]
    assert len(ends) == 1 and "principal=alice state=FAILED cause=EXITED exit_code=9" in ends[0]
    starts = [line for line in log.splitlines() if "rpc=StartJob" in line and traces.uuid_of(job) in line]
    assert len(starts) == 1 and "principal=alice role=user" in starts[0] and "outcome=OK" in starts[0]
    assert "duration=" in starts[0]
