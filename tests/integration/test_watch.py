# SPDX-License-Identifier: Apache-2.0
"""Jobs looked at again and again: WatchJob, hoist status --watch, hoist top."""

import re
import signal

import grpc
import pytest

from harness import PATIENCE, terminal
from harness.api import refused, seconds, word
from harness.cli import HOIST

CLEAR = b"\x1b[H\x1b[2J"


def states_of(messages):
    return [word("JobState", message.job.state) for message in messages]


def test_watch_tells_what_is_each_change_and_the_end(alice, probe):
    job = alice.start(probe, "ignore", "15", "out", "ready", "forever")
    alice.await_output(job, b"ready")
    watch = alice.jobs.WatchJob(name=job.name, interval=seconds(60))
    assert word("JobState", next(watch).job.state) == "RUNNING"
    alice.stop(job, grace=0.3)
    assert states_of(watch) == ["STOPPING", "STOPPED"]


def test_watch_of_a_job_that_has_ended_is_one_message(alice, probe):
    job = alice.run(probe, "exit", "3")
    message, = alice.jobs.WatchJob(name=job.name)
    assert message.job.exit_code == 3 and message.job.usage.cpu_usec == job.usage.cpu_usec


def test_watch_tells_usage_over_each_interval(alice, probe):
    job = alice.start(probe, "burn", "0", "x" * 70_000)
    watch, untold = alice.jobs.WatchJob(name=job.name, interval=seconds(1)), alice.jobs.WatchJob(name=job.name)
    first, second, third = (next(watch).job for _ in range(3))
    assert not first.usage.HasField("interval") and not first.spec.args and first.spec.command
    assert first.usage.cpu_usec < second.usage.cpu_usec < third.usage.cpu_usec
    assert 1 <= third.usage.interval.ToMilliseconds() / 1000 < 1 + PATIENCE
    assert 0 < third.usage.cpu_percent < 150
    begun, later = (next(untold).job.usage for _ in range(2))
    assert not begun.HasField("interval")
    assert 2 <= later.interval.ToMilliseconds() / 1000 < 2 + PATIENCE
    alice.stop(job, grace=0)
    assert word("JobState", list(watch)[-1].job.state) == "STOPPED"


def test_watch_ends_when_nobody_wants_it_any_more(agent, alice, probe):
    job = alice.start(probe, "forever")
    watch = alice.jobs.WatchJob(name=job.name)
    next(watch)
    watch.cancel()
    agent.wait_log(f"rpc=WatchJob job={job.name.removeprefix('jobs/')} outcome=CANCELLED")
    alice.stop(job, grace=0)


@pytest.mark.parametrize("interval", [0.5, 61])
def test_watch_interval_out_of_bounds(alice, interval):
    with refused("INVALID_ARGUMENT", "INVALID_FIELD") as refusal:
        list(alice.jobs.WatchJob(name="x", interval=seconds(interval)))
    assert refusal.metadata["field.0"] == "interval"


def test_watch_of_another_users_job(alice, bob, probe):
    job = alice.start(probe, "forever")
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        list(bob.jobs.WatchJob(name=job.name))
    alice.stop(job, grace=0)


def test_watch_ends_with_the_job_that_is_removed(alice, probe):
    job = alice.start(probe, "forever")
    watch = alice.jobs.WatchJob(name=job.name)
    next(watch)
    alice.jobs.DeleteJob(name=job.name, force=True)
    try:
        assert states_of(watch)[-1] == "STOPPED"
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND


def test_status_is_shown_until_the_end(alice, hoist, probe):
    job = alice.start(probe, "forever")
    with hoist.running("status", "--watch", "--interval", "1s", job.name) as process:
        assert process.stdout.readline().startswith(b"job ")
        alice.stop(job, grace=0)
        rest = process.communicate(timeout=PATIENCE)[0].decode()
    assert process.returncode == 0
    assert re.findall(r"^state +(\w+)$", rest, re.MULTILINE)[-1] == "STOPPED"
    assert "\x1b" not in rest


@pytest.fixture
def two(alice, probe):
    jobs = [alice.start(probe, "burn", "0", display_name="eager"), alice.start(probe, "forever", display_name="idle")]
    yield jobs
    for job in jobs:
        alice.stop(job, grace=0)
        alice.jobs.DeleteJob(name=job.name)


def test_top_is_one_table_where_there_is_no_terminal(hoist, two):
    done = hoist("top", "--interval", "1s", check=0)
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:5] == ["ID", "NAME", "STATE", "CPU", "MEMORY"] and "\x1b" not in done.stdout
    assert [row.split()[1] for row in rows[:1]] == ["eager"]
    assert re.search(r"RUNNING +[1-9]\d*% ", rows[0])
    assert {"eager", "idle"} <= {row.split()[1] for row in rows}


def test_top_is_sorted_as_told(hoist, two):
    rows = hoist("top", "-i", "1s", "--sort", "name", check=0).stdout.splitlines()[1:]
    names = [row[10:24].strip() for row in rows]
    assert names == sorted(names)


@pytest.mark.parametrize("rows, columns", [(24, 132), (3, 40)])
def test_top_is_a_page_on_a_terminal_and_leaves_it_as_it_was(hoist, two, rows, columns):
    argv = [HOIST, "top", "--interval", "1s", "--sort", "name"]
    with terminal.Session(argv, hoist.environment, rows, columns) as session:
        session.read_until(lambda shown: shown.count(CLEAR) >= 2)
        before, page = session.shown.split(CLEAR)[:2]
        session.type(b"\x03")
        assert session.wait() == 0
        assert session.attributes() == session.before
        assert b"\x1b" not in session.shown.replace(CLEAR, b""), "the cursor or the screen was changed for good"
    heading, *lines, end = page.decode().split("\r\n")
    names = [line[10:24].strip() for line in lines]
    assert before == b"" and end == "" and heading.startswith("ID ")
    assert 1 <= len(lines) <= rows - 2 and max(map(len, [heading, *lines])) <= columns
    assert names == sorted(names)
    assert rows == 3 or {"eager", "idle"} <= set(names)


@pytest.mark.parametrize("words", [("--sort", "size"), ("--interval", "1ms"), ("--count", "many"), ("extra",)])
def test_top_with_wrong_words(hoist, words):
    done = hoist("top", *words, check=2)
    assert len(done.stderr.splitlines()) == 1 and not done.stdout


def test_top_ends_at_an_interrupt(hoist, two):
    with hoist.running("top", "--count", "1000", "--interval", "1s") as process:
        assert process.stdout.readline().startswith(b"ID")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
