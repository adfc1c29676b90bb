# SPDX-License-Identifier: Apache-2.0
"""Output: every byte, from any offset, to any number of readers, while the job runs and afterwards."""

import concurrent.futures
import hashlib
import os
import random
import signal

import pytest

from harness import traces, waiting
from harness.api import Output, ending, refused, word
from harness.checksum import crc32c
from harness.pattern import pattern

STDOUT, STDERR = 1, 2  # hoist.v1.Stream


def test_crc32c_is_the_right_one():
    assert crc32c(b"123456789") == 0xE3069283
    assert set(pattern(4096)) == set(range(256))


# --- bytes


@pytest.mark.parametrize("size", [0, 1, 4095, 65536, 65537, 1048576, 3000001])
def test_bytes_come_back_as_they_were_written(alice, probe, size):
    output = alice.output(alice.run(probe, "bytes", str(size)))
    assert output.data == pattern(size)
    assert output.summary.complete and output.summary.end_offset == output.summary.stdout_bytes == size


def test_summary_holds_totals_and_checksum(alice, probe):
    job = alice.run(probe, "bytes", "100000", ",", "err", "oops", ",", "out", "bye")
    summary = alice.output(job).summary
    assert (summary.end_offset, summary.stdout_bytes, summary.stderr_bytes) == (100009, 100004, 5)
    assert (summary.bytes, summary.crc32c) == (100009, crc32c(alice.output(job).data))
    assert (job.output.end_offset, job.output.stdout_bytes, job.output.stderr_bytes, job.output.complete) == \
        (100009, 100004, 5, True)


def test_output_of_very_short_jobs_is_never_lost(alice):
    jobs = [alice.start("printf", f"no newline {i}") for i in range(40)]
    for i, job in enumerate(jobs):
        assert alice.output(job).data == f"no newline {i}".encode()


def test_all_of_it_is_there_when_the_command_exits_right_after_writing(alice, probe):
    """More than a pipe holds, and still in it when the command ends."""
    assert alice.output(alice.run("sh", "-c", f"{probe} bytes 900000; exit 0")).data == pattern(900000)


def test_fifty_megabytes_through_the_command_line(hoist, probe, alice):
    size = 50_000_000
    with hoist.running("run", "--", probe, "bytes", str(size)) as process:
        digest, count = hashlib.sha256(), 0
        while chunk := process.stdout.read(1 << 20):
            digest.update(chunk)
            count += len(chunk)
        assert (process.wait(), count, process.stderr.read()) == (0, size, b"")
    assert digest.digest() == hashlib.sha256(pattern(size)).digest()


def test_chunks_are_small_and_timed(alice, probe):
    job = alice.run(probe, "bytes", "300000")
    chunks = [r.chunk for r in alice.jobs.StreamOutput(name=job.name) if r.WhichOneof("kind") == "chunk"]
    assert max(len(chunk.data) for chunk in chunks) <= 65536
    times = [chunk.time.ToNanoseconds() for chunk in chunks]
    assert times == sorted(times)
    assert job.start_time.ToNanoseconds() - 10**9 <= times[0] <= times[-1] <= job.end_time.ToNanoseconds() + 10**9


# --- streams


def test_stdout_and_stderr_stay_apart(alice):
    job = alice.run("sh", "-c", "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done")
    output = alice.output(job)
    assert output.stdout == b"".join(b"out %d\n" % i for i in range(1, 6))
    assert output.stderr == b"".join(b"err %d\n" % i for i in range(1, 6))
    assert len(output.data) == output.summary.end_offset == 60


def test_merged_output_is_in_exact_order(alice):
    job = alice.run("sh", "-c", "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done", merged=True)
    output = alice.output(job)
    assert output.data == b"".join(b"out %d\nerr %d\n" % (i, i) for i in range(1, 6))
    streams = {r.chunk.stream for r in alice.jobs.StreamOutput(name=job.name) if r.WhichOneof("kind") == "chunk"}
    assert {word("Stream", stream) for stream in streams} == {"MERGED"}
    assert (output.summary.stdout_bytes, output.summary.stderr_bytes) == (60, 0)


