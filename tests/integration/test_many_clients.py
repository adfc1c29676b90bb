# SPDX-License-Identifier: Apache-2.0
"""Many clients at once: following, coming and going, starting and stopping, cancelling, never reading."""

import concurrent.futures
import hashlib
import random
import socket
import struct

import grpc
import pytest

from harness import PATIENCE, http2, process, waiting
from harness.api import Output, message
from harness.http2 import WINDOW_UPDATE, Connection, frame

pytestmark = pytest.mark.tsan

# What every test here lets time pass for is bounded by this; ThreadSanitizer makes all of it slow.
LONG = 4 * PATIENCE


@pytest.fixture(autouse=True)
def nothing_is_kept(agent, alice):
    """Hundreds of clients later hoistd holds no more descriptors than before, and not much more memory."""
    with process.bounded(agent.hoistd_pid, alice.agent.Ping, grows=32 << 20):
        yield


@pytest.fixture
def clients(agent):
    """clients("alice", 10): so many connections of one user, closed at the end."""
    made = []

    def make(name, count):
        fresh = [agent.client(name) for _ in range(count)]
        made.extend(fresh)
        return fresh

    yield make
    for client in made:
        client.close()


def together(function, items, threads=16):
    """Calls it for each item on many threads, and returns what it returned in the order of the items."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))


def stream_request(job, offset=0):
    return message("StreamOutputRequest")(name=job.name, follow=True, offset=offset)


def state_of(job):
    return message("JobState").Name(job.state)[len("JOB_STATE_"):]


def read_all(stream):
    """(sha256 of stdout, sha256 of stderr) of a stream that was read to its end and is whole."""
    output = Output(stream)
    assert output.summary.complete
    return hashlib.sha256(output.stdout).hexdigest(), hashlib.sha256(output.stderr).hexdigest()


# --- following

def test_fifty_clients_of_every_kind_get_identical_bytes(agent, clients, hoist, probe):
    """Clients that follow from the start, with a library and with the command line, some with the connection of
    another, and some who come late."""
    parts = [step for i in range(20) for step in ("bytes", "100000", "err", f"part {i}")]
    followers = clients("alice", 20)
    job = followers[0].start(probe, "out", "up", "await", "10", *parts)
    early = [client.jobs.StreamOutput(stream_request(job), timeout=LONG) for client in followers for _ in range(2)]
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        reading = [pool.submit(read_all, stream) for stream in early]
        typed = [pool.submit(hoist, "logs", "-f", job.name, check=0, text=False, timeout=LONG) for _ in range(6)]
        followers[0].release(job)
        late = [pool.submit(read_all, client.jobs.StreamOutput(stream_request(job), timeout=LONG))
                for client in followers[:10]]
        sums = {each.result() for each in reading + late}
        sums |= {(hashlib.sha256(each.result().stdout).hexdigest(), hashlib.sha256(each.result().stderr).hexdigest())
                 for each in typed}
    assert len(sums) == 1
    assert sums == {read_all(followers[1].jobs.StreamOutput(stream_request(job)))}


def test_followers_of_many_jobs_are_not_mixed_up(clients, probe):
    followers = clients("alice", 4)
    jobs = [followers[i % 4].start(probe, "out", f"this is {i}", "await", "10", "lines", "2000") for i in range(24)]
    streams = [(i, followers[k].jobs.StreamOutput(stream_request(jobs[i]), timeout=LONG))
               for i in range(24) for k in range(3)]
    together(followers[0].release, jobs)
    rest = b"got signal 10\n" + b"".join(b"line %d\n" % line for line in range(2000))
    for i, data in together(lambda each: (each[0], Output(each[1]).data), streams):
        assert data == b"this is %d\n" % i + rest


def test_readers_that_never_read_do_not_stop_those_that_do(agent, clients, probe):
    """A never-reading peer's socket fills, its windows are open: what it costs is bounded, and it costs nobody else."""
    environment = agent.environment("bob")
    bob, = clients("bob", 1)
    job = bob.start(probe, "bytes", "8000000", "await", "10", "bytes", "8000000")
    silent = []
    try:
        for _ in range(10):
            peer = Connection(environment, settled=[(http2.INITIAL_WINDOW_SIZE, http2.WINDOW_MAX)])
            peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", http2.WINDOW_MAX - 65535)))
            peer.request(http2.message(stream_request(job).SerializeToString()), path=http2.STREAM_METHOD)
            silent.append(peer)
        unread = [bob.jobs.StreamOutput(stream_request(job), timeout=LONG) for _ in range(10)]
        readers = clients("bob", 4)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            reading = [pool.submit(read_all, client.jobs.StreamOutput(stream_request(job), timeout=LONG))
                       for client in readers * 2]
            bob.release(job)
            assert len({each.result() for each in reading}) == 1
        assert state_of(bob.wait(job)) == "SUCCEEDED"
    finally:
        for peer in silent:
            peer.close()
    for stream in unread:
        stream.cancel()


