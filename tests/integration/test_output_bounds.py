# SPDX-License-Identifier: Apache-2.0
"""What bounds output: the cap of a job with its two policies, the rate, what all jobs take, a disk that is full."""

import os
import random
import signal

import pytest

from harness import faults, traces, waiting
from harness.agent import Agent
from harness.api import ending, message, refused, word

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")

CAP = 2 << 20


@pytest.fixture(scope="module")
def own():
    """The agent of this file: a small cap, and disks of its own."""
    with Agent({"output.cap": "2MiB"}) as agent:
        yield agent


@pytest.fixture(scope="module")
def disk(own):
    """4 MiB for all jobs of this agent."""
    with faults.small_disk(own, "4m") as path:
        yield path


@pytest.fixture
def alice(own, disk):
    client = own.client("alice")
    yield client
    for job in client.jobs.ListJobs(page_size=500).jobs:
        client.jobs.DeleteJob(name=job.name, force=True)
    client.close()


def counting(start, end):
    """Bytes [start, end) of what `seq 1 inf` writes: a function of the offset, without a zero byte."""
    text, digits, at = b"", 1, 0
    while len(text) < end - start:
        first, width = 10 ** (digits - 1), digits + 1
        size = 9 * first * width
        if start + len(text) < at + size:
            number = first + (start + len(text) - at) // width
            skip = (start + len(text) - at) % width
            last = min(10 * first, number + (end - start - len(text)) // width + 2)
            text += b"".join(b"%d\n" % n for n in range(number, last))[skip:]
        at, digits = at + size, digits + 1
    return text[:end - start]


def test_counting():
    whole = counting(0, 60000)
    assert whole.startswith(b"1\n2\n3\n") and whole[-5000:] in b"".join(b"%d\n" % n for n in range(1, 20000))
    for start in (0, 1, 17, 18, 19, 188, 189, 2888, 38889, 59990):
        assert counting(start, 60000) == whole[start:]


def follow(responses, at, enough=lambda at: False):
    """Reads a follower from offset `at` until it ends or has come far enough: the bytes must be those of the offsets.
    Returns where it stands, the gaps that it was told of, and the bytes of the rest behind the last of them."""
    gaps, rest = [], b""
    for response in responses:
        kind = response.WhichOneof("kind")
        if kind == "chunk":
            chunk = response.chunk
            assert chunk.offset == at
            assert chunk.data == counting(at, at + len(chunk.data)), f"wrong bytes at {at}"
            at, rest = at + len(chunk.data), rest + chunk.data
        elif kind == "gap":
            assert response.gap.start == at and response.gap.end > at
            gaps.append((at, response.gap.end))
            at, rest = response.gap.end, b""
        if enough(at):
            responses.cancel()
            break
    return at, gaps, rest


def until_output(client, job, condition):
    """The job as soon as the condition holds of its output's totals."""
    while True:
        job = client.wait_for(job, 0.05)
        if condition(job.output):
            return job
        assert word("JobState", job.state) == "RUNNING"


def test_endless_output_on_a_small_disk_keeps_both_ends(alice, disk):
    """Readers come and go at random while the middle is dropped under them; none gets a byte that isn't the job's."""
    generator = random.Random(4)
    job = alice.start("seq", "1", "inf")
    at = 0
    while at < 20 * CAP:
        span = generator.randrange(2 * CAP)
        at, _, _ = follow(alice.jobs.StreamOutput(name=job.name, follow=True, offset=at), at,
                          lambda at, until=at + span: at >= until)
        assert os.statvfs(disk).f_bavail * 4096 > (4 << 20) - CAP - (256 << 10)
        if generator.randrange(3) == 0:
            at = generator.randrange(at)
    output = alice.stop(job, grace=0).output
    end, gaps, rest = follow(alice.jobs.StreamOutput(name=job.name), 0)
    assert gaps == [(output.gap_start, output.gap_end)] and end == output.end_offset
    assert CAP // 4 - (128 << 10) <= output.gap_start <= CAP // 4
    assert CAP - (640 << 10) <= output.gap_start + len(rest) <= CAP
    tail = alice.output(job, tail_lines=1000).data
    assert tail == rest[-len(tail):] and tail.count(b"\n") in (999, 1000)
    alice.jobs.DeleteJob(name=job.name)
    assert os.statvfs(disk).f_bavail * 4096 > (4 << 20) - (64 << 10)


def test_totals_and_streams_are_exact_with_a_gap(own, alice):
    job = alice.run("sh", "-c", "seq 1 300000; seq 1 300000 >&2; seq 1 300000")
    size = len(counting(0, 3000000)[:1988895])
    assert (job.output.stdout_bytes, job.output.stderr_bytes) == (2 * size, size)
    assert job.output.gap_end > job.output.gap_start
    output = alice.output(job)
    assert output.summary.complete and len(output.data) == 3 * size - (job.output.gap_end - job.output.gap_start)
    shown = own.cli("alice")("status", job.name).stdout
    assert f"bytes {job.output.gap_start} to {job.output.gap_end}, by the cap on its output" in shown
    directory = traces.directory_of(own, job)
    assert sum(os.stat(f"{directory}/{name}").st_blocks * 512 for name in ("output", "index")) <= CAP + (64 << 10)


def test_job_that_is_lost_tells_its_gap(alice):
    """hoist-init is killed while it drops: what readers are told and what status says is the same."""
    job = alice.start("seq", "1", "inf")
    until_output(alice, job, lambda output: output.gap_end > 4 * CAP)
    os.kill(job.pid, signal.SIGKILL)
    output = alice.wait(job).output
    end, gaps, rest = follow(alice.jobs.StreamOutput(name=job.name), 0)
    assert gaps == [(output.gap_start, output.gap_end)] and end == output.end_offset == output.stdout_bytes
    assert len(rest) == end - output.gap_end > CAP // 2


# --- caps of a job and of a class


@pytest.fixture(scope="module")
def chosen():
    """An agent whose classes say something of output."""
    with Agent({"output.cap": "8MiB", "output.keep_head": "2MiB",
                "classes.brief": "{output_cap: 1MiB, output_policy: stop_job}"}) as agent:
        yield agent


def policy(name):
    return message("OutputPolicy").Value(f"OUTPUT_POLICY_{name}")


def rules(job):
    return job.spec.output_cap.value, message("OutputPolicy").Name(job.spec.output_policy)[len("OUTPUT_POLICY_"):]


def test_job_with_a_cap_of_its_own(chosen):
    """Both policies, by specification, class and command line; what is in force is kept over a restart."""
    alice = chosen.client("alice")
    size = 3_000_000
    kept = alice.run("sh", "-c", f"seq 1 inf | head -c {size}", output_cap={"value": CAP})
    assert rules(kept) == (CAP, "KEEP_ENDS") and ending(kept)[:2] == ("SUCCEEDED", "EXITED")
    end, gaps, rest = follow(alice.jobs.StreamOutput(name=kept.name), 0)
    assert end == size and gaps == [(kept.output.gap_start, kept.output.gap_end)]
    assert CAP // 2 - (128 << 10) <= gaps[0][0] <= CAP // 2  # keep_head is more than the half of this one

    stopped = alice.run("sh", "-c", f"seq 1 inf | head -c {size}", output_cap={"value": CAP},
                        output_policy=policy("STOP_JOB"))
    assert rules(stopped) == (CAP, "STOP_JOB") and ending(stopped)[:2] == ("FAILED", "OUTPUT_LIMIT")
    data = alice.output(stopped).data
    assert CAP - (64 << 10) <= len(data) <= CAP and data == counting(0, len(data))

    brief = alice.run("sh", "-c", f"seq 1 inf | head -c {size}", job_class="brief")
    assert rules(brief) == (1 << 20, "STOP_JOB") and ending(brief)[:2] == ("FAILED", "OUTPUT_LIMIT")
    other = alice.run("sh", "-c", f"seq 1 inf | head -c {size}", job_class="brief", output_policy=policy("KEEP_ENDS"))
    assert rules(other) == (1 << 20, "KEEP_ENDS") and other.output.gap_end > 0
    plain = alice.run("sh", "-c", f"seq 1 inf | head -c {size}")
    assert rules(plain) == (8 << 20, "KEEP_ENDS") and plain.output.gap_end == 0

    hoist = chosen.cli("alice")
    running = hoist("start", "-q", "--output-cap", "3MiB", "--output-policy=stop_job", "--", "sleep", "600").stdout.strip()
    chosen.restart()
    again = chosen.client("alice")
    for job in (kept, stopped, brief, other, plain):
        assert rules(again.jobs.GetJob(name=job.name)) == rules(job)
    assert rules(again.jobs.GetJob(name=running)) == (3 << 20, "STOP_JOB")
    assert "output cap  3MiB, stop_job" in hoist("status", running).stdout
    assert "output 1MiB (stop_job)" in hoist("info").stdout
    again.stop(running, grace=0)


def test_retry_with_another_cap_is_another_request(chosen):
    alice = chosen.client("alice")
    spec = {"command": b"true", "output_cap": {"value": CAP}}
    job = alice.jobs.StartJob(spec=spec, request_id="capped")
    assert alice.jobs.StartJob(spec=spec, request_id="capped").name == job.name
    for other in ({"output_cap": {"value": CAP + 1}}, {"output_policy": policy("STOP_JOB")}):
        with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
            alice.jobs.StartJob(spec={**spec, **other}, request_id="capped")


@pytest.mark.parametrize("spec,ceiling,set_by", [
    ({"output_cap": {"value": (8 << 20) + 1}}, 8 << 20, "the agent (output.cap)"),
    ({"output_cap": {"value": 0}}, 8 << 20, "the agent (output.cap)"),
    ({"output_cap": {"value": CAP}, "job_class": "brief"}, 1 << 20, 'the class "brief"')])
def test_cap_above_a_ceiling_is_refused_by_its_name(chosen, spec, ceiling, set_by):
    with refused("INVALID_ARGUMENT", "OVER_CEILING") as refusal:
        chosen.client("alice").start("true", **spec)
    asked = str(spec["output_cap"]["value"] or "none")
    assert refusal.metadata == {"limit": "output_cap", "asked": asked, "ceiling": str(ceiling), "set_by": set_by}
    assert f"above the ceiling {ceiling} set by {set_by}; ask for at most that much" in refusal.message


def test_cap_that_is_none(chosen):
    alice, hoist = chosen.client("alice"), chosen.cli("alice")
    for fields, name in (({"output_cap": {"value": 4096}}, "spec.output_cap"), ({"output_policy": 9}, "spec.output_policy")):
        with refused("INVALID_ARGUMENT", "INVALID_FIELD") as refusal:
            alice.start("true", **fields)
        assert refusal.metadata["field.0"] == name
    assert "--output-cap" in hoist("start", "--output-cap", "much", "--", "true", check=2).stderr
    assert "keep_ends, stop_job" in hoist("start", "--output-policy", "drop", "--", "true", check=2).stderr


# --- a full disk


def test_full_disk_is_told_and_nothing_is_lost(own, alice, disk):
    ballast = faults.fill(disk, leave=700_000)
    job = alice.start("head", "-c", "1900000", "/dev/zero")
    until_output(alice, job, lambda output: output.waiting_for_disk)
    assert "waits       for room" in own.cli("alice")("status", job.name).stdout
    assert own.hoistd_pid and alice.agent.Ping().principal == "alice"
    os.unlink(ballast)
    done = alice.wait(job)
    assert ending(done)[:2] == ("SUCCEEDED", "EXITED") and not done.output.waiting_for_disk
    assert alice.output(job).data == bytes(1900000)
    alice.jobs.DeleteJob(name=job.name)


def test_job_that_waits_for_the_disk_gets_the_room_of_those_that_ended_first(own, alice):
    ended = [alice.run("head", "-c", "1500000", "/dev/zero") for _ in range(2)]
    job = alice.run("seq", "1", "270000")
    assert ending(job)[:2] == ("SUCCEEDED", "EXITED")
    assert alice.output(job).data == counting(0, job.output.end_offset)
    own.wait_log("were removed before their time")
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        alice.jobs.GetJob(name=ended[0].name)
    assert alice.output(ended[1]).data == bytes(1500000)


def test_total_lets_those_go_that_ended_first(make_agent):
    own = make_agent(output__total="3MB")
    alice = own.client("alice")
    jobs = [alice.run("head", "-c", "1000000", "/dev/zero") for _ in range(4)]
    waiting.path_gone(f"{own.dir}/state/jobs/{jobs[0].name.removeprefix('jobs/')}")
    waiting.path_gone(f"{own.dir}/state/jobs/{jobs[1].name.removeprefix('jobs/')}")
    assert {job.name for job in alice.jobs.ListJobs().jobs} == {job.name for job in jobs[2:]}


def test_file_system_that_keeps_every_block_is_refused(make_agent):
    own = make_agent()
    with faults.small_disk(own, "4m", kind="ramfs"), refused("INTERNAL", "OUTPUT_FAILED") as refusal:
        own.client("alice").start("true")
    assert "can't give back the middle of a file" in refusal.message and "stop_job" in refusal.message


# --- stop_job and the rate


@pytest.fixture
def strict(make_agent):
    return make_agent(output__cap="1MiB", output__policy="stop_job", output__rate="8MB").client("alice")


def test_job_is_stopped_at_its_cap_and_slowed_to_its_rate(strict):
    job = strict.start("sh", "-c", "trap 'echo last words; exit 3' TERM; yes & wait")
    ended = strict.wait(job)
    assert ending(ended) == ("FAILED", "OUTPUT_LIMIT", 3, 0)
    assert "beyond the cap" in ended.error and not ended.output.complete
    output = strict.output(job)
    assert output.data == b"y\n" * (len(output.data) // 2) and (1 << 20) - 8192 <= len(output.data) <= 1 << 20
    assert output.summary.end_offset == ended.output.end_offset and ended.output.gap_end == 0

    job = strict.start("sh", "-c", "trap '' TERM; while :; do echo x; done", grace={"seconds": 1})
    ended = strict.wait(job)
    assert ending(ended) == ("FAILED", "OUTPUT_LIMIT", None, 9)

    inside = strict.run("head", "-c", "900000", "/dev/zero")
    assert ending(inside)[:2] == ("SUCCEEDED", "EXITED") and inside.output.complete

    job = strict.start("sh", "-c", "head -c 1000000 /dev/zero; sleep 600")  # a bucket of 2 MB, and nothing more
    strict.await_output(job, bytes(1000000))
    assert word("JobState", strict.jobs.GetJob(name=job.name).state) == "RUNNING"
    strict.stop(job, grace=0)
