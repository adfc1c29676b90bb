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
    """A job that has written ten lines, 30 ms from each other, and the times of its lines."""
    steps = [part for i in range(10) for part in ("out", f"line {i}", "sleep", "30")]
    job = alice.run(probe, *steps)
    chunks = chunks_of(alice, job, timestamps=True)
    assert [chunk.data for chunk in chunks] == [f"line {i}\n".encode() for i in range(10)]
    yield job, [chunk.time.ToNanoseconds() for chunk in chunks]
    alice.jobs.DeleteJob(name=job.name)


# --- times


def test_since_and_until_cut_between_entries(alice, spaced):
    job, times = spaced
    whole = [f"line {i}\n".encode() for i in range(10)]
    for i in (0, 3, 9):
        assert alice.output(job, since=stamp(times[i])).data == b"".join(whole[i:])
        assert alice.output(job, since=stamp(times[i] + 1000)).data == b"".join(whole[i + 1:])
        until = alice.output(job, until=stamp(times[i]))
        assert until.data == b"".join(whole[:i + 1]) and until.summary.complete == (i == 9)
        assert until.summary.end_offset == 7 * (i + 1)
        assert alice.output(job, until=stamp(times[i] - 1000)).data == b"".join(whole[:i])
    both = alice.output(job, since=stamp(times[2]), until=stamp(times[4]))
    assert both.data == b"".join(whole[2:5]) and not both.summary.complete
    assert alice.output(job, until=stamp(times[4]), streams=[STDERR]).data == b""


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
    assert len(everything) > 10
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
