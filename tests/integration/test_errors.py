# SPDX-License-Identifier: Apache-2.0
"""Every reason of hoist.v1.Reason: provoked through the real programs, and explained by docs/errors.md.

docs/errors.md has one row for each value of the enum, and no other; the codes that it tells are those that come.
"""

import base64
import concurrent.futures
import contextlib
import os
import re
import signal

import grpc
import pytest

from harness import BUILD, PATIENCE, TOP, faults, records, relay, traces, waiting
from harness.agent import Agent
from harness.api import Client, error_info, message, word
from harness.certificates import CN, O, Authority, environment
from harness.http2 import Connection, message as framed


def enum_values():
    with open(f"{TOP}/proto/hoist/v1/reason.proto") as file:
        return re.findall(r"^\s+REASON_(\w+) = \d+;", file.read(), re.MULTILINE)


def documented():
    """{reason: the set of gRPC codes in its row} of docs/errors.md."""
    rows = {}
    with open(f"{TOP}/docs/errors.md") as file:
        for line in file:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if line.startswith("| `") and len(cells) == 4:
                name = cells[0].strip("`")
                assert name not in rows, f"{name} has two rows"
                assert all(cells), f"a cell of {name} is empty"
                rows[name] = set(re.findall(r"`([A-Z_]+)`", cells[1]))
    return rows


def test_every_reason_is_documented_and_nothing_else():
    assert sorted(documented()) == sorted(enum_values())


# --- provoking them


@pytest.fixture(scope="module")
def own():
    """An agent whose calls and jobs are few, and that may be broken."""
    with Agent({"jobs_max": 2, "peers.streams_per_principal": 4}) as agent:
        yield agent


class Scene:
    """What a provocation needs; everything is made when it is asked for."""

    def __init__(self, own, probe, directory):
        self.own, self.probe, self.directory = own, probe, directory
        self.alice = own.client("alice")
        self.later = contextlib.ExitStack()

    def certified(self, *subject):
        values = environment(self.own, self.directory, *Authority.of(self.own).issue(subject))
        return self.later.enter_context(contextlib.closing(Client(values)))

    def running(self, **spec):
        job = self.alice.start(self.probe, "out", "ready", ",", "forever", **spec)
        self.alice.await_output(job, b"ready\n")
        return job

    def close(self):
        """No job is left, so that the next scene has room."""
        self.later.close()
        client = self.own.client("alice")
        for job in client.jobs.ListJobs(page_size=500).jobs:
            client.jobs.DeleteJob(name=job.name, force=True)
        self.alice.close()


PROVOKED = {}


def provokes(reason):
    def register(function):
        PROVOKED[reason] = function
        return function

    return register


def job_reason(client, job, reason):
    """The Job's own reason, for those that no call is refused by."""
    found = client.jobs.GetJob(name=job.name)
    assert word("Reason", found.reason) == reason and found.error


def raw(client, method, data):
    return client.channel.unary_unary(f"/hoist.v1.{method}")(data, timeout=PATIENCE)


@provokes("UNSPECIFIED")
def no_failure(scene):
    assert word("Reason", scene.alice.run("true").reason) == "UNSPECIFIED"


@provokes("MALFORMED_REQUEST")
def broken_wire_format(scene):
    raw(scene.alice, "JobService/GetJob", b"\x0a\xff")


@provokes("INVALID_FIELD")
def relative_cwd(scene):
    scene.alice.start("true", cwd="relative")


@provokes("TOO_LARGE")
def too_many_arguments(scene):
    scene.alice.start("true", *["x"] * 1025)


@provokes("AMBIGUOUS_ID")
def prefix_of_two(scene):
    job = scene.alice.run("true")
    with records.hoistd_away(scene.own):
        records.add_twin(scene.own, job)
    scene.own.client("alice").jobs.GetJob(name=traces.uuid_of(job)[:13])


@provokes("INVALID_PAGE_TOKEN")
def made_up_page_token(scene):
    scene.alice.jobs.ListJobs(page_token="made up")


@provokes("OFFSET_OUT_OF_RANGE")
def offset_behind_the_end(scene):
    scene.alice.output(scene.alice.run("true"), offset=1)


@provokes("NO_ROLE")
def certificate_without_a_role(scene):
    scene.certified((CN, "alice")).start("true")


@provokes("IDENTITY_INVALID")
def certificate_of_nobody(scene):
    scene.certified((O, "user")).agent.Ping()