@pytest.mark.parametrize("stream", [STDOUT, STDERR])
def test_one_stream_alone(alice, probe, stream):
    job = alice.run(probe, "lines", "1000", ",", "err", "one", ",", "lines", "1000", ",", "err", "two")
    whole = alice.output(job)
    part = alice.output(job, streams=[stream])
    wanted = whole.stdout if stream == STDOUT else whole.stderr
    assert part.data == wanted and part.summary.crc32c == crc32c(wanted) and part.summary.bytes == len(wanted)
    assert part.summary.end_offset == whole.summary.end_offset and part.summary.complete
    assert part.summary.stdout_bytes == len(whole.stdout)


def test_a_job_that_closes_its_outputs_is_not_complete_before_it_ends(alice, probe):
    job = alice.start(probe, "out", "bye", ",", "close", ",", "await", "10")
    alice.await_output(job, b"bye")
    now = alice.output(job, follow=False)
    assert now.data == b"bye\n" and not now.summary.complete
    alice.jobs.SignalJob(name=job.name, signal="KILL")
    assert alice.output(job).summary.complete


# --- offsets


def test_any_offset_gives_the_rest(alice, probe):
    job = alice.run(probe, "bytes", "200000", ",", "err", "x" * 500, ",", "lines", "3000")
    whole = alice.output(job)
    size = len(whole.data)
    chosen = random.Random(7)
    offsets = [0, 1, 65535, 65536, 65537, size - 1, size] + [chosen.randrange(size) for _ in range(30)]
    for offset in offsets:
        rest = alice.output(job, offset=offset)
        assert rest.data == whole.data[offset:], offset
        assert rest.summary.end_offset == size and rest.summary.complete
        assert rest.summary.bytes == size - offset
    assert rest.summary.crc32c == crc32c(rest.data)


def test_a_reader_that_is_cut_and_resumed_at_random_has_the_same_bytes(alice, probe):
    job = alice.start(probe, *" , ".join(["bytes 30000", "err between", "sleep 5"] * 15).split())
    chosen, data, at, complete = random.Random(11), b"", 0, False
    while not complete:
        responses = alice.jobs.StreamOutput(name=job.name, offset=at, follow=True)
        left = chosen.randrange(1, 6)
        for response in responses:
            kind = response.WhichOneof("kind")
            if kind == "chunk":
                assert response.chunk.offset == at
                data += response.chunk.data
                at += len(response.chunk.data)
            complete = kind == "summary" and response.summary.complete
            left -= 1
            if left == 0:
                responses.cancel()
                break
    assert data == alice.output(job).data and len(data) == 15 * (30000 + 8)


def test_offset_in_the_middle_counts_all_streams(alice):
    job = alice.run("sh", "-c", "printf aaaa; printf BBBB >&2; printf cccc", merged=False)
    whole = alice.output(job)
    for offset in range(13):
        rest = alice.output(job, offset=offset, streams=[STDERR])
        assert rest.data == bytes(b for b in whole.data[offset:] if b in b"B")


def test_offset_behind_the_end_of_a_finished_job(alice):
    job = alice.run("echo", "hello")
    assert alice.output(job, offset=6).data == b""
    for offset in (7, 1 << 40, (1 << 63) - 1, (1 << 64) - 1):
        with refused("OUT_OF_RANGE", "OFFSET_OUT_OF_RANGE"):
            alice.output(job, offset=offset)


def test_offset_that_a_running_job_has_yet_to_reach(alice, probe):
    job = alice.start(probe, "out", "ready", ",", "await", "10", ",", "out", "0123456789")
    alice.await_output(job, b"ready")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        later = pool.submit(alice.output, job, offset=24)
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        assert later.result().data == b"456789\n" and later.result().summary.complete


# --- following


