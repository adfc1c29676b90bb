# SPDX-License-Identifier: Apache-2.0
"""Output from the first byte to any number of clients, while the job runs and afterwards."""

import concurrent.futures
import hashlib
import os

import pytest

from harness import PATIENCE, waiting
from harness.api import message, refused

pytestmark = pytest.mark.tsan
CLIENTS = int(os.environ.get("HOIST_TEST_CLIENTS") or 50)


def first_line(stream):
    """Reads a stream until a whole line has come; returns what came."""
    data = b""
    for response in stream:
        data += response.chunk.data
        if b"\n" in data:
            return data
    raise AssertionError(f"the stream ended after {data!r}")


def rest(stream, data):
    for response in stream:
        data += response.chunk.data
    return data


def test_followers_have_the_first_line_before_the_end(alice, admin, probe):
    job = alice.start(probe, "out", "first", "await", "10", "out", "last")
    streams = [client.jobs.StreamOutput(name=job.name, follow=True) for client in (alice, alice, admin)]
    seen = [first_line(stream) for stream in streams]
    assert message("JobState").Name(alice.jobs.GetJob(name=job.name).state) == "JOB_STATE_RUNNING"
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    assert [rest(stream, data) for stream, data in zip(streams, seen)] == [b"first\ngot signal 10\nlast\n"] * 3


def test_many_clients_get_identical_bytes(agent, probe):
    clients = [agent.client("alice") for _ in range(CLIENTS)]
    job = clients[0].start(probe, "out", "up", "await", "10", "bytes", "1000000", "err", "noise", "bytes", "1000000")
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        begun = [client.jobs.StreamOutput(name=job.name, follow=True, timeout=4 * PATIENCE) for client in clients]
        clients[0].release(job)
        sums = set(pool.map(lambda stream: hashlib.sha256(rest(stream, b"")).hexdigest(), begun))
    assert len(sums) == 1
    assert len(clients[0].output(job).data) == 2000000 + len("up\ngot signal 10\nnoise\n")
    for client in clients:
        client.close()


def test_late_reader_gets_everything(alice, probe):
    job = alice.run(probe, "lines", "1000")
    output = alice.output(job, follow=False)
    assert output.data == "".join(f"line {i}\n" for i in range(1000)).encode()
    assert output.summary.complete and output.summary.end_offset == len(output.data)


def test_reader_resumes_at_any_offset(alice, probe):
    job = alice.run(probe, "bytes", "200000")
    whole = alice.output(job).data
    for offset in (0, 1, 65535, 65536, 65537, 199999, 200000):
        assert alice.output(job, offset=offset).data == whole[offset:]
    with refused("OUT_OF_RANGE", "OFFSET_OUT_OF_RANGE"):
        alice.output(job, offset=200001)


def test_streams_can_be_asked_for_alone(alice, probe):
    job = alice.run(probe, "out", "a", "err", "b", "out", "c")
    stream = message("Stream")
    assert alice.output(job, streams=[stream.Value("STREAM_STDOUT")]).data == b"a\nc\n"
    assert alice.output(job, streams=[stream.Value("STREAM_STDERR")]).data == b"b\n"


def test_merged_output_is_in_exact_order(alice, probe):
    steps = [part for i in range(100) for part in ("out", f"o{i}", "err", f"e{i}")]
    job = alice.run(probe, *steps, merged=True)
    assert alice.output(job).data == "".join(f"o{i}\ne{i}\n" for i in range(100)).encode()


def test_output_may_be_any_bytes(alice):
    job = alice.run("printf", r"\377\000\033[31m\n")
    assert alice.output(job).data == b"\xff\0\033[31m\n"


def test_job_without_output_has_a_complete_empty_stream(alice, probe):
    output = alice.output(alice.start(probe, "exit", "0"))
    assert output.data == b"" and output.summary.complete


def test_job_that_closes_its_outputs_is_followed_to_its_end(alice, probe):
    job = alice.start(probe, "out", "x", "close", "await", "10")
    stream = alice.jobs.StreamOutput(name=job.name, follow=True)
    assert first_line(stream) == b"x\n"
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    assert rest(stream, b"") == b""


def test_reader_that_goes_away_disturbs_nobody(alice, bob, admin, probe):
    job = alice.start(probe, "out", "x", "await", "10", "out", "y")
    gone, stays = (client.jobs.StreamOutput(name=job.name, follow=True) for client in (admin, alice))
    assert first_line(gone) == first_line(stays) == b"x\n"
    gone.cancel()
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    assert rest(stays, b"") == b"got signal 10\ny\n"


def test_silent_reader_does_not_slow_the_job(alice, admin, probe):
    job = alice.start(probe, "bytes", "20000000")
    silent = admin.jobs.StreamOutput(name=job.name, follow=True)
    assert alice.wait(job, timeout=2 * PATIENCE).exit_code == 0
    assert len(rest(silent, b"")) == 20000000


def test_stream_without_follow_ends_at_what_is_there(alice, probe):
    job = alice.start(probe, "out", "x", "forever")
    assert first_line(alice.jobs.StreamOutput(name=job.name, follow=True)) == b"x\n"
    output = alice.output(job, follow=False)
    assert output.data == b"x\n" and not output.summary.complete
    alice.jobs.StopJob(name=job.name, grace={"seconds": 0})


def test_deadline_ends_a_stream(alice, probe):
    job = alice.start(probe, "forever")
    with refused("DEADLINE_EXCEEDED"):
        list(alice.jobs.StreamOutput(name=job.name, follow=True, timeout=1))
    alice.jobs.StopJob(name=job.name, grace={"seconds": 0})


def test_logs_follows_and_ends_with_the_job(hoist, alice, probe):
    job = alice.start(probe, "out", "x", "await", "10", "out", "y")
    with hoist.running("logs", "-f", job.name) as follower:
        assert waiting.read_until(follower.stdout, b"x\n") == b"x\n"
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        assert follower.stdout.read() == b"got signal 10\ny\n"
        assert follower.wait(PATIENCE) == 0
