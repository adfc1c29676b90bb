# SPDX-License-Identifier: Apache-2.0
"""Followers of a silent job that come and go in every way leave no descriptor and no watch behind."""

import concurrent.futures
import time

import pytest

from harness import http2, traces
from harness.api import Client
from test_many_clients import stream_request

THREADS = 8
STREAMS = 5  # on each connection: what cancels more than a few is taken for an attack


def leave_by_hand(environment, jobs):
    """Follows all of them on one connection and breaks it off."""
    with http2.Connection(environment) as peer:
        streams = [peer.request(http2.message(stream_request(job).SerializeToString()), path=http2.STREAM_METHOD)
                   for job in jobs]
        while not all(stream in peer.answers and peer.answers[stream].data for stream in streams):
            assert peer.step()


def leave_in_order(client, jobs):
    """Follows all of them on one connection, cancels all but the last and closes it."""
    followed = [client.jobs.StreamOutput(name=job.name, follow=True) for job in jobs]
    for responses in followed:
        assert next(responses).chunk.data == b"up\n"
    for responses in followed[:-1]:
        responses.cancel()
    client.close()


def come_and_go(agent, followers, probe):
    pid, alice, environment = agent.hoistd_pid, agent.client("alice"), agent.environment("alice")
    jobs = [alice.start(probe, "out", "up", ",", "forever") for _ in range(STREAMS)]
    for job in jobs:
        alice.await_output(job, b"up\n")
    descriptors, watches = traces.descriptors(pid), traces.watches(pid)

    def follow_and_leave(i):
        if i % 2:
            leave_by_hand(environment, jobs)
        else:
            leave_in_order(Client(environment), jobs)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(follow_and_leave, range(followers // STREAMS)))
    traces.descriptors_return(alice, pid, descriptors)
    assert traces.watches(pid) <= watches
    for job in jobs:
        alice.stop(job, grace=0)
        alice.jobs.DeleteJob(name=job.name)


def test_hundreds_of_followers_of_silent_jobs_leave_nothing(make_agent, probe):
    come_and_go(make_agent(), 250, probe)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_thousand_followers_of_silent_jobs_leave_nothing(make_agent, probe, record_property):
    come_and_go(make_agent(), 10_000, probe)
    record_property("followers", "10,000")


@pytest.mark.soak
def test_a_peer_that_answers_nothing_is_let_go_within_a_minute(agent, alice, probe, record_property):
    """Its host acknowledges all that is sent, so that no time-out of TCP's helps: a PING has to be answered."""
    job = alice.start(probe, "out", "up", ",", "forever")
    with http2.Connection(agent.environment("alice")) as peer:
        peer.request(http2.message(stream_request(job).SerializeToString()), path=http2.STREAM_METHOD)
        peer.socket.settimeout(120)
        begin = time.monotonic()
        while peer.socket.recv(1 << 16):
            pass
        seconds = time.monotonic() - begin
    alice.stop(job, grace=0)
    alice.jobs.DeleteJob(name=job.name)
    record_property("seconds", f"{seconds:.0f}")
    assert 30 <= seconds <= 60