@pytest.mark.tsan
def test_the_first_line_comes_before_the_job_has_ended(alice, probe):
    job = alice.start(probe, "out", "first", ",", "await", "10", ",", "out", "last")
    responses = alice.jobs.StreamOutput(name=job.name, follow=True)
    data = b""
    while data != b"first\n":
        data += next(responses).chunk.data
    assert word("JobState", alice.jobs.GetJob(name=job.name).state) == "RUNNING"
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    rest = list(responses)
    assert b"".join(r.chunk.data for r in rest) == b"got signal 10\nlast\n"
    assert rest[-1].summary.complete and rest[-1].summary.bytes == 25


@pytest.mark.tsan
def test_the_command_line_shows_the_first_line_before_the_end(hoist, alice, probe):
    with hoist.running("run", "--name", "live-line-test", "--", probe, "out", "first", ",", "await", "10") as process:
        assert waiting.read_until(process.stdout, b"first\n") == b"first\n"
        assert process.poll() is None
        alice.jobs.SignalJob(name="live-line-test", signal="USR1")
        assert process.wait() == 0 and process.stdout.read() == b"got signal 10\n"
    alice.jobs.DeleteJob(name="live-line-test")


@pytest.mark.tsan
def test_fifty_clients_get_identical_bytes(agent, alice, probe):
    """Each on a connection of its own, all of them following from the start while the job writes."""
    steps = ["out ready", "await 10"] + ["bytes 20000", "err between", "lines 100", "sleep 10"] * 8
    job = alice.start(probe, *" , ".join(steps).split())
    clients = [agent.client("alice") for _ in range(50)]

    def follow(client):
        responses = client.jobs.StreamOutput(name=job.name, follow=True, timeout=120)
        first = next(responses)
        started.append(client)
        if len(started) == len(clients):
            alice.jobs.SignalJob(name=job.name, signal="USR1")
        return Output([first, *responses])

    started = []
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        outputs = list(pool.map(follow, clients))
    for client in clients:
        client.close()
    wanted = alice.output(job)
    assert len(wanted.data) > 160000 and wanted.summary.crc32c == crc32c(wanted.data)
    for output in outputs:
        assert output.data == wanted.data and output.stderr == wanted.stderr
        assert output.summary.complete and output.summary.crc32c == wanted.summary.crc32c


@pytest.mark.tsan
def test_many_followers_on_one_connection(alice, probe):
    job = alice.start(probe, "out", "ready", ",", "await", "10", ",", "bytes", "500000")
    alice.await_output(job, b"ready")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        followers = [pool.submit(alice.output, job) for _ in range(20)]
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        assert {hashlib.sha256(follower.result().data).digest() for follower in followers} == \
            {hashlib.sha256(b"ready\ngot signal 10\n" + pattern(500000)).digest()}


def test_follow_of_a_finished_job_ends_at_once(alice):
    job = alice.run("echo", "done")
    first, second = alice.output(job, follow=True), alice.output(job, follow=False)
    assert first.data == second.data == b"done\n"
    assert first.summary == second.summary and first.summary.complete


def test_without_follow_a_running_job_gives_what_there_is(alice, probe):
    job = alice.start(probe, "out", "one", ",", "await", "10", ",", "out", "two")
    alice.await_output(job, b"one\n")
    now = alice.output(job, follow=False)
    assert now.data == b"one\n" and not now.summary.complete and now.summary.end_offset == 4
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    rest = alice.output(job, offset=now.summary.end_offset)
    assert rest.data == b"got signal 10\ntwo\n" and rest.summary.complete


def test_output_ends_with_a_stop(alice, probe):
    job = alice.start(probe, "flood", "y")
    alice.await_output(job, b"y")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        follower = pool.submit(alice.output, job)
        ended = alice.stop(job, grace=0)
        output = follower.result()
    assert output.summary.complete and output.summary.end_offset == ended.output.end_offset == len(output.data)
    assert output.data.replace(b"y\n", b"") in (b"", b"y")


# --- readers that don't behave


