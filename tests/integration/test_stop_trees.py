# SPDX-License-Identifier: Apache-2.0
"""Stopping trees that don't want to end: within grace + 2 s, nothing is left, and others are answered meanwhile."""

import os
import subprocess
import threading
import time

import pytest

from harness import PATIENCE
from harness.api import ending

GRACE = 1

# Each says "x" when it is as it wants to be.
TREES = {
    "ignores the signal": "trap '' TERM; (trap '' TERM; sleep 1000 & wait) & echo x; while :; do wait; done",
    "has left its session": "setsid sh -c 'setsid sleep 1000 & sleep 1000' & echo x; exec sleep 1000",
    "is stopped": "sleep 1000 & (sleep 1000 & wait) & echo x; kill -STOP 0; wait",
    "is stopped and ignores the signal": "trap '' TERM; sleep 1000 & echo x; kill -STOP 0; while :; do wait; done",
}


def orphans(number):
    return f"i=0; while [ $i -lt {number} ]; do (sleep 1000 &); i=$((i+1)); done; echo x; exec sleep 1000"


def living(uid):
    listed = subprocess.run(["ps", "-eo", "uid=,stat="], capture_output=True, text=True, timeout=PATIENCE).stdout
    return [line for line in listed.splitlines() if int(line.split()[0]) == uid and "Z" not in line.split()[1]]


class Asking(threading.Thread):
    """Asks for another job again and again; `slowest` is how long an answer took."""

    def __init__(self, client, job):
        super().__init__()
        self.client, self.job, self.slowest, self.answers, self.over = client, job, 0, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            begin = time.monotonic()
            self.client.jobs.GetJob(name=self.job.name)
            self.slowest = max(self.slowest, time.monotonic() - begin)
            self.answers += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(PATIENCE)


def stop_and_judge(client, job, other):
    with Asking(client, other) as asking:
        begin = time.monotonic()
        stopped = client.stop(job, grace=GRACE)
        took = time.monotonic() - begin
    assert ending(stopped)[:2] == ("STOPPED", "STOPPED_BY_USER")
    assert took < GRACE + 2 * PATIENCE / 30
    assert os.geteuid() != 0 or living(job.job_uid) == []
    assert asking.answers > 0 and asking.slowest < PATIENCE / 30


@pytest.fixture
def other(alice, probe):
    job = alice.start(probe, "forever")
    yield job
    alice.stop(job, grace=0)


@pytest.mark.parametrize("kind", TREES)
def test_stop_ends_a_tree_that(alice, other, kind):
    job = alice.start("/bin/sh", "-c", TREES[kind])
    alice.await_output(job, b"x")
    stop_and_judge(alice, job, other)


def test_stop_ends_orphans(alice, other):
    job = alice.start("/bin/sh", "-c", orphans(300))
    alice.await_output(job, b"x")
    stop_and_judge(alice, job, other)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_stop_ends_5000_orphans(make_agent, probe):
    alice = make_agent(classes="{big: {pids_max: 8192}}").client("alice")
    job = alice.start("/bin/sh", "-c", orphans(5000), job_class="big")
    alice.await_output(job, b"x")
    stop_and_judge(alice, job, alice.start(probe, "forever"))
