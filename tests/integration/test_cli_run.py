# SPDX-License-Identifier: Apache-2.0
"""hoist run: streams, exit codes, what it gives to the job, ^C, and what it does not read."""

import hashlib
import json
import os
import re
import signal
import subprocess

import pytest

from harness import PATIENCE, terminal, waiting
from harness.cli import HOIST

pytestmark = pytest.mark.tsan


@pytest.fixture
def run(hoist):
    """hoist run with these flags and words."""
    return lambda *arguments, **options: hoist("run", *arguments, **options)


def job_named(hoist, name):
    return hoist.json("status", "--no-sample", name)


# --- streams

def test_each_stream_goes_to_its_own(run):
    done = run("--", "sh", "-c", "echo out; echo err >&2; exit 7", check=7)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_bytes_come_as_they_were_written(run, probe):
    done = run("--", probe, "bytes", "3000000", check=0, text=False)
    pattern = bytes((at * 2654435761 % 2**64 >> 13) & 255 for at in range(3000000))
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(pattern).digest()
    assert done.stderr == b""


def test_output_comes_while_the_job_runs(hoist, probe):
    with hoist.running("run", "--name", "live", "--", probe, "out", "ready", ",", "await", "10") as process:
        assert waiting.read_until(process.stdout, b"\n") == b"ready\n"
        hoist("kill", "--signal", "USR1", "live", check=0)
        assert process.communicate(timeout=PATIENCE) == (b"got signal 10\n", b"")
        assert process.returncode == 0


def test_merged_keeps_the_order_in_one_stream(run):
    done = run("--merged", "--", "sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done", check=0)
    assert (done.stdout, done.stderr) == ("o1\ne1\no2\ne2\no3\ne3\n", "")


def test_a_silent_job_prints_nothing(run):
    done = run("--", "true", check=0)
    assert (done.stdout, done.stderr) == ("", "")


# --- exit codes

@pytest.mark.parametrize("words, code, told", [
    (["exit", "0"], 0, ""), (["exit", "1"], 1, ""), (["exit", "125"], 125, ""), (["exit", "255"], 255, ""),
    (["signal", "9"], 137, "killed by signal"), (["signal", "15"], 143, "killed by signal"),
    (["signal", "6"], 134, "killed by signal"),
])
def test_exit_code_is_the_jobs(run, probe, words, code, told):
    done = run("--", probe, *words, check=code)
    assert told in done.stderr and bool(done.stderr) == bool(told)


def test_exit_code_of_a_timeout(run, probe):
    assert "timeout" in run("--timeout", "50ms", "--", probe, "forever", check=124).stderr
    assert "timeout" in run("--timeout", "50ms", "--grace", "10ms", "--", probe, "tree", "2", check=124).stderr


@pytest.mark.parametrize("command, code", [
    ("no-such-command-anywhere", 127), ("/nowhere/at/all", 127), ("/etc/hostname", 126), ("/usr", 126),
    ("/etc/hostname/x", 125), ("", 125),
])
def test_exit_code_of_what_cannot_be_executed(run, command, code):
    done = run("--", command)
    assert done.returncode in ((code,) if code != 125 else (125, 126, 127))
    assert done.stdout == "" and done.stderr.startswith("hoist: ")


@pytest.mark.parametrize("flags", [["--class", "no-such-class"], ["--cwd", "relative"], ["--cwd", "/nowhere"],
                                   ["--name", "NOT A NAME"], ["--timeout", "soon"], ["--port", "1"],
                                   ["--label", "UPPER=x"], ["--env", "1=x"]])
def test_exit_code_of_hoists_own_errors(run, flags):
    done = run(*flags, "--", "true", check=125)
    assert done.stdout == "" and done.stderr.startswith("hoist: ")


def test_no_command_is_told_and_nothing_is_started(run):
    assert "--" in run(check=125).stderr


# --- what the job gets

def test_environment_by_flags_and_file(hoist, probe, tmp_path):
    file = tmp_path / "variables"
    file.write_text("# a comment\n\nFROM_FILE=one two\nBOTH=file\nEMPTY=\n")
    environment = {**hoist.environment, "MINE": "mine's", "UNASKED": "x"}
    done = hoist("run", "--env-file", str(file), "-e", "BOTH=flag", "--env", "MINE", "--env=A=b=c", "--name", "enved",
                 "--", probe, "env", env=environment, check=0)
    got = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert {key: got[key] for key in ("FROM_FILE", "BOTH", "EMPTY", "MINE", "A")} \
        == {"FROM_FILE": "one two", "BOTH": "flag", "EMPTY": "", "MINE": "mine's", "A": "b=c"}
    assert not [key for key in got if key == "UNASKED" or key.startswith("HOIST_KEY")]
    status = hoist("status", "enved", "-o", "json", check=0).stdout
    assert "one two" not in status and {"BOTH", "MINE"} <= {each["name"] for each in json.loads(status)["spec"]["env"]}
    hoist("rm", "enved", check=0)


def test_directory_class_and_labels(hoist, probe):
    classes = [each["name"] for each in hoist.json("info")["classes"]]
    done = hoist("run", "--cwd", "/usr/bin", "--class", classes[-1], "-l", "a=1", "--label", "b=x=y",
                 "--name", "dressed", "--", probe, "id", check=0)
    assert done.stdout.rstrip().endswith("cwd /usr/bin")
    spec = job_named(hoist, "dressed")["spec"]
    assert spec["job_class"] == classes[-1] and spec["labels"] == {"a": "1", "b": "x=y"}
    hoist("rm", "dressed", check=0)