@pytest.mark.tsan
def test_clients_that_go_away_mid_stream_cost_nothing(agent, alice, hoist, probe):
    job = alice.start(probe, "flood", "some line of output")
    alice.await_output(job, b"line")
    before = traces.descriptors(agent.hoistd_pid)
    for _ in range(5):
        with hoist.running("logs", "-f", job.name) as process:
            assert process.stdout.read(1 << 16)
            process.send_signal(signal.SIGKILL)
        client = agent.client("alice")
        responses = client.jobs.StreamOutput(name=job.name, follow=True)
        assert next(responses).chunk.data
        client.close()
    traces.descriptors_return(alice, agent.hoistd_pid, before)
    assert word("JobState", alice.jobs.GetJob(name=job.name).state) == "RUNNING"
    alice.stop(job, grace=0)
    alice.jobs.DeleteJob(name=job.name)


@pytest.mark.tsan
def test_a_reader_that_does_not_read_slows_nobody(agent, alice, probe):
    size = 20_000_000
    job = alice.start(probe, "out", "ready", ",", "await", "10", ",", "bytes", str(size))
    idle = agent.client("alice")
    responses = idle.jobs.StreamOutput(name=job.name, follow=True, timeout=300)
    assert next(responses).chunk.data == b"ready\n"
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    assert ending(alice.wait(job)) == ("SUCCEEDED", "EXITED", 0, 0)
    wanted = b"ready\ngot signal 10\n" + pattern(size)
    assert alice.output(job).data == wanted
    rest = b"".join(response.chunk.data for response in responses)
    idle.close()
    assert b"ready\n" + rest == wanted


def test_the_command_line_notices_a_closed_stdout(hoist, alice, probe):
    job = alice.start(probe, "flood", "x")
    with hoist.running("logs", "-f", job.name) as process:
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(timeout=60) != 0
    assert ending(alice.stop(job, grace=0))[0] == "STOPPED"


def test_damaged_output_is_told_and_not_sent(agent, alice, probe):
    job = alice.run(probe, "bytes", "200000")
    with open(f"{traces.directory_of(agent, job)}/output", "r+b") as file:
        file.seek(150000)
        file.write(b"damage")
    with refused("DATA_LOSS", "OUTPUT_DAMAGED") as refusal:
        alice.output(job)
    assert "131072" in refusal.message
    alice.jobs.DeleteJob(name=job.name)


def test_output_files_are_the_agents_alone(agent, alice):
    job = alice.run("echo", "secret")
    directory = traces.directory_of(agent, job)
    owner = os.stat(f"{agent.dir}/state").st_uid
    for name in ("spec", "output", "index", "state"):
        status = os.stat(f"{directory}/{name}")
        assert (status.st_uid, status.st_mode & 0o777) == (owner, 0o600), name
    assert os.stat(directory).st_mode & 0o777 == 0o700


# --- the index

HEAD, ENTRY, TICK = 64, 32, 0.010  # output/format.h
ECHO = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done"
TURNS = "i=0; while [ $i -lt 3000 ]; do echo $i; echo $i >&2; i=$((i+1)); done"


@pytest.mark.parametrize("burst, command", [
    (0, ["dd", "if=/dev/zero", "bs=64k", "count=300", "status=none"]), (0, ["sh", "-c", "yes | head -c 20000000"]),
    (0, ["sh", "-c", ECHO]), (64, ["sh", "-c", TURNS]),
], ids=["blocks", "yes", "echoes", "echoes to both"])
def test_the_index_stays_small_whoever_writes(agent, alice, burst, command):
    """An entry for each 10 ms, or less than a hundredth of the bytes; some more where a quiet job changes streams."""
    job = alice.run(*command)
    size = os.path.getsize(f"{traces.directory_of(agent, job)}/index") - HEAD - ENTRY  # the last one is the end's
    ticks = (job.run_time.seconds + job.run_time.nanos / 1e9) / TICK + 4  # with what is read behind the command's end
    by_time, by_size = (ticks + burst) * ENTRY, job.output.end_offset / 100
    assert job.output.complete and 0 < size <= (by_time + by_size if burst else max(by_time, by_size))
