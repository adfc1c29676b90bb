# SPDX-License-Identifier: Apache-2.0
"""Bad input, one row for each: what is sent, the gRPC code, the reason, and the exact words of the command line.

Wrong bytes on the port (plaintext, HTTP/1, half-open connections, clients that go away) are in test_access.py and
test_output.py; a state directory with a wrong owner or mode, or with another agent, is in test_restart.py. They have no
gRPC code: there is no call, or no agent.
"""

import os
import re

import pytest

from harness import PATIENCE, records, traces
from harness.api import Client, amounts, message, refused
from harness.certificates import CN, O, SERVER, Authority, environment
from harness.cli import Cli

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ALICES = "ffff0000-0000-4000-8000-000000000000"  # stands for a job of alice's in the rows

LIST = "hoist: hoist list shows the jobs that you may see"
KEPT = "hoist: its record stays: jobs/UUID"


def start(command=b"true", *args, **spec):
    """A well-formed StartJob."""
    return "JobService/StartJob", message("StartJobRequest")(spec={"command": command, "args": args, **spec})


def about(method, name, **fields):
    return f"JobService/{method}", message(f"{method}Request")(name=name, **fields)


def length_delimited(tag, payload):
    size, head = len(payload), bytes([tag])
    while True:
        head += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
        if size == 0:
            return head + payload


def raw_spec(payload):
    """A StartJob whose spec is these bytes."""
    return "JobService/StartJob", length_delimited(0x0A, payload)