@provokes("JOB_NOT_FOUND")
def unknown_job(scene):
    scene.alice.jobs.GetJob(name="01234567-89ab-4cde-8f01-23456789abcd")


@provokes("NAME_TAKEN")
def same_name_twice(scene):
    scene.alice.run("true", display_name="twice")
    scene.alice.start("true", display_name="twice")


@provokes("JOB_RUNNING")
def delete_a_running_job(scene):
    scene.alice.jobs.DeleteJob(name=scene.running().name)


@provokes("JOB_ENDED")
def signal_an_ended_job(scene):
    scene.alice.jobs.SignalJob(name=scene.alice.run("true").name, signal="HUP")


@provokes("UNKNOWN_CLASS")
def class_that_is_not_there(scene):
    scene.alice.start("true", job_class="no-such-class")


@provokes("OVER_CEILING")
def more_than_the_class_gives(scene):
    scene.alice.start("true", job_class="small", limits={"memory_max": {"value": 10**12}})


@provokes("UNKNOWN_METHOD")
def method_that_is_not_there(scene):
    raw(scene.alice, "JobService/NoSuchMethod", b"")


@provokes("REQUEST_ID_REUSED")
def request_id_of_another_job(scene):
    scene.alice.jobs.StartJob(spec={"command": b"true"}, request_id="once")
    scene.alice.jobs.StartJob(spec={"command": b"false"}, request_id="once")


@provokes("COMMAND_NOT_FOUND")
def command_that_is_not_there(scene):
    scene.alice.start("no-such-command")


@provokes("COMMAND_NOT_EXECUTABLE")
def command_that_is_a_text(scene):
    scene.alice.start("/etc/passwd")


@provokes("CWD_INVALID")
def cwd_that_is_not_there(scene):
    scene.alice.start("true", cwd="/no/such")


@provokes("LIMIT_NOT_ENFORCEABLE")
def limit_without_its_controller(scene):
    agent = scene.later.enter_context(Agent({"unenforced_limits": "refuse"}))
    lacking = [limit.name for limit in agent.client("alice").agent.GetInfo().limits if not limit.enforceable]
    if not lacking:
        pytest.skip("this kernel can enforce every limit")
    agent.client("alice").start("true")


@provokes("CGROUP_FAILED")
def no_room_for_cgroups(scene):
    with faults.injected(scene.own.launcher_pid, "mkdirat:error=ENOSPC"):
        scene.alice.start("true")


@provokes("OUTPUT_FAILED")
def directory_that_cannot_be_made(scene):
    with faults.injected(scene.own.hoistd_pid, "mkdirat:error=ENOSPC"):
        scene.alice.start("true")


@provokes("SPAWN_FAILED")
def no_process_for_hoist_init(scene):
    with faults.injected(scene.own.launcher_pid, "clone3:error=EAGAIN"):
        scene.alice.start("true")


@provokes("ISOLATION_FAILED")
def hostname_that_cannot_be_set(scene):
    with faults.injected(scene.own.launcher_pid, "sethostname:error=EPERM"):
        scene.alice.start("true")


@provokes("INIT_DIED")
def hoist_init_killed_before_exec(scene):
    with faults.injected(scene.own.launcher_pid, "sethostname:signal=KILL"):
        scene.alice.start("true")