# --- coming and going

def come_and_go(environment, kind, request):
    """One connection that ends in one of the ways that connections end in."""
    address = (environment["HOIST_HOST"], int(environment["HOIST_PORT"]))
    if kind == 0:
        socket.create_connection(address, timeout=PATIENCE).close()
        return
    if kind == 1:
        with socket.create_connection(address, timeout=PATIENCE) as tcp:
            tcp.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        return
    with Connection(environment, preface=kind != 2) as peer:
        if kind == 3:
            assert peer.is_served()
        elif kind == 4:
            peer.request(request, path=http2.STREAM_METHOD)
        elif kind == 5:
            stream = peer.request(request, path=http2.STREAM_METHOD)
            while not peer.answers.get(stream, http2.Answer()).data:
                assert peer.step()
        elif kind == 6:
            peer.send(frame(http2.HEADERS, 0, 1, http2.request_fields()))


def test_hundreds_of_connections_come_and_go(agent, alice, clients, probe):
    environment = agent.environment("bob")
    bob, = clients("bob", 1)
    job = bob.start(probe, "out", "first", "await", "10", "out", "last")
    request = http2.message(stream_request(job).SerializeToString())
    steady = bob.jobs.StreamOutput(stream_request(job), timeout=LONG)
    kinds = [i % 7 for i in range(350)]
    random.Random(7).shuffle(kinds)
    together(lambda kind: come_and_go(environment, kind, request), kinds, threads=12)
    assert alice.agent.Ping().principal == "alice"
    bob.release(job)
    assert Output(steady).data == b"first\ngot signal 10\nlast\n"


# --- starting and stopping

def live_and_die(client, probe, kind):
    """One job, ended in one of four ways; returns it as it ended."""
    job = client.start(probe, "out", "up", "forever")
    if kind == 0:
        return client.jobs.StopJob(name=job.name)
    if kind == 1:
        stream = client.jobs.StreamOutput(stream_request(job), timeout=LONG)
        assert next(stream).chunk.data == b"up\n"
        ended = client.jobs.StopJob(name=job.name, grace={"seconds": 0})
        assert [response.summary.complete for response in stream] == [True]
        return ended
    if kind == 2:
        client.jobs.SignalJob(name=job.name, signal="KILL")
        return client.wait(job, timeout=LONG)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waited = pool.submit(client.wait, job, timeout=LONG)
        stopped = client.jobs.StopJob(name=job.name)
        assert waited.result().end_time == stopped.end_time
    return stopped


def test_two_hundred_jobs_of_several_users_start_and_stop_together(clients, probe):
    users = {name: clients(name, 4) for name in ("alice", "bob", "admin")}
    plan = [(name, users[name][i % 4], i % 4) for i in range(67) for name in users][:200]
    ended = together(lambda each: (each[0], live_and_die(each[1], probe, each[2])), plan)
    for name, job in ended:
        assert job.created_by == name
        assert state_of(job) in ("STOPPED", "FAILED") and job.signal in (9, 15)
    assert len({job.name for _, job in ended}) == 200
    running = [message("JobState").Value(f"JOB_STATE_{state}") for state in ("STARTING", "RUNNING", "STOPPING")]
    assert not users["admin"][0].jobs.ListJobs(states=running).jobs
    for name in ("alice", "bob"):
        assert {job.created_by for job in users[name][0].jobs.ListJobs(page_size=500).jobs} == {name}
    together(lambda each: users["admin"][0].jobs.DeleteJob(name=each[1].name), ended)