# name: (call or None, code, reason, arguments of hoist or None where a command line can't say it, its code, its stderr)
ROWS = {
    "a command that doesn't exist": (
        lambda: start(b"no-such-command"), "FAILED_PRECONDITION", "COMMAND_NOT_FOUND",
        ["run", "--", "no-such-command"], 127,
        ['hoist: command "no-such-command": not found in PATH', KEPT]),
    "a path that doesn't exist": (
        lambda: start(b"/no/such"), "FAILED_PRECONDITION", "COMMAND_NOT_FOUND",
        ["run", "--", "/no/such"], 127,
        ['hoist: command "/no/such": no such file', KEPT]),
    "a command that isn't executable": (
        lambda: start(b"/etc/passwd"), "FAILED_PRECONDITION", "COMMAND_NOT_EXECUTABLE",
        ["run", "--", "/etc/passwd"], 126,
        ['hoist: command "/etc/passwd": Permission denied', KEPT]),
    "a command that is a directory": (
        lambda: start(b"/usr/bin"), "FAILED_PRECONDITION", "COMMAND_NOT_EXECUTABLE",
        ["run", "--", "/usr/bin"], 126,
        ['hoist: command "/usr/bin": it is a directory', KEPT]),
    "a working directory that doesn't exist": (
        lambda: start(cwd="/no/such"), "FAILED_PRECONDITION", "CWD_INVALID",
        ["run", "--cwd", "/no/such", "--", "true"], 125,
        ['hoist: working directory "/no/such": No such file or directory', KEPT]),
    "an empty argv": (
        lambda: start(b""), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--", ""], 125,
        ["hoist: spec.command is empty: it must name a program"]),
    "no command at all": (
        lambda: ("JobService/StartJob", b""), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run"], 125,
        ["hoist: no command; write it behind --, as in: -- make test"]),
    "a NUL in the command": (
        lambda: start(b"tr\0ue"), "INVALID_ARGUMENT", "INVALID_FIELD",
        None, None, None),
    "a NUL in an argument": (
        lambda: start(b"true", b"a\0b"), "INVALID_ARGUMENT", "INVALID_FIELD",
        None, None, None),
    "a NUL in a variable": (
        lambda: start(env=[{"name": "A", "value": b"b\0c"}]), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--env-file", "TMP/nul.env", "--", "true"], 125,
        ["hoist: --env-file TMP/nul.env holds a NUL byte"]),
    "a NUL in a name": (
        lambda: start(display_name="a\0b"), "INVALID_ARGUMENT", "MALFORMED_REQUEST",
        None, None, None),
    "invalid UTF-8 in a text": (
        lambda: raw_spec(b"\x0a\x02\xc0\x80\x1a\x04true"), "INVALID_ARGUMENT", "MALFORMED_REQUEST",
        ["run", "--name", b"\xc0\x80", "--", "true"], 125,
        ["hoist: the request is malformed: spec.display_name is not UTF-8"]),
    "1,025 arguments": (
        lambda: start(b"true", *[b"x"] * 1025), "INVALID_ARGUMENT", "TOO_LARGE",
        ["run", "--", "true", *["x"] * 1025], 125,
        ["hoist: the request is too large: spec.args has more than 1024 elements"]),
    "2 million arguments": (
        lambda: raw_spec(b"\x1a\x04true" + b"\x22\x00" * 2000000), "INVALID_ARGUMENT", "TOO_LARGE",
        None, None, None),
    "257 variables": (
        lambda: start(env=[{"name": f"A{i}"} for i in range(257)]), "INVALID_ARGUMENT", "TOO_LARGE",
        ["run", *[part for i in range(257) for part in ("--env", f"A{i}=")], "--", "true"], 125,
        ["hoist: the request is too large: spec.env has more than 256 elements"]),
    "more than 128 KiB of arguments": (
        lambda: start(b"true", b"x" * 66000, b"y" * 66000), "INVALID_ARGUMENT", "TOO_LARGE",
        ["run", "--", "true", "x" * 66000, "y" * 66000], 125,
        ["hoist: spec.args has 132007 bytes together with command and env; at most 131072 are allowed"]),
    "a message of 5 MB": (
        lambda: ("JobService/StartJob", bytes(5000000)), "RESOURCE_EXHAUSTED", "TOO_LARGE",
        None, None, None),
    "a message that is cut off": (
        lambda: ("JobService/StartJob", b"\x0a\xff\x01"), "INVALID_ARGUMENT", "MALFORMED_REQUEST",
        None, None, None),
    "65 fields that nobody knows": (
        lambda: ("JobService/StartJob", b"\xf8\x07\x01" * 65), "INVALID_ARGUMENT", "TOO_LARGE",
        None, None, None),
    "a name with a slash": (
        lambda: start(display_name="a/b"), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--name", "a/b", "--", "true"], 125,
        ['hoist: spec.display_name is wrong: the name "a/b" holds a character that is not one of a-z 0-9 . _ -']),
    "the name ..": (
        lambda: start(display_name=".."), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--name", "..", "--", "true"], 125,
        ['hoist: spec.display_name is wrong: the name ".." must begin and end with a letter or digit']),
    "a name with a newline": (
        lambda: start(display_name="a\nb"), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--name", "a\nb", "--", "true"], 125,
        [r'hoist: spec.display_name is wrong: the name "a\\nb" holds a character that is not one of a-z 0-9 . _ -']),
    "a name that looks like an id": (
        lambda: start(display_name="abcdef12"), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--name", "abcdef12", "--", "true"], 125,
        ['hoist: spec.display_name is wrong: the name "abcdef12" looks like a job id; add a letter beyond f to tell them apart']),
    "a relative cwd": (
        lambda: start(cwd="tmp"), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--cwd", "tmp", "--", "true"], 125,
        ["hoist: spec.cwd is not absolute: it must begin with /"]),
    "a variable whose name is none": (
        lambda: start(env=[{"name": "1A"}]), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--env", "1A=x", "--", "true"], 125,
        ["hoist: spec.env[0].name must match [A-Za-z_][A-Za-z0-9_]*"]),
    "a class that isn't there": (
        lambda: start(job_class="huge"), "INVALID_ARGUMENT", "UNKNOWN_CLASS",
        ["run", "--class", "huge", "--", "true"], 125,
        ['hoist: there is no class "huge" here; choose one of default, small, medium, large, telehandler',
         "hoist: hoist info shows the classes and what this agent can enforce"]),
    "more than the class allows": (
        lambda: start(limits=amounts(memory_max=10**9)), "INVALID_ARGUMENT", "OVER_CEILING",
        ["start", "--memory", "1GB", "--", "true"], 1,
        ['hoist: memory_max 1000000000 is above the ceiling 512000000 set by the class "default"; ask for at most that much or '
         "choose another class", "hoist: memory: 1GB was asked for, 512MB is allowed"]),
    "no limit where the class has one": (
        lambda: start(limits=amounts(pids_max=0)), "INVALID_ARGUMENT", "OVER_CEILING",
        ["start", "--pids", "0", "--", "true"], 1,
        ['hoist: pids_max none is above the ceiling 4096 set by the class "default"; ask for at most that much or choose '
         "another class", "hoist: processes: no limit was asked for, 4096 is allowed"]),
    "a signal that isn't one": (
        lambda: about("SignalJob", ALICES, signal="NOPE"), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["kill", "--signal", "NOPE", ALICES], 1,
        ['hoist: signal "NOPE" is no signal; write a name such as TERM, HUP or USR1, or a number from 1 to 64']),
    "a negative duration": (
        lambda: start(timeout={"seconds": -1}), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["run", "--timeout", "-1s", "--", "true"], 125,
        ['hoist: --timeout: "-1s" is no duration; write it like 30s, 1h30m or 250ms']),
    "an unknown job id": (
        lambda: about("GetJob", "01234567-89ab-4cde-8f01-23456789abcd"), "NOT_FOUND", "JOB_NOT_FOUND",
        ["status", "01234567-89ab-4cde-8f01-23456789abcd"], 1,
        ['hoist: there is no job "01234567-89ab-4cde-8f01-23456789abcd"', LIST]),
    "another's job id": (
        lambda: about("GetJob", "BOBS"), "NOT_FOUND", "JOB_NOT_FOUND",
        ["status", "BOBS"], 1,
        ['hoist: there is no job "BOBS"', LIST]),
    "a prefix of three digits": (
        lambda: about("GetJob", ALICES[:3]), "NOT_FOUND", "JOB_NOT_FOUND",
        ["status", ALICES[:3]], 1,
        [f'hoist: there is no job "{ALICES[:3]}"', LIST]),
    "an empty job id": (
        lambda: about("GetJob", ""), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["status", ""], 1,
        ["hoist: name is empty; give an id, a prefix of one, or a job's name"]),
    "a job id of 100 bytes": (
        lambda: about("GetJob", "x" * 100), "INVALID_ARGUMENT", "INVALID_FIELD",
        ["status", "x" * 100], 1,
        ["hoist: name is longer than any id or name of a job"]),
    "a job id with a path in it": (
        lambda: about("GetJob", "jobs/../../etc/passwd"), "NOT_FOUND", "JOB_NOT_FOUND",
        ["status", "jobs/../../etc/passwd"], 1,
        ['hoist: there is no job "jobs/../../etc/passwd"', LIST]),
    "a job id with an escape in it": (
        lambda: about("GetJob", "\x1b[2Jx"), "NOT_FOUND", "JOB_NOT_FOUND",
        ["status", "\x1b[2Jx"], 1,
        [r'hoist: there is no job "\x1b[2Jx"', LIST]),
}

