# SPDX-License-Identifier: Apache-2.0
"""The main job: a command runs there as it would here, apart from everything that is not its business."""

import grpc
import hashlib
import os

import pytest

from harness.api import message, refused


def ended(client, job):
    job = client.wait(job)
    return message("JobState").Name(job.state), message("Cause").Name(job.cause), job.exit_code, job.signal


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_run_passes_the_exit_code_through(hoist, code):
    hoist("run", "--", "sh", "-c", f"exit {code}", check=code)


@pytest.mark.parametrize("number, code", [(15, 143), (9, 137), (10, 138)])
def test_run_tells_a_signal_as_shells_do(hoist, probe, number, code):
    hoist("run", "--", probe, "signal", str(number), check=code)


@pytest.mark.parametrize("command, code", [("no-such-command", 127), ("/no/such/command", 127), ("/etc/passwd", 126),
                                           ("/usr", 126)])
def test_run_tells_why_nothing_was_executed(hoist, command, code):
    done = hoist("run", "--", command, check=code)
    assert command in done.stderr and done.stdout == ""


def test_run_keeps_the_streams_apart(hoist, probe):
    done = hoist("run", "--", probe, "out", "one", "err", "two", "exit", "7", check=7)
    assert done.stdout == "one\n"
    assert "two" in done.stderr.splitlines()


def test_run_delivers_every_byte(hoist, probe):
    done = hoist("run", "--", probe, "bytes", "5000000", check=0, text=False)
    assert len(done.stdout) == 5000000
    local = hashlib.sha256(bytes(((at * 2654435761) >> 13) & 0xff for at in range(5000000)))
    assert hashlib.sha256(done.stdout).digest() == local.digest()


@pytest.mark.parametrize("argv, end", [
    (["exit", "0"], ("JOB_STATE_SUCCEEDED", "CAUSE_EXITED", 0, 0)),
    (["exit", "3"], ("JOB_STATE_FAILED", "CAUSE_EXITED", 3, 0)),
])
def test_end_is_told_as_it_was(alice, probe, argv, end):
    assert ended(alice, alice.start(probe, *argv)) == end


def test_end_by_a_signal_has_no_exit_code(alice, probe):
    job = alice.run(probe, "signal", "11")
    assert (message("Cause").Name(job.cause), job.signal, job.has_exit_code) == ("CAUSE_SIGNALED", 11, False)


def test_job_gets_what_it_was_given(alice, probe):
    job = alice.start(probe, "env", "id", env=[{"name": "COLOUR", "value": b"blue \xff"}], cwd="/usr")
    output = alice.output(job)
    assert b"COLOUR=blue \xff\n" in output.stdout
    assert output.stdout.endswith(b"cwd /usr\n")
    assert all(not variable.value for variable in alice.jobs.GetJob(name=job.name).spec.env)


def test_job_is_nobody_in_a_place_of_its_own(alice, probe):
    job = alice.start(probe, "id", "fds", "ls", "/sys/class/net", "ls", "/tmp")
    lines = alice.output(job).stdout.decode().splitlines()
    words = lines[0].split()
    said = dict(zip(words[::2], words[1::2]))
    assert said["groups"] == "0" and said["host"] == "sandbox" and said["cwd"] == "/job"
    assert os.geteuid() != 0 or int(said["uid"]) == job.job_uid > 0
    assert [line.split()[0] for line in lines[1:-1]] == ["0", "1", "2"]
    assert lines[1].endswith("/dev/null") and lines[-1] == "lo"


def test_job_can_do_nothing_to_the_host(alice, probe):
    if os.geteuid() != 0:
        pytest.skip("only root can run jobs that are not root in their user namespace")
    job = alice.start(probe, "try", "all")
    said = dict(line.split(": ", 1) for line in alice.output(job).stdout.decode().splitlines())
    assert len(said) > 15
    assert [name for name, answer in said.items() if answer == "ok"] == []


@pytest.mark.parametrize("method, fields", [
    ("GetJob", {}), ("WaitJob", {}), ("StopJob", {}), ("SignalJob", {"signal": "TERM"}), ("DeleteJob", {}),
    ("StreamOutput", {})])
def test_another_users_job_does_not_exist(alice, bob, admin, probe, method, fields):
    job = alice.start(probe, "await", "10")
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        answer = getattr(bob.jobs, method)(name=job.name, **fields)
        list(answer) if method == "StreamOutput" else None
    assert job.name not in [each.name for each in bob.jobs.ListJobs(page_size=500).jobs]
    assert admin.jobs.GetJob(name=job.name).name == job.name
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    assert alice.wait(job).exit_code == 0


def test_delete_removes_an_ended_job_and_only_such(alice, probe):
    job = alice.start(probe, "forever")
    with refused("FAILED_PRECONDITION", "JOB_RUNNING"):
        alice.jobs.DeleteJob(name=job.name)
    alice.jobs.DeleteJob(name=job.name, force=True)
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        alice.jobs.GetJob(name=job.name)


def test_start_that_fails_leaves_a_record(alice):
    with refused("FAILED_PRECONDITION", "COMMAND_NOT_FOUND") as refusal:
        alice.start("no-such-command")
    job = alice.jobs.GetJob(name=refusal.metadata["job"])
    assert message("JobState").Name(job.state) == "JOB_STATE_FAILED"
    assert message("Cause").Name(job.cause) == "CAUSE_START_FAILED"


def test_name_belongs_to_one_kept_job_of_its_owner(alice, bob, probe):
    job = alice.start(probe, "exit", "0", display_name="only-one")
    with refused("ALREADY_EXISTS", "NAME_TAKEN"):
        alice.start(probe, "exit", "0", display_name="only-one")
    bob.wait(bob.start(probe, "exit", "0", display_name="only-one"))
    assert alice.jobs.GetJob(name="only-one").name == job.name
    alice.wait(job)
    alice.jobs.DeleteJob(name=job.name)
    alice.wait(alice.start(probe, "exit", "0", display_name="only-one"))


def test_list_pages_newest_first_and_filters(alice, probe):
    started = [alice.start(probe, "exit", "0", labels={"suite": "pages"}).name for _ in range(5)]
    seen, token = [], ""
    while True:
        page = alice.jobs.ListJobs(page_size=2, page_token=token, labels={"suite": "pages"})
        assert len(page.jobs) <= 2
        seen += [job.name for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert seen == started[::-1]


def test_every_call_and_end_is_logged(alice, agent, probe):
    job = alice.run(probe, "exit", "5")
    identifier = job.name.partition("/")[2]
    log = agent.wait_log(f"job ended job={identifier}")
    assert any("rpc=StartJob" in line and identifier in line and "principal=alice" in line for line in log.splitlines())


def test_channel_without_certificate_is_refused(agent):
    environment = agent.environment("alice")
    with open(environment["HOIST_CA"], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    with grpc.secure_channel(f"127.0.0.1:{agent.port}", credentials) as channel:
        call = channel.unary_unary("/hoist.v1.AgentService/Ping")
        with refused("UNAVAILABLE"):
            call(b"", timeout=10)
