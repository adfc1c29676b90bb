# SPDX-License-Identifier: Apache-2.0
"""What fails around a job: its files, its cgroup, its processes, the records, the launcher.

Each is made to fail in the real programs; the caller gets its code and reason, the job its state, the log its line, and
nothing is left behind. That a control file of a limit refuses is shown by tests/vm, where there are such files.
"""

import concurrent.futures
import contextlib
import os
import signal
import subprocess

import pytest

from harness import faults, records, traces, waiting
from harness.agent import Agent
from harness.api import ending, refused, word
from harness.pattern import pattern

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make system calls of others fail")


@pytest.fixture(scope="module")
def own():
    """The agent of this file: its programs are held, traced and killed."""
    with Agent() as agent:
        yield agent


@pytest.fixture
def alice(own):
    client = own.client("alice")
    yield client
    client.close()


def children_of(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return {int(line) for line in listed.split()}


@pytest.fixture(autouse=True)
def nothing_left(own, alice):
    """After each test: no process but the agent's two, no cgroup, no directory without a record; and jobs start."""
    yield
    root = traces.cgroup_root(own)
    for job in alice.jobs.ListJobs(page_size=500).jobs:
        alice.wait(job)
        alice.jobs.DeleteJob(name=job.name)
    for group in os.listdir(root):
        if os.path.isdir(f"{root}/{group}"):
            waiting.path_gone(f"{root}/{group}")
    for pid in children_of(own.launcher_pid) - {own.hoistd_pid}:
        waiting.process_end(pid)
    for directory in traces.directories(own):
        waiting.path_gone(f"{own.dir}/state/jobs/{directory}")
    fine = alice.run("echo", "fine")
    assert alice.output(fine).data == b"fine\n"
    alice.jobs.DeleteJob(name=fine.name)


def assert_start_fails(own, alice, code, reason, words):
    """StartJob fails, and its record stays as FAILED/START_FAILED with the same words; its end is a line of the log."""
    with refused(code, reason) as refusal:
        alice.start("true")
    assert words in refusal.message
    job = alice.jobs.GetJob(name=refusal.metadata["job"])
    assert ending(job) == ("FAILED", "START_FAILED", None, 0)
    assert (word("Reason", job.reason), job.error) == (reason, refusal.message)
    assert not job.HasField("start_time") and job.HasField("end_time") and job.pid == 0
    assert alice.output(job).summary.complete
    waiting.path_gone(traces.cgroup_of(own, job))
    log = own.wait_log(f"rpc=GetJob job={traces.uuid_of(job)}")
    lines = [line for line in log.splitlines() if traces.uuid_of(job) in line]
    end = f"cause=START_FAILED exit_code=-1 reason={reason}"
    assert [line for line in lines if "job ended" in line and end in line]
    assert [line for line in lines if f"rpc=StartJob job={traces.uuid_of(job)} outcome={code} reason={reason}" in line]


def assert_start_leaves_nothing(own, alice, code, reason, words):
    """StartJob fails before anything is made, or all of it is undone: no record, no directory."""
    with refused(code, reason) as refusal:
        alice.start("true")
    assert words in refusal.message and "job" not in refusal.metadata
    assert not alice.jobs.ListJobs().jobs
    own.wait_log(f"rpc=StartJob outcome={code} reason={reason}")


# --- output files


def test_output_directory_that_cannot_be_written(own, alice):
    jobs = f"{own.dir}/state/jobs"
    os.chmod(jobs, 0o500)
    try:
        assert_start_leaves_nothing(own, alice, "INTERNAL", "OUTPUT_FAILED",
                                    "can't make the job's directory: Permission denied")
    finally:
        os.chmod(jobs, 0o700)


@pytest.mark.parametrize("number,words", [(1, "the job's directory"), (2, "the job's file spec"), (3, "output"),
                                          (4, "index"), (5, "the job's file state")])
def test_output_file_that_cannot_be_created(own, alice, number, words):
    """The directory is opened and its files are made in this order; each fails in its turn."""
    with faults.injected(own.hoistd_pid, f"openat:error=EDQUOT:when={number}"):
        assert_start_leaves_nothing(own, alice, "RESOURCE_EXHAUSTED", "OUTPUT_FAILED", words)


def test_full_disk_refuses_starts_until_there_is_room(own):
    with faults.small_disk(own, "2m") as disk:
        alice = own.client("alice")
        done = alice.run("echo", "before")
        ballast = faults.fill(disk)
        before = traces.directories(own)
        with refused("RESOURCE_EXHAUSTED", "OUTPUT_FAILED") as refusal:
            alice.start("true")
        assert "No space left" in refusal.message
        assert traces.directories(own) == before
        assert alice.output(done).data == b"before\n"
        os.unlink(ballast)
        assert ending(alice.run("true"))[0] == "SUCCEEDED"
        for job in alice.jobs.ListJobs().jobs:
            alice.jobs.DeleteJob(name=job.name)


def test_disk_that_fills_up_makes_the_job_wait_and_loses_nothing(own, probe):
    size = 4_000_000
    with faults.small_disk(own, "6m") as disk:
        alice = own.client("alice")
        ballast = faults.fill(disk, leave=2_000_000)
        job = alice.start(probe, "bytes", str(size), ",", "out", "done")
        responses, got = alice.jobs.StreamOutput(name=job.name, follow=True, timeout=120), b""
        while len(got) < 1_500_000:
            got += next(responses).chunk.data
        assert word("JobState", alice.jobs.GetJob(name=job.name).state) == "RUNNING"
        os.unlink(ballast)
        rest = list(responses)
        got += b"".join(response.chunk.data for response in rest)
        assert rest[-1].summary.complete and got == pattern(size) + b"done\n"
        assert ending(alice.wait(job)) == ("SUCCEEDED", "EXITED", 0, 0)
        alice.jobs.DeleteJob(name=job.name)


def test_job_that_waits_for_disk_can_be_stopped(own, probe):
    with faults.small_disk(own, "4m") as disk:
        alice = own.client("alice")
        faults.fill(disk, leave=1_000_000)
        job = alice.start(probe, "flood", "x")
        alice.await_output(job, b"x" + b"\nx" * 100)
        ended = alice.stop(job, grace=0.2)
        assert ending(ended)[:2] == ("STOPPED", "STOPPED_BY_USER")
        assert alice.output(job).summary.complete
        alice.jobs.DeleteJob(name=job.name)


def test_output_that_cannot_be_written_is_told(own, alice, probe):
    """EIO: what was written before is readable, and the job says that this isn't all."""
    job = alice.start(probe, "out", "first", ",", "await", "10", ",", "lines", "1000", ",", "forever")
    alice.await_output(job, b"first\n")
    with faults.injected(job.pid, "write:error=EIO", path=f"{traces.directory_of(own, job)}/output", children=False):
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        ended = alice.wait(job)
    assert word("JobState", ended.state) == "FAILED" and word("Reason", ended.reason) == "OUTPUT_WRITE_FAILED"
    assert ended.error == "its output could not be written to the end: Input/output error"
    assert alice.output(job).data == b"first\n"
    own.wait_log("reason=OUTPUT_WRITE_FAILED")


# --- cgroups and processes


@contextlib.contextmanager
def no_more_cgroups(own, number):
    """The kernel refuses cgroups below the agent's root beyond so many."""
    path = f"{traces.cgroup_root(own)}/cgroup.max.descendants"
    with open(path) as file:
        before = file.read()
    with open(path, "w") as file:
        file.write(str(number))
    try:
        yield
    finally:
        with open(path, "w") as file:
            file.write(before)


@pytest.mark.parametrize("number,name", [(0, "p-alice"), (2, "init"), (3, "cmd")])
def test_cgroup_that_cannot_be_made(own, alice, number, name):
    with no_more_cgroups(own, number):
        assert_start_fails(own, alice, "INTERNAL", "CGROUP_FAILED", f"can't make the cgroup {name}")


@pytest.mark.parametrize("inject,code,reason,words", [
    ("clone3:error=EAGAIN:when=1", "INTERNAL", "SPAWN_FAILED", "can't make a process in new namespaces"),
    ("clone3:error=ENOMEM:when=1", "RESOURCE_EXHAUSTED", "SPAWN_FAILED", "can't make a process in new namespaces"),
    ("execveat:error=EACCES", "INTERNAL", "SPAWN_FAILED", "can't execute the program"),
    ("sethostname:error=EPERM", "INTERNAL", "ISOLATION_FAILED", "hostname sandbox"),
    ("move_mount:error=EPERM", "INTERNAL", "ISOLATION_FAILED", "Operation not permitted"),
    ("setresuid:error=EAGAIN", "INTERNAL", "ISOLATION_FAILED", "Resource temporarily unavailable"),
    ("seccomp:error=EINVAL", "INTERNAL", "ISOLATION_FAILED", "Invalid argument"),
    ("sethostname:signal=KILL", "INTERNAL", "INIT_DIED", "hoist-init ended before it could start the command"),
    ("pipe2:signal=KILL", "INTERNAL", "INIT_DIED", "hoist-init ended before it could start the command"),
    ("execve:error=ENOMEM", "RESOURCE_EXHAUSTED", "SPAWN_FAILED", "Out of memory"),
], ids=lambda value: value if isinstance(value, str) and ":" in value else "")
def test_system_call_that_fails_on_the_way(own, alice, inject, code, reason, words):
    """In the launcher, in hoist-init, or in the command's process before its exec."""
    with faults.injected(own.launcher_pid, inject):
        assert_start_fails(own, alice, code, reason, words)


def test_limit_that_cannot_be_enforced_is_refused(make_agent):
    """Where a controller is missing; unless the configuration says that a warning is enough."""
    agent = make_agent(unenforced_limits="refuse")
    alice = agent.client("alice")
    lacking = [limit.name for limit in alice.agent.GetInfo().limits if not limit.enforceable]
    if "memory_max" not in lacking:
        pytest.skip("this kernel can enforce a memory limit")
    with refused("FAILED_PRECONDITION", "LIMIT_NOT_ENFORCEABLE") as refusal:
        alice.start("true")
    assert refusal.metadata["limit"] in lacking and refusal.metadata["controller"]
    assert "job" not in refusal.metadata and not alice.jobs.ListJobs().jobs and not traces.directories(agent)
    agent.wait_log("outcome=FAILED_PRECONDITION reason=LIMIT_NOT_ENFORCEABLE")


# --- records


@pytest.mark.parametrize("inject,code,words", [
    ("pwrite64:error=ENOSPC", "RESOURCE_EXHAUSTED", "the disk is full"),
    ("pwrite64:error=EIO", "INTERNAL", "disk I/O error"),
    ("fdatasync:error=EIO", "INTERNAL", "disk I/O error"),
])
def test_record_that_cannot_be_committed(own, alice, inject, code, words):
    with faults.injected(own.hoistd_pid, inject, path=f"{own.dir}/state/jobs.db-wal"):
        assert_start_leaves_nothing(own, alice, code, "STORE_FAILED", words)


def test_end_that_cannot_be_recorded_is_told_and_recorded_later(own, alice, probe):
    job = alice.start(probe, "out", "ready", ",", "await", "10", ",", "exit", "3")
    alice.await_output(job, b"ready")
    with faults.injected(own.hoistd_pid, "pwrite64:error=ENOSPC", path=f"{own.dir}/state/jobs.db-wal"):
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        assert ending(alice.wait(job)) == ("FAILED", "EXITED", 3, 0)
    own.kill_hoistd()
    assert ending(own.client("alice").jobs.GetJob(name=job.name)) == ("FAILED", "EXITED", 3, 0)


def test_a_job_found_without_a_record_is_served_before_it_can_be_written(own, alice, probe):
    """Nobody waits for the record, the job least of all; it is there as soon as the disk takes it."""
    job = alice.start(probe, "out", "ready", ",", "await", "10", ",", "exit", "3")
    alice.await_output(job, b"ready")
    with faults.injected(own.launcher_pid, "pwrite64:error=ENOSPC", path=f"{own.dir}/state/jobs.db-wal"):
        with records.hoistd_away(own):
            records.remove(own, job)
        client = own.client("alice")
        found = client.jobs.GetJob(name=job.name)
        assert (word("JobState", found.state), found.pid) == ("RUNNING", job.pid)
        assert job.name not in [listed.name for listed in client.jobs.ListJobs().jobs]
        client.jobs.SignalJob(name=job.name, signal="USR1")
        assert ending(client.wait(job)) == ("FAILED", "EXITED", 3, 0)
        with refused("INTERNAL", "STORE_FAILED"):
            client.jobs.DeleteJob(name=job.name)
        assert "found without a record, which can't be written yet" in own.log()
    while job.name not in [listed.name for listed in client.jobs.ListJobs().jobs]:
        pass
    client.jobs.DeleteJob(name=job.name)


# --- witnesses of an end that don't agree


def test_a_record_of_the_end_is_believed_although_hoist_init_does_not_go(own, alice, probe):
    """It hangs in its last system call: the end is told as it was, and it goes with its cgroup when it can."""
    job = alice.start(probe, "out", "ready", ",", "await", "10", ",", "exit", "3")
    alice.await_output(job, b"ready")
    with faults.injected(job.pid, "exit_group:delay_enter=600s", children=False, end=signal.SIGKILL):
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        assert ending(alice.wait(job)) == ("FAILED", "EXITED", 3, 0)
        assert alice.output(job).data.startswith(b"ready")
    traces.assert_gone(own, job)


@pytest.mark.parametrize("restart", [False, True])
def test_an_empty_cgroup_is_no_end_while_hoist_init_has_not_said_so(own, alice, restart):
    """Nor for another hoistd: what the command ended with is still to be heard."""
    job = alice.start("sleep", "600")
    os.kill(job.pid, signal.SIGSTOP)
    for pid in children_of(job.pid):
        os.kill(pid, signal.SIGTERM)
        waiting.process_end(pid)
    if restart:
        own.kill_hoistd()
    client = own.client("alice")
    assert word("JobState", client.jobs.GetJob(name=job.name).state) == "RUNNING"
    os.kill(job.pid, signal.SIGCONT)
    assert ending(client.wait(job)) == ("FAILED", "SIGNALED", None, signal.SIGTERM)


# --- the launcher


def test_launcher_that_dies_before_it_answers(own, alice, probe):
    """The start fails, hoistd goes down with it, and jobs that run go on."""
    job = alice.start(probe, "out", "ready", ",", "await", "10", ",", "out", "bye")
    alice.await_output(job, b"ready")
    hoistd, launcher = own.hoistd_pid, own.launcher_pid
    os.kill(launcher, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(1) as pool, waiting.new_entry(f"{own.dir}/state/jobs") as appeared:
        start = pool.submit(alice.start, "true")
        appeared()
        os.kill(launcher, signal.SIGKILL)
        with refused("UNAVAILABLE", "LAUNCHER_UNAVAILABLE"):
            start.result()
    waiting.process_end(hoistd)
    own.restart()
    client = own.client("alice")
    client.jobs.SignalJob(name=job.name, signal="USR1")
    assert ending(client.wait(job)) == ("SUCCEEDED", "EXITED", 0, 0)
    assert client.output(job).data == b"ready\ngot signal 10\nbye\n"