# Certificates: (subject, options of Authority.issue, code and reason of every call, hoist's line).
CERTIFICATES = {
    "expired": (
        ((O, "user"), (CN, "alice")), {"valid": (-2, -1)}, "UNAVAILABLE", None,
        'hoist: the certificate "TMP/HOIST_CERT" has expired'),
    "of another CA": (
        ((O, "user"), (CN, "alice")), {"issuer": "stranger"}, "UNAVAILABLE", None,
        "hoist: the server ended TLS: it refused our certificate: of a CA that it doesn't know"),
    "without CN": (
        ((O, "user"),), {}, "UNAUTHENTICATED", "IDENTITY_INVALID",
        "hoist: the certificate's subject has no CN"),
    "with two CNs": (
        ((O, "user"), (CN, "alice"), (CN, "admin")), {}, "UNAUTHENTICATED", "IDENTITY_INVALID",
        "hoist: the certificate's subject has 2 CNs, not one"),
    "for servers only": (
        ((O, "user"), (CN, "alice")), {"usages": (SERVER,)}, "UNAVAILABLE", None,
        'hoist: TMP/HOIST_CERT: the certificate "CN=alice,O=user" lacks the extended key usage clientAuth'),
    "without clientAuth": (
        ((O, "user"), (CN, "alice")), {"usages": ()}, "UNAVAILABLE", None,
        'hoist: TMP/HOIST_CERT: the certificate "CN=alice,O=user" lacks the extended key usage clientAuth'),
    "without a role": (
        ((CN, "alice"),), {}, "PERMISSION_DENIED", "NO_ROLE",
        "hoist: the certificate of alice names no role; have one issued with O=user or O=admin"),
}


@pytest.fixture(scope="module")
def names(agent):
    """What stands for jobs in the rows, and the jobs."""
    alice, bob = agent.client("alice"), agent.client("bob")
    found = {ALICES: traces.uuid_of(alice.run("true")), "BOBS": traces.uuid_of(bob.run("true"))}
    found[ALICES[:3]] = found[ALICES][:3]
    return found


@pytest.fixture(autouse=True)
def nothing_leaks(agent, admin, messages):
    """No descriptor of the agent's, and no job that lives."""
    admin.agent.Ping()
    before = traces.descriptors(agent.hoistd_pid)
    yield
    traces.descriptors_return(admin, agent.hoistd_pid, before)
    assert admin.agent.GetInfo().jobs_running == 0


def put_names(names, text):
    for placeholder, name in names.items():
        if text == placeholder or f'"{placeholder}"' in text:
            text = text.replace(placeholder, name)
    return text