@provokes("LAUNCHER_UNAVAILABLE")
def launcher_killed_before_it_answers(scene):
    hoistd, launcher = scene.own.hoistd_pid, scene.own.launcher_pid
    os.kill(launcher, signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as pool, \
                waiting.new_entry(f"{scene.own.dir}/state/jobs") as appeared:
            start = pool.submit(scene.alice.start, "true")
            appeared()
            os.kill(launcher, signal.SIGKILL)
            start.result()
    finally:
        waiting.process_end(hoistd)
        scene.own.restart()


@provokes("REFUSED_BY_LAUNCHER")
def ceiling_that_is_kept_from_hoistd(scene):
    """hoistd would refuse it by itself, so that it has to be deceived."""
    os.chmod(scene.directory, 0o755)
    build = relay.build_with_relay(BUILD, scene.directory)
    agent = scene.later.enter_context(Agent(launcher={"max_open_files": "100"}, build=build))
    agent.client("alice").start("true", limits={"open_files": {"value": 101}})


@provokes("STORE_FAILED")
def record_that_cannot_be_written(scene):
    with faults.injected(scene.own.hoistd_pid, "pwrite64:error=ENOSPC", path=f"{scene.own.dir}/state/jobs.db-wal"):
        scene.alice.start("true")


@provokes("TOO_MANY_JOBS")
def more_jobs_than_the_agent_has_room_for(scene):
    for _ in range(3):
        scene.running()


@provokes("RESERVATION_DOES_NOT_FIT")
def more_memory_kept_than_the_host_has(scene):
    agent = scene.later.enter_context(Agent({"classes": "{greedy: {reserve: {memory: 1000TB}}}"}))
    agent.client("alice").start("true", job_class="greedy")


@provokes("TOO_MANY_STREAMS")
def more_calls_than_a_principal_may_have(scene):
    job = scene.running()
    streams = [scene.alice.jobs.StreamOutput(name=job.name, follow=True) for _ in range(4)]
    try:
        for stream in streams:
            next(stream)
        scene.alice.agent.Ping()
    finally:
        for stream in streams:
            stream.cancel()


@provokes("SHUTTING_DOWN")
def start_on_an_agent_that_goes_down(scene):
    """By a client that hears the GOAWAY and starts a job all the same, as one does that has not heard it yet."""
    request = message("StartJobRequest")(spec={"command": b"true"}).SerializeToString()
    with Connection(scene.own.environment("alice")) as connection:
        connection.call()
        hoistd = scene.own.hoistd_pid
        os.kill(hoistd, signal.SIGTERM)
        while connection.goaway is None:
            assert connection.read_frame()
        answer = connection.answer(connection.request(framed(request), path="/hoist.v1.JobService/StartJob"))
    waiting.process_end(hoistd)
    raise Answered(answer)


class Answered(Exception):
    """A failed call that came by other ways than grpcio."""

    def __init__(self, answer):
        self.status = next(code for code in grpc.StatusCode if code.value[0] == answer.status)
        details = answer.headers["grpc-status-details-bin"]
        self.details = base64.b64decode(details + "=" * (-len(details) % 4))

    def code(self):
        return self.status

    def trailing_metadata(self):
        return (("grpc-status-details-bin", self.details),)


@provokes("INIT_LOST")
def hoist_init_killed_while_the_job_runs(scene):
    job = scene.running()
    os.kill(job.pid, signal.SIGKILL)
    scene.alice.wait(job)
    job_reason(scene.alice, job, "INIT_LOST")


@provokes("HOST_REBOOTED")
def another_boot_id(scene):
    job = scene.running()
    faults.reboot(scene.own, scene.directory, job.pid)
    job_reason(scene.own.client("alice"), job, "HOST_REBOOTED")
    scene.own.restart()


@provokes("OUTPUT_WRITE_FAILED")
def output_with_an_io_error(scene):
    job = scene.alice.start(scene.probe, "out", "ready", ",", "await", "10", ",", "forever")
    scene.alice.await_output(job, b"ready\n")
    path = f"{traces.directory_of(scene.own, job)}/output"
    with faults.injected(job.pid, "write:error=EIO", path=path, children=False):
        scene.alice.jobs.SignalJob(name=job.name, signal="USR1")
        scene.alice.wait(job)
    job_reason(scene.alice, job, "OUTPUT_WRITE_FAILED")


@provokes("OUTPUT_DAMAGED")
def output_that_was_changed_on_disk(scene):
    job = scene.alice.run("echo", "hello")
    with open(f"{traces.directory_of(scene.own, job)}/output", "r+b") as file:
        file.write(b"J")
    scene.alice.output(job)


# --- all of them


@pytest.fixture
def scene(own, probe, tmp_path):
    made = Scene(own, probe, str(tmp_path))
    yield made
    made.close()


def unprovoked():
    """Those that docs/test-plan.md names as such, with why."""
    with open(f"{TOP}/docs/test-plan.md") as file:
        section = file.read().partition("## Reasons that no test provokes")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))


def test_no_reason_is_forgotten():
    assert set(PROVOKED) | unprovoked() == set(enum_values()) and not set(PROVOKED) & unprovoked()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make system calls of others fail")
@pytest.mark.parametrize("reason", PROVOKED)
def test_reason(scene, reason):
    """It comes, with one of the codes that its row tells; a reason that only jobs have comes with none."""
    codes = documented()[reason]
    try:
        PROVOKED[reason](scene)
    except (grpc.RpcError, Answered) as error:
        assert error_info(error)[0] == reason
        assert error.code().name in codes
        return
    assert not codes, f"one of {codes} was expected"
