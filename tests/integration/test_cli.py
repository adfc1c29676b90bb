# SPDX-License-Identifier: Apache-2.0
"""The program hoist: its help, its errors, its formats and each command but run (test_cli_run.py)."""

import array
import fcntl
import json
import os
import re
import subprocess
import termios

import pytest
import yaml

from harness import BUILD, terminal, waiting

COMMANDS = {
    "doctor": [], "help": [], "info": [], "kill": ["signal"], "list": ["ls", "ps"],
    "logs": ["output", "watch", "stream"], "ping": [], "rm": ["delete"], "run": [], "start": [],
    "status": ["get", "show"], "stop": [], "top": [], "version": [], "wait": [],
}
HOIST = f"{BUILD}/hoist"
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


def offline(*arguments):
    """The program without an agent and without anything in its environment."""
    return subprocess.run([HOIST, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30,
                          env={"PATH": "/usr/bin:/bin"})


@pytest.fixture
def started(hoist):
    """Starts a job by the command line and returns its id; what still runs at the end is ended."""
    ids = []

    def start(*arguments):
        ids.append(hoist("start", "-q", *arguments, check=0).stdout.strip())
        return ids[-1]

    yield start
    for each in ids:
        hoist("rm", "--force", each)


def ended(hoist, started, *arguments):
    """The id of a job that has ended."""
    job = started(*arguments)
    hoist("wait", job)
    return job


# --- help

def assert_is_help(text):
    assert len(text.splitlines()) >= 5
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_help_lists_every_command():
    text = offline("help").stdout
    assert_is_help(text)
    listed = re.findall(r"^  ([a-z]+)  +\S", text, re.MULTILINE)
    assert listed == sorted(COMMANDS)


@pytest.mark.parametrize("asked", [[], ["--help"], ["-h"]])
def test_help_in_all_its_forms(asked):
    done = offline(*asked)
    assert (done.returncode, done.stdout, done.stderr) == (0, offline("help").stdout, "")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_a_command_has_an_example_and_fits_a_terminal(command):
    done = offline(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert_is_help(done.stdout)
    assert done.stdout.startswith(f"hoist {command} ")
    assert f"\nExample:\n  hoist {command}" in done.stdout
    assert offline("help", command).stdout == done.stdout


@pytest.mark.parametrize("command, alias", [(name, alias) for name, aliases in COMMANDS.items() for alias in aliases])
def test_help_of_an_alias_is_its_commands(command, alias):
    assert offline(alias, "-h").stdout == offline(command, "-h").stdout


def test_version_is_one_line_and_the_same_by_flag():
    done = offline("version")
    assert re.fullmatch(r"hoist \d+\.\d+\.\d+\S*\n", done.stdout)
    assert offline("--version").stdout == done.stdout


# --- bad usage

@pytest.mark.parametrize("arguments, code", [
    (["frobnicate"], 2), (["help", "frobnicate"], 2), (["--frobnicate"], 2), (["list", "--frobnicate"], 2),
    (["list", "-x"], 2), (["status"], 2), (["status", "a", "b"], 2), (["stop"], 2), (["rm"], 2), (["wait"], 125),
    (["run", "--frobnicate"], 125), (["list", "--owner"], 2), (["list", "-o", "xml"], 2), (["list", "job"], 2),
    (["logs", "--follow=yes", "x"], 2), (["ping", "--name", "x"], 2), (["version", "x"], 2),
    (["--host", "localhost", "ping"], 2),
])
def test_bad_usage_is_short_and_on_stderr(arguments, code):
    done = offline(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("hoist")
    assert len(done.stderr.splitlines()) == 1 and len(done.stderr) <= 160
    assert "hoist help" in done.stderr


@pytest.mark.parametrize("arguments, words", [
    (["list", "--state", "HAPPY"], "SUCCEEDED"), (["list", "--limit", "many"], "--limit"),
    (["stop", "--grace", "soon", "x"], "--grace"), (["wait", "--timeout", "-1s", "x"], "--timeout"),
    (["logs", "--offset", "1.5", "x"], "--offset"), (["start"], "--"), (["logs", "--since", "yesterday", "x"], "14:30"),
    (["start", "-c", "true", "--", "true"], "--shell"),
    (["start", "--label", "x", "--", "true"], "KEY=VALUE"), (["start", "--env", "NO_SUCH", "--", "true"], "NO_SUCH"),
    (["start", "--env-file", "/nowhere", "--", "true"], "/nowhere"),
    (["start", "--timeout", "soon", "--", "true"], "--timeout"), (["start", "--cpu", "much", "--", "true"], "--cpu"),
    (["start", "--memory", "-1", "--", "true"], "--memory"), (["start", "--pids", "few", "--", "true"], "--pids"),
])
def test_bad_values_name_their_flag(hoist, arguments, words):
    done = hoist(*arguments)
    assert done.stdout == "" and words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == (125 if arguments[0] == "wait" else 2)


@pytest.mark.parametrize("missing", ["HOIST_HOST", "HOIST_CA", "HOIST_CERT", "HOIST_KEY"])
def test_what_is_not_set_is_named_with_its_flag(hoist, missing):
    done = hoist("ping", env={key: value for key, value in hoist.environment.items() if key != missing}, check=1)
    assert missing in done.stderr and "--" + missing[len("HOIST_"):].lower() in done.stderr


@pytest.mark.parametrize("flag, value, words", [
    ("--port", "0", "port 0"), ("--port", "65536", "--port"), ("--host", "localhost:7443", "HOIST_PORT"),
    ("--host", "[::1]", "HOIST_PORT"), ("--cert", "/dev/null", "holds no certificate"),
    ("--ca", "/dev/null", "holds no certificate"),
])
def test_a_wrong_way_to_the_agent_is_told_in_words(hoist, flag, value, words):
    done = hoist("ping", flag, value, check=1)
    assert words in done.stderr and len(done.stderr.splitlines()) == 1


def test_flags_win_over_the_environment(hoist):
    broken = {**hoist.environment, "HOIST_PORT": "1"}
    assert hoist("ping", env=broken, check=1).stderr
    hoist("ping", "--port", hoist.environment["HOIST_PORT"], env=broken, check=0)


def test_no_agent_is_said_with_what_to_do(hoist):
    done = hoist("list", "--port", "1", check=1)
    assert "127.0.0.1" in done.stderr and len(done.stderr.splitlines()) <= 2


# --- one job

def test_start_prints_the_id_alone_on_stdout(hoist, started):
    done = hoist("start", "--", "true", check=0)
    assert UUID.match(done.stdout.strip())
    hoist("rm", "--force", done.stdout.strip(), check=0)


def test_start_of_a_command_that_is_not_there_says_so_once(hoist):
    done = hoist("start", "--", "no-such-command-anywhere", check=1)
    assert done.stdout == "" and "no-such-command-anywhere" in done.stderr
    job = re.search(r"its record stays: (\S+)", done.stderr)[1]
    assert hoist.json("status", job)["state"] == "FAILED"
    hoist("rm", job, check=0)


def test_job_is_found_by_id_prefix_resource_name_and_name(hoist, started, probe):
    job = started("--name", "found-by-many", "--", probe, "forever")
    for way in (job, job[:8], job[:13], f"jobs/{job}", "found-by-many"):
        assert hoist.json("status", "--no-sample", way)["name"] == f"jobs/{job}"


def test_unknown_job_says_where_to_look(hoist):
    done = hoist("status", "00000000-0000-4000-8000-000000000000", check=1)
    assert done.stdout == "" and "hoist list" in done.stderr


def test_status_of_a_running_job_shows_cpu_memory_and_disk(hoist, started, probe):
    job = started("--label", "team=web", "--", probe, "forever")
    shown = dict(re.findall(r"^(\w[\w ]{0,10}?) +(\S.*)$", hoist("status", job, check=0).stdout, re.MULTILINE))
    assert shown["job"] == job and shown["state"] == "RUNNING" and shown["labels"] == "team=web"
    assert re.fullmatch(r"\d+%", shown["CPU"])
    assert shown["memory"] and shown["disk"] and shown["limits"]
    assert shown["command"] == f"{probe} forever"


def test_status_of_an_ended_job_tells_the_end(hoist, started, probe):
    job = ended(hoist, started, "--", probe, "out", "hello", ",", "exit", "3")
    shown = hoist("status", job, check=0).stdout
    assert re.search(r"^state +FAILED$", shown, re.MULTILINE)
    assert re.search(r"^exit code +3$", shown, re.MULTILINE)
    assert re.search(r"^output +6 bytes \(stdout 6, stderr 0\), complete$", shown, re.MULTILINE)


def test_status_of_an_ended_job_takes_no_sample(hoist, started, probe):
    job = ended(hoist, started, "--", probe, "exit", "0")
    assert "interval" not in hoist.json("status", job).get("usage", {})


@pytest.mark.parametrize("words", [["exit", "5"], ["signal", "9"], ["exit", "0"]])
def test_wait_returns_the_jobs_code(hoist, started, probe, words):
    job = started("--", probe, *words)
    code = int(words[1]) + (128 if words[0] == "signal" else 0)
    for _ in range(2):
        assert job in hoist("wait", job, check=code).stdout


def test_wait_with_a_timeout_leaves_the_job(hoist, started, probe):
    job = started("--", probe, "forever")
    assert "goes on" in hoist("wait", "--timeout", "10ms", job, check=125).stderr
    assert hoist.json("status", "--no-sample", job)["state"] == "RUNNING"


def test_stop_tells_how_each_ended(hoist, started, probe):
    jobs = [started("--", probe, "forever") for _ in range(2)]
    lines = hoist("stop", *jobs, check=0).stdout.splitlines()
    assert lines == [f"{job} STOPPED: stopped by alice" for job in jobs]
    assert hoist("wait", jobs[0], check=143).stdout


def test_stop_with_a_signal_and_no_grace(hoist, started, probe):
    job = started("--", probe, "ignore", "15", ",", "out", "deaf", ",", "forever")
    with hoist.running("logs", "-f", job) as logs:
        waiting.read_until(logs.stdout, b"deaf")
        hoist("stop", "--signal", "INT", "--grace", "30s", job, check=0)
    assert hoist.json("status", job)["signal"] == 2
    other = started("--", probe, "tree", "2")
    hoist("stop", "--grace", "0s", other, check=0)
    assert hoist.json("status", other)["signal"] == 9


def test_stop_of_an_ended_job_shows_its_end(hoist, started, probe):
    job = ended(hoist, started, "--", probe, "exit", "4")
    assert hoist("stop", job, check=0).stdout == f"{job} FAILED: exited with 4\n"


def test_kill_sends_one_signal(hoist, started, probe):
    job = started("--", probe, "out", "up", ",", "await", "10")
    with hoist.running("logs", "-f", job) as logs:
        waiting.read_until(logs.stdout, b"up\n")
        assert hoist("kill", "--signal", "USR1", job, check=0).stdout == ""
        assert hoist("wait", job, check=0)
    assert hoist("logs", job, check=0).stdout == "up\ngot signal 10\n"
    assert "ended" in hoist("kill", job, check=1).stderr


def test_rm_removes_what_has_ended_and_ends_by_force(hoist, started, probe):
    running = started("--", probe, "forever")
    refusal = hoist("rm", running, check=1).stderr
    assert "--force" in refusal
    done = ended(hoist, started, "--", probe, "exit", "0")
    assert hoist("rm", done, check=0).stdout == ""
    hoist("rm", "--force", running, check=0)
    for job in (done, running):
        hoist("status", job, check=1)


def test_rm_of_several_goes_on_behind_a_failure(hoist, started, probe):
    job = ended(hoist, started, "--", probe, "exit", "0")
    hoist("rm", "00000000", job, check=1)
    hoist("status", job, check=1)


# --- output

def test_logs_in_parts(hoist, started, probe):
    job = ended(hoist, started, "--", probe, "out", "one", ",", "err", "two", ",", "exit", "0")
    both = hoist("logs", job, check=0)
    assert (both.stdout, both.stderr) == ("one\n", "two\n")
    assert hoist("logs", "--stdout", job, check=0).stderr == ""
    assert hoist("logs", "--stderr", job, check=0).stdout == ""
    rest = hoist("logs", "--offset", "4", job, check=0)
    assert rest.stdout + rest.stderr == (both.stdout + both.stderr)[4:]
    assert "byte 9" in hoist("logs", "--offset", "9", job, check=1).stderr


def test_logs_with_timestamps_stamp_each_line(hoist, started, probe):
    job = ended(hoist, started, "--", probe, "lines", "3")
    lines = hoist("logs", "-t", job, check=0).stdout.splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ", "", line) for line in lines] \
        == ["line 0", "line 1", "line 2"]


def test_logs_without_follow_ends_while_the_job_runs(hoist, started, probe):
    job = started("--", probe, "out", "there", ",", "forever")
    with hoist.running("logs", "-f", job) as logs:
        waiting.read_until(logs.stdout, b"there\n")
        assert hoist("logs", job, check=0).stdout == "there\n"
        assert logs.poll() is None


def test_logs_by_each_alias(hoist, started, probe):
    job = ended(hoist, started, "--", probe, "out", "same")
    assert {hoist(alias, job, check=0).stdout for alias in ("logs", "output", "watch", "stream")} == {"same\n"}


# --- formats

def both_formats(hoist, *arguments, code=0):
    """The same as JSON and as YAML; returns it."""
    texts = [hoist(*arguments, "-o", form, check=code).stdout for form in ("json", "yaml")]
    as_json, as_yaml = json.loads(texts[0]), yaml.safe_load(texts[1])
    assert flattened(as_json).keys() == flattened(as_yaml).keys()
    return as_json, as_yaml


def flattened(value, path=""):
    if isinstance(value, dict):
        return {name: leaf for key, each in value.items() for name, leaf in flattened(each, f"{path}.{key}").items()}
    if isinstance(value, list):
        return {name: leaf for key, each in enumerate(value) for name, leaf in flattened(each, f"{path}.{key}").items()}
    return {path: value}


def test_formats_of_an_ended_job_say_the_same(hoist, started, probe):
    job = ended(hoist, started, "--name", "formatted", "--label", "a=yes", "--label", "b=1", "--env", "NO=secret",
                "--", probe, "out", "x: [1", ",", "exit", "7")
    as_json, as_yaml = both_formats(hoist, "status", job)
    assert as_json == as_yaml
    assert as_json["exit_code"] == 7 and as_json["state"] == "FAILED" and as_json["cause"] == "EXITED"
    assert as_json["spec"]["labels"] == {"a": "yes", "b": "1"}
    assert "secret" not in json.dumps(as_json)
    assert both_formats(hoist, "wait", job, code=7)[0] == as_json
    assert both_formats(hoist, "stop", job)[0] == as_json
    listed = both_formats(hoist, "list", "--label", "a=yes", "--label", "b")[0]
    assert [each["name"] for each in listed["jobs"]] == [as_json["name"]]


def test_formats_of_the_agent(hoist):
    info, _ = both_formats(hoist, "info")
    assert info["classes"] and info["limits"] and info["version"]
    ping, _ = both_formats(hoist, "ping")
    assert ping["principal"] == "alice" and ping["role"] == "user"


def test_start_in_a_format_is_the_job(hoist, started, probe):
    job = json.loads(hoist("start", "-o", "json", "--", probe, "forever", check=0).stdout)
    assert job["state"] == "RUNNING"
    hoist("rm", "--force", job["name"], check=0)


def test_an_empty_list_is_a_document_too(hoist):
    as_json, as_yaml = both_formats(hoist, "list", "--label", "no-such-label-anywhere")
    assert as_json == as_yaml and not as_json.get("jobs")


# --- the list

def listed(hoist, *arguments):
    return {job["name"].partition("/")[2] for job in hoist.json("list", *arguments).get("jobs", [])}


def test_list_filters(hoist, hoist_as, started, probe):
    running = started("--label", "suite=filters", "--label", "kind=a", "--", probe, "forever")
    failed = ended(hoist, started, "--label", "suite=filters", "--label", "kind=b", "--", probe, "exit", "1")
    done = ended(hoist, started, "--label", "suite=filters", "--", probe, "exit", "0")
    mine = ("--label", "suite=filters")
    assert listed(hoist, *mine) == {running, failed, done}
    assert listed(hoist, *mine, "--label", "kind") == {running, failed}
    assert listed(hoist, *mine, "--label", "kind=b") == {failed}
    assert listed(hoist, *mine, "--state", "RUNNING") == {running}
    assert listed(hoist, *mine, "--state", "FAILED", "--state", "SUCCEEDED") == {failed, done}
    assert listed(hoist, *mine, "--limit", "1") == {done}
    assert listed(hoist_as("admin"), *mine, "--owner", "alice") == {running, failed, done}
    assert listed(hoist_as("admin"), *mine, "--owner", "bob") == set()
    assert listed(hoist_as("bob"), *mine) == set()


def test_list_is_a_table_newest_first(hoist, started, probe):
    jobs = [ended(hoist, started, "--name", f"row-{i}", "--label", "suite=table", "--", probe, "out", "a b")
            for i in range(3)]
    done = hoist("list", "--label", "suite=table", check=0)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["ID", "NAME", "STATE", "OWNER", "CREATED", "COMMAND"]
    assert [line.split()[:3] for line in lines[1:]] == [[jobs[i][:8], f"row-{i}", "SUCCEEDED"] for i in (2, 1, 0)]
    assert "there are more" in hoist("list", "--label", "suite=table", "-n", "2", check=0).stderr


# --- a stranger's bytes

SEQUENCES = b"\x1b]0;title\x07\x1b[2J\r\x08\x7f\xc2\x9b31m\xff\xe2\x80\xae end\ttab\n"


@pytest.fixture
def wild(hoist, started):
    octal = "".join(f"\\{byte:03o}" for byte in SEQUENCES)
    return ended(hoist, started, "-c", f"printf '{octal}'; printf '{octal}' >&2")


def assert_harmless(shown):
    text = shown.replace(b"\r\n", b"\n")  # the terminal's own
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text), text
    assert b"\xc2\x9b" not in text and b"\xff" not in text and b"\xe2\x80\xae" not in text


def test_control_sequences_are_harmless_on_a_terminal(hoist, wild):
    code, shown = terminal.run([HOIST, "logs", wild], hoist.environment)
    assert code == 0
    assert_harmless(shown)
    assert shown.count(b"end\ttab") == 2


def test_control_sequences_are_raw_when_asked_for_and_when_piped(hoist, wild):
    code, shown = terminal.run([HOIST, "logs", "--raw", "--stdout", wild], hoist.environment)
    assert code == 0 and shown.replace(b"\r\n", b"\n") == SEQUENCES
    piped = hoist("logs", wild, check=0, text=False)
    assert (piped.stdout, piped.stderr) == (SEQUENCES, SEQUENCES)


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
@pytest.mark.parametrize("command", ["status", "list"])
def test_control_sequences_in_arguments_are_harmless(hoist, started, command, form):
    job = ended(hoist, started, "--label", "suite=wild", "--", "true", SEQUENCES)
    words = [command, job] if command == "status" else [command, "--label", "suite=wild"]
    code, shown = terminal.run([HOIST, *words, "-o", form], hoist.environment)
    assert code == 0 and b"true" in shown
    assert_harmless(shown)
    hoist("rm", job, check=0)


def test_control_sequences_in_error_texts_are_harmless(hoist):
    code, shown = terminal.run([HOIST, "status", b"\x1b[2J\xc2\x9b1m"], hoist.environment)
    assert code == 1 and shown
    assert_harmless(shown)
    done = hoist("start", "--", b"/\x1b[2J", text=False)
    assert b"\x1b" not in done.stderr and done.stderr
    code, shown = terminal.run([HOIST, b"\x1b[2J"], hoist.environment)
    assert code == 2
    assert_harmless(shown)


# --- the ends of pipes

def test_writing_to_a_reader_that_left_is_an_error_not_a_hang(hoist, started, probe):
    job = started("--", probe, "flood", "x" * 1000)
    with hoist.running("logs", "-f", job) as logs:
        waiting.read_until(logs.stdout, b"x")
        logs.stdout.close()
        assert logs.wait(timeout=30) == 1


def test_a_document_is_whole_in_a_pipe_that_does_not_block(hoist, started):
    job = started("--", "true", "x" * 20000)
    reader, writer = os.pipe()
    full = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    with subprocess.Popen([HOIST, "status", "-o", "json", job], stdout=writer, stderr=subprocess.PIPE,
                          env=hoist.environment) as status, open(reader, "rb") as file:
        os.close(writer)
        held = array.array("i", [0])
        while held[0] < full and status.poll() is None:
            fcntl.ioctl(reader, termios.FIONREAD, held)
        assert json.load(file)["spec"]["args"] and status.wait(timeout=30) == 0, status.stderr.read()


@pytest.mark.parametrize("words", [["list"], ["list", "-o", "json"], ["help"], ["version"], ["top", "-n", "1"],
                                   ["start", "-q", "--", "true"], ["run", "--", "echo"]], ids=" ".join)
def test_a_full_disk_below_stdout_is_an_error(hoist, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run([HOIST, *words], stdout=full, stderr=subprocess.PIPE, env=hoist.environment, timeout=30,
                              text=True)
    assert done.returncode == (125 if words[0] == "run" else 1)
    assert "can't be written" in done.stderr and "No space left on device" in done.stderr
    if words[0] in ("start", "run"):
        job = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", done.stderr)
        hoist("wait", job[0], check=0)


def test_closed_stdout_is_an_error_and_no_place_for_sockets(hoist):
    """What is opened first would get the number of what is closed, and the job's output with it."""
    for words, code in (["run", "--", "echo", "lost"], 125), (["ping"], 1):
        done = subprocess.run(["/bin/sh", "-c", '"$0" "$@" >&-', HOIST, *words], env=hoist.environment, timeout=30,
                              stderr=subprocess.PIPE, text=True)
        assert done.returncode == code and "can't be written" in done.stderr


def test_closed_standard_descriptors_do_no_harm(hoist, tmp_path):
    """A file opened on one of 0, 1 or 2 would be written to by the next message."""
    script = f'exec 0<&- 1>&- 2>&-; "{HOIST}" ping; echo $? >"{tmp_path}/code"'
    subprocess.run(["/bin/sh", "-c", script], env=hoist.environment, timeout=30, check=False)
    assert (tmp_path / "code").read_text().strip() == "1"
    assert os.path.getsize(hoist.environment["HOIST_KEY"]) > 0