# --- cancelling

def open_and_cancel(client, job, seed):
    """A stream that is given up after some messages, by its deadline or by cancelling it; returns how it ended.

    Never before the first message: python3-grpcio may then reset a stream whose HEADERS it has not sent, which ends the
    connection (RFC 9113, 6.4). Streams that are reset at once are reset_at_once()'s.
    """
    chance = random.Random(seed)
    stream = client.jobs.StreamOutput(stream_request(job, offset=chance.choice((0, 1000, 10**5))),
                                      timeout=chance.choice((1, LONG, LONG)))
    try:
        for _ in range(1 + chance.randrange(5)):
            next(stream)
        if stream.time_remaining() > 1:
            stream.cancel()
        for _ in stream:
            pass
    except grpc.RpcError as error:
        return error.code().name
    raise AssertionError("a stream went on that was cancelled")


def reset_at_once(environment, job, seed):
    """Streams that are reset between their frames, each at another point."""
    chance = random.Random(seed)
    request = http2.message(stream_request(job).SerializeToString())
    with Connection(environment) as peer:
        for _ in range(20):
            stream = peer.stream()
            frames = [frame(http2.HEADERS, http2.END_HEADERS, stream, http2.request_fields(http2.STREAM_METHOD)),
                      frame(http2.DATA, 0, stream, request[:3]),
                      frame(http2.DATA, http2.END_STREAM, stream, request[3:])]
            cancel = frame(http2.RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL))
            peer.send(*frames[:chance.randrange(1, 4)], cancel)
        return peer.is_served()


def test_storm_of_cancellations(agent, clients, alice, probe):
    storming, environment = clients("alice", 6), agent.environment("alice")
    job = alice.start(probe, "bytes", "3000000", "await", "10", "out", "last")
    steady = alice.jobs.StreamOutput(stream_request(job), timeout=LONG)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        resets = pool.submit(together, lambda seed: reset_at_once(environment, job, seed), range(40), 4)
        codes = together(lambda seed: open_and_cancel(storming[seed % 6], job, seed), range(400))
        assert all(resets.result())
    assert set(codes) == {"CANCELLED", "DEADLINE_EXCEEDED"}
    alice.release(job)
    assert Output(steady).data.endswith(b"got signal 10\nlast\n")


def test_waits_that_are_given_up_leave_the_job_alone(clients, alice, probe):
    waiting_clients = clients("alice", 4)
    job = alice.start(probe, "out", "up", "await", "10")

    def give_up(i):
        try:
            waiting_clients[i % 4].jobs.WaitJob(name=job.name, timeout=0.5)
        except grpc.RpcError as error:
            return error.code().name
        raise AssertionError("the job ended")

    assert set(together(give_up, range(100), threads=50)) == {"DEADLINE_EXCEEDED"}
    alice.release(job)
    assert state_of(alice.wait(job)) == "SUCCEEDED"


def test_deadlines_are_kept_by_the_server_for_many_at_once(agent, clients, probe):
    """Clients that never look at their own clock."""
    environment = agent.environment("bob")
    bob, = clients("bob", 1)
    job = bob.start(probe, "forever")
    request = http2.message(stream_request(job).SerializeToString())

    def expire(i):
        with Connection(environment) as peer:
            streams = [peer.request(request, path=http2.STREAM_METHOD, grpc_timeout=f"{10 + 13 * k}m")
                       for k in range(10)]
            return {peer.answer(stream).status for stream in streams}

    assert set.union(*together(expire, range(20), threads=8)) == {4}
    assert state_of(bob.jobs.StopJob(name=job.name)) == "STOPPED"


def test_a_client_that_dies_takes_its_streams_along(hoist, alice, agent, probe):
    job = alice.start(probe, "out", "up", "await", "10")
    for _ in range(10):
        with hoist.running("logs", "-f", job.name) as follower:
            waiting.read_until(follower.stdout, b"up\n")
            follower.kill()
    alice.release(job)
    assert state_of(alice.wait(job)) == "SUCCEEDED"
