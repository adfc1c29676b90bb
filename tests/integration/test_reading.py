# SPDX-License-Identifier: Apache-2.0
"""Where a read begins and ends: times, and the last lines or bytes; through the API and by hoist logs."""

import concurrent.futures
import datetime
import random
import time

import pytest

from harness.api import refused

STDOUT, STDERR = 1, 2  # hoist.v1.Stream


def chunks_of(client, job, **fields):
    return [r.chunk for r in client.jobs.StreamOutput(name=job.name, **fields) if r.WhichOneof("kind") == "chunk"]


def stamp(nanoseconds):
    return {"seconds": nanoseconds // 10**9, "nanos": nanoseconds % 10**9}


@pytest.fixture
def spaced(alice, probe):
    """A job whose output has many entries, and its chunks, none of which crosses an entry."""
    steps = [part for i in range(10) for part in (("out", "err")[i % 2], f"line {i}", ",", "await", "10", ",")]
    job = alice.start(probe, *steps, "exit", "0")
    for i in range(10):  # each line is seen before the next is written
        alice.await_output(job, f"line {i}\n".encode())
        alice.jobs.SignalJob(name=job.name, signal="USR1")
    alice.wait(job)
    yield job, chunks_of(alice, job, timestamps=True)
    alice.jobs.DeleteJob(name=job.name)


def joined(chunks, since=0, until=2**63):
    return b"".join(chunk.data for chunk in chunks if since <= chunk.time.ToNanoseconds() <= until)


# --- times


def test_since_and_until_cut_between_entries(alice, spaced):
    job, chunks = spaced
    times = [chunk.time.ToNanoseconds() for chunk in chunks]
    assert times == sorted(times) and len(set(times)) >= 10
    for at in times:
        assert alice.output(job, since=stamp(at)).data == joined(chunks, since=at)
        assert alice.output(job, since=stamp(at + 1000)).data == joined(chunks, since=at + 1)
        until = alice.output(job, until=stamp(at))
        assert until.data == joined(chunks, until=at) and until.summary.complete == (at == times[-1])
        assert until.summary.end_offset == len(until.data)
        assert alice.output(job, until=stamp(at - 1000)).data == joined(chunks, until=at - 1)
    both = alice.output(job, since=stamp(times[2]), until=stamp(times[6]))
    assert both.data == joined(chunks, times[2], times[6]) and not both.summary.complete
    first = times[0]
    assert alice.output(job, until=stamp(first), streams=[STDERR]).data == b""


def test_since_a_time_to_come_waits_for_it(alice, probe):
    job = alice.start(probe, "out", "early", ",", "await", "10", ",", "out", "later")
    alice.await_output(job, b"early")
    since = time.time_ns() + 200_000_000
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        later = pool.submit(alice.output, job, since=stamp(since))
        alice.wait_for(job, 0.3)
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        assert later.result().data == b"got signal 10\nlater\n"
    assert alice.output(job, since=stamp(since)).data == b"got signal 10\nlater\n"


def test_until_ends_a_follower_of_a_silent_job(alice, probe):
    job = alice.start(probe, "out", "x", ",", "forever")
    alice.await_output(job, b"x")
    output = alice.output(job, until=stamp(time.time_ns() + 100_000_000))
    assert output.data == b"x\n" and not output.summary.complete and output.summary.end_offset == 2
    alice.stop(job, grace=0)


def test_times_out_of_range_are_refused(alice, spaced):
    job, _ = spaced
    for field in ("since", "until"):
        for wrong in ({"seconds": -1}, {"seconds": 1, "nanos": -1}, {"seconds": 1, "nanos": 10**9}):
            with refused("INVALID_ARGUMENT", "INVALID_FIELD") as refusal:
                alice.output(job, **{field: wrong})
            assert refusal.metadata["field.0"] == field


# --- the last lines and bytes


def test_tail_counts_lines_and_bytes_of_the_wanted_streams(alice, probe):
    steps = [part for i in range(100) for part in ("out", f"out {i}", "err", f"err {i}")]
    job = alice.run(probe, *steps)
    whole = alice.output(job)
    for count in (0, 1, 2, 7, 99, 100, 101, 10**6, 2**64 - 1):
        for stream, data in ((STDOUT, whole.stdout), (STDERR, whole.stderr)):
            lines = data.splitlines(keepends=True)
            last = b"".join(lines[-count:] if count else [])
            assert alice.output(job, streams=[stream], tail_lines=count).data == last
            assert alice.output(job, streams=[stream], tail_bytes=count).data == (data[-count:] if count else b"")
        lines = whole.data.splitlines(keepends=True)
        last = alice.output(job, tail_lines=count)
        assert last.data == b"".join(lines[-count:] if count else []) and last.summary.complete
        assert alice.output(job, tail_bytes=count).data == (whole.data[-count:] if count else b"")


def test_tail_of_much_output(alice, probe):
    job = alice.run(probe, "lines", "400000")
    whole = alice.output(job).data.splitlines(keepends=True)
    for count in (1, 1000, 123457, 399999, 400001):
        assert alice.output(job, tail_lines=count).data == b"".join(whole[-count:])


def test_tail_and_follow_goes_on_from_there(alice, probe):
    job = alice.start(probe, "lines", "100", ",", "out", "ready", ",", "await", "10", ",", "out", "last")
    alice.await_output(job, b"ready")
    streams = [alice.jobs.StreamOutput(name=job.name, follow=True, tail_lines=count) for count in (0, 2)]
    # Who begins at the end hears at once where that is.
    beat = next(streams[0])
    assert beat.WhichOneof("kind") == "heartbeat"
    first = next(streams[1]).chunk
    assert first.data == b"line 99\nready\n" and first.offset + len(first.data) == beat.heartbeat.end_offset
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    for stream in streams:
        assert b"".join(r.chunk.data for r in stream) == b"got signal 10\nlast\n"


def test_any_start_is_as_reading_all_and_cutting(alice, probe):
    """Whatever the request, the bytes are those that cutting the whole by hand gives."""
    chosen = random.Random(3)
    steps = []
    for _ in range(60):
        steps += chosen.choice([["lines", str(chosen.randrange(1, 400))], ["err", "x" * chosen.randrange(1, 900)],
                                ["sleep", "11"], ["out", "y"]])
    job = alice.run(probe, *steps)
    everything = chunks_of(alice, job, timestamps=True)
    assert len(everything) > 1
    for _ in range(60):
        wanted = chosen.choice([[], [STDOUT], [STDERR]])
        left = [c for c in everything if not wanted or c.stream in wanted]
        data = b"".join(c.data for c in left)
        kind = chosen.choice(["offset", "since", "tail_lines", "tail_bytes"])
        if kind == "offset":
            value = chosen.randrange(everything[-1].offset)
            expected = b"".join(c.data[max(0, value - c.offset):] for c in left)
        elif kind == "since":
            time_of = chosen.choice(everything).time.ToNanoseconds()
            value = stamp(time_of)
            expected = b"".join(c.data for c in left if c.time.ToNanoseconds() >= time_of)
        elif kind == "tail_lines":
            value = chosen.randrange(3000)
            expected = b"".join(data.splitlines(keepends=True)[-value:] if value else [])
        else:
            value = chosen.randrange(len(data) + 10)
            expected = data[-value:] if value else b""
        got = alice.output(job, streams=wanted, **{kind: value})
        assert got.data == expected, (kind, value, wanted)


def test_a_rare_stream_is_found_behind_many_entries_of_the_other(alice, probe):
    """More than a reader passes in one go."""
    job = alice.run("sh", "-c", f"for i in $(seq 12000); do echo o; echo e >&2; done; {probe} err last")
    assert alice.output(job, streams=[STDERR], tail_lines=2).data == b"e\nlast\n"
    assert alice.output(job, streams=[STDOUT]).data == b"o\n" * 12000


# --- hoist logs


@pytest.fixture
def counted(alice, probe):
    job = alice.run(probe, "lines", "50", ",", "err", "oops", display_name="counted")
    yield job.name
    alice.jobs.DeleteJob(name=job.name)


def test_logs_begins_and_ends_where_it_is_told(hoist, counted):
    lines = [f"line {i}\n" for i in range(50)]

    def shown(*flags):
        return hoist("logs", *flags, counted, check=0).stdout

    assert shown("--tail", "4") == "".join(lines[-3:])  # the fourth is stderr's
    assert shown("-n4", "--stdout") == "".join(lines[-4:])
    assert shown("--tail-bytes", "0.02KiB", "--stdout") == "".join(lines)[-20:]
    assert shown("--tail", "0") == ""
    for everything in ("1h", "3600", "2020-02-02T02:02:02Z", "2020-02-02 02:02"):
        assert shown("--since", everything) == "".join(lines) and shown("--until", everything) == ""
    assert shown("--until", "0") == "".join(lines)
    assert shown("--since", "2200-01-01T00:00:00Z") == ""


@pytest.mark.parametrize("flags, told", [
    (["--tail", "-1"], "--tail"), (["--tail", "x"], "--tail"), (["--tail-bytes", "1XB"], "--tail-bytes"),
    (["--since", "yesterday"], "--since"), (["--until", "25:00"], "--until"), (["--reconnect", "soon"], "--reconnect"),
    (["--tail", "1", "--offset", "1"], "--tail"), (["--since", "1h", "--tail-bytes", "1"], "--since"),
    (["--offset", "1", "counted"], "one job"),
])
def test_logs_refuses_what_makes_no_sense(hoist, counted, flags, told):
    done = hoist("logs", *flags, counted, check=2)
    assert told in done.stderr and done.stdout == ""


def test_logs_of_several_jobs_come_one_after_the_other(hoist, alice, probe, counted):
    short = alice.run("printf", "no newline", display_name="s").name
    done = hoist("logs", "--tail", "3", "s", "counted", check=0)
    assert done.stdout == "s       | no newline\ncounted | line 48\ncounted | line 49\n"
    assert done.stderr == "counted | oops\n"
    assert hoist("logs", "--prefix", "s", check=0).stdout == "s | no newline\n"
    stamped = hoist("logs", "--prefix", "-t", "s", check=0).stdout
    assert stamped.startswith("s | 20") and stamped.endswith("Z no newline\n")
    alice.jobs.DeleteJob(name=short)
    done = hoist("logs", "counted", "gone", check=1)
    assert done.stdout.count("counted | line") == 50 and "gone" not in done.stdout and done.stderr


def test_verbose_tells_bytes_and_checksum(hoist, alice):
    job = alice.run("printf", "123456789").name
    assert hoist("logs", "-v", job, check=0).stderr == "hoist: 9 bytes received, CRC-32C e3069283\n"
    alice.jobs.DeleteJob(name=job)