@pytest.mark.parametrize("row", ROWS)
def test_call(alice, agent, names, row):
    call, code, reason = ROWS[row][:3]
    method, request = call()
    if not isinstance(request, bytes):
        if hasattr(request, "name"):
            request.name = put_names(names, request.name)
        request = request.SerializeToString()
    kept = traces.directories(agent)
    with refused(code, reason) as refusal:
        alice.channel.unary_unary(f"/hoist.v1.{method}")(request, timeout=PATIENCE)
    assert refusal.message
    leaves = {refusal.metadata["job"].removeprefix("jobs/")} if "job" in refusal.metadata else set()
    assert traces.directories(agent) - kept == leaves


@pytest.mark.parametrize("row", [row for row in ROWS if ROWS[row][3]])
def test_command_line(hoist, names, tmp_path, row):
    arguments, code, lines = ROWS[row][3:]
    (tmp_path / "nul.env").write_bytes(b"A=b\0c\n")
    arguments = [put_names(names, part).replace("TMP", str(tmp_path)) if isinstance(part, str) else part
                 for part in arguments]
    done = hoist(*arguments)
    said = re.sub(f"jobs/{UUID}", "jobs/UUID", done.stderr).splitlines()
    assert said == [put_names(names, line).replace("TMP", str(tmp_path)) for line in lines]
    assert (done.returncode, done.stdout) == (code, "")


@pytest.mark.parametrize("row", CERTIFICATES)
def test_certificate(agent, tmp_path, row):
    subject, options, code, reason, line = CERTIFICATES[row]
    issuer = Authority.stranger() if options.get("issuer") else Authority.of(agent)
    options = {key: value for key, value in options.items() if key != "issuer"}
    values = environment(agent, tmp_path, *issuer.issue(subject, **options))
    client = Client(values)
    with refused(code, reason):
        client.agent.GetInfo()
    client.close()
    done = Cli({**os.environ, **values})("info")
    assert done.stderr.splitlines() == [line.replace("TMP", str(tmp_path))]
    assert (done.returncode, done.stdout) == (1, "")


def test_no_certificate(hoist):
    for variable, line in (("HOIST_CERT", "hoist: no certificate: give --cert or set HOIST_CERT"),
                           ("HOIST_KEY", "hoist: no private key: give --key or set HOIST_KEY"),
                           ("HOIST_CA", "hoist: no CA of the agent: give --ca or set HOIST_CA"),
                           ("HOIST_HOST", "hoist: no agent to talk to: give --host or set HOIST_HOST")):
        values = {key: value for key, value in hoist.environment.items() if key != variable}
        done = Cli(values)("ping")
        assert (done.returncode, done.stderr) == (1, line + "\n")


def test_all_that_is_wrong_is_told_at_once(alice, hoist):
    with refused("INVALID_ARGUMENT", "INVALID_FIELD") as refusal:
        alice.jobs.StartJob(spec={"command": b"", "args": [b"\0"], "cwd": "x", "stop_signal": "NOPE",
                                  "display_name": "A", "labels": {"A": ""}}, request_id="\x01")
    fields = {refusal.metadata[f"field.{i}"] for i in range(7)}
    assert fields == {"spec.command", "spec.args[0]", "spec.cwd", "spec.stop_signal", "spec.display_name",
                      "spec.labels[0].key", "request_id"}
    assert all(refusal.metadata[f"issue.{i}"] for i in range(7)) and "the first of 7 issues" in refusal.message
    done = hoist("run", "--cwd", "x", "--env", "1A=", "--", "true")
    assert done.stderr.splitlines() == [
        "hoist: spec.env[0].name must match [A-Za-z_][A-Za-z0-9_]* (the first of 2 issues)",
        "  spec.env[0].name: must match [A-Za-z_][A-Za-z0-9_]*",
        "  spec.cwd: is not absolute: it must begin with /"]


def test_ambiguous_prefix(make_agent):
    agent = make_agent()
    alice = agent.client("alice")
    job = alice.run("true")
    with records.hoistd_away(agent):
        twin = records.add_twin(agent, job)
    full = traces.uuid_of(job)
    alice = agent.client("alice")  # the launcher holds the port: its connection waits for the next hoistd
    assert {traces.uuid_of(one) for one in alice.jobs.ListJobs().jobs} == {full, twin}
    for method in ("GetJob", "StopJob", "WaitJob", "DeleteJob"):
        with refused("INVALID_ARGUMENT", "AMBIGUOUS_ID") as refusal:
            getattr(alice.jobs, method)(name=full[:13])
        assert {refusal.metadata["candidate.0"], refusal.metadata["candidate.1"]} == {full, twin}
    assert alice.jobs.GetJob(name=full).name == job.name
    done = agent.cli("alice")("status", full[:13])
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f'hoist: "{full[:13]}" fits more than one job; give more digits'
    assert set(done.stderr.splitlines()[1:-1]) == {f"  {full}", f"  {twin}"}
    assert done.stderr.splitlines()[-1] == "hoist: give more digits of the id"