def test_shell_text(run):
    assert run("-c", "echo $((6 * 7)); exit 3", check=3).stdout == "42\n"
    assert run("--shell=echo \"$HOME\"", check=0).stdout == "/job\n"


def test_flags_end_at_the_first_word(run):
    assert run("echo", "-o", "json", "--name", check=0).stdout == "-o json --name\n"
    assert run("--", "echo", "--", "--help", check=0).stdout == "-- --help\n"


def test_a_name_may_be_taken_once(hoist, run):
    run("--name", "only-once", "--", "true", check=0)
    done = run("--name", "only-once", "--", "true", check=125)
    assert "--name" in done.stderr and "hoist rm" in done.stderr
    hoist("rm", "only-once", check=0)
    run("--name", "only-once", "--", "true", check=0)
    hoist("rm", "only-once", check=0)


def test_detach_prints_the_id_and_leaves_the_job(hoist, run, probe):
    job = run("--detach", "--", probe, "forever", check=0).stdout.strip()
    assert job_named(hoist, job)["state"] == "RUNNING"
    hoist("rm", "--force", job, check=0)


# --- ^C

def test_first_interrupt_stops_with_grace(hoist, probe):
    command = [probe, "hold", "15", "out", "ready", ",", "await", "15", ",", "exit", "5"]
    with hoist.running("run", "--name", "first", "--", *command) as process:
        waiting.read_until(process.stdout, b"ready\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (5, b"got signal 15\n")
    assert b"once more" in err and b"stopped by alice" in err
    assert job_named(hoist, "first")["state"] == "STOPPED"
    hoist("rm", "first", check=0)


def test_second_interrupt_ends_at_once(hoist, probe):
    command = [probe, "ignore", "15", ",", "out", "ready", ",", "forever"]
    with hoist.running("run", "--grace", "1h", "--", *command) as process:
        waiting.read_until(process.stdout, b"ready\n")
        process.send_signal(signal.SIGINT)
        waiting.read_until(process.stderr, b"once more ends it at once")
        process.send_signal(signal.SIGINT)
        assert b"at once" in process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 137


def test_third_interrupt_leaves_the_job(make_agent, probe):
    agent = make_agent()
    hoist = agent.cli("alice")
    hoistd = agent.hoistd_pid
    with hoist.running("run", "--", probe, "out", "ready", ",", "forever") as process:
        waiting.read_until(process.stdout, b"ready\n")
        os.kill(hoistd, signal.SIGSTOP)  # so that neither stop can be answered before the third
        try:
            for words in (b"stopping", b"ending", b"left"):
                process.send_signal(signal.SIGINT)
                told = waiting.read_until(process.stderr, b"\n")
                assert words in told
            assert process.wait(timeout=PATIENCE) == 130
        finally:
            os.kill(hoistd, signal.SIGCONT)
    job = re.search(rb"goes on as ([0-9a-f-]{36})", told)[1].decode()
    hoist("rm", "--force", job, check=0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_requests_to_end_are_as_interrupts(hoist, probe, number):
    with hoist.running("run", "--", probe, "out", "ready", ",", "forever") as process:
        waiting.read_until(process.stdout, b"ready\n")
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 143


def test_a_terminal_is_told_the_id_and_the_end(hoist):
    code, shown = terminal.run([HOIST, "run", "--", "sh", "-c", r"exit 9 # \n"], hoist.environment)
    assert code == 9
    started = re.search(rb"hoist: job ([0-9a-f-]{36}) started (20[\d: +TZ.-]+): sh -c 'exit 9 # \\n'\r\n", shown)
    assert started and b"exited with 9" in shown
    code, again = terminal.run([HOIST, "logs", "-f", started[1]], hoist.environment)
    assert code == 0 and again == started[0] + b"hoist: job %s exited with 9\r\n" % started[1]
    for words in (["run", "-q", "--", "sh", "-c", "exit 9"], ["logs", "-fq", started[1]], ["logs", started[1]]):
        code, shown = terminal.run([HOIST, *words], hoist.environment)
        assert (code, shown) == (9 if words[0] == "run" else 0, b"")


# --- the ends of pipes

def test_standard_input_is_not_read(hoist):
    reading, writing = os.pipe()
    os.write(writing, b"for somebody else\n")
    os.close(writing)
    assert hoist("run", "--", "cat", stdin=reading, check=0).stdout == ""
    assert os.read(reading, 100) == b"for somebody else\n"
    os.close(reading)


def test_a_reader_that_left_ends_it_but_not_the_job(hoist, probe):
    with hoist.running("run", "--name", "unread", "--", probe, "flood", "x" * 1000) as process:
        waiting.read_until(process.stdout, b"x")
        process.stdout.close()
        assert process.wait(timeout=PATIENCE) == 125
        assert b"goes on as" in process.stderr.read()
    assert job_named(hoist, "unread")["state"] == "RUNNING"
    hoist("rm", "--force", "unread", check=0)


def test_head_behind_a_pipe(hoist, probe):
    script = f'"{HOIST}" run -q --timeout 1m --name headed -- "{probe}" flood yes | head -n 1'
    done = subprocess.run(["/bin/sh", "-c", script], env=hoist.environment, capture_output=True, text=True,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL)
    assert done.stdout == "yes\n"
    hoist("rm", "--force", "headed", check=0)
