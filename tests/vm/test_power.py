# SPDX-License-Identifier: Apache-2.0
"""Power cuts in a loop of acknowledged starts, with a disk that keeps only what was flushed to it."""

import base64
import contextlib
import os
import random
import sqlite3
import threading

import grpc
import pytest

import guest_agent
from harness import PATIENCE
from harness.api import ending, word
from volatile_disk import VolatileDiskMachine

CUTS, SOAK_CUTS = 2, 20
CLIENTS = 3
LINES = 300


def lines(count):
    return b"".join(b"line %d\n" % i for i in range(count))


class Started:
    """A start that was acknowledged; `told` is its end, if that was told, too."""

    def __init__(self, job, code, count):
        self.job, self.code, self.count, self.told = job, code, count, None

    def own_end(self):
        return ("SUCCEEDED" if self.code == 0 else "FAILED", "EXITED", self.code, 0)

    def judge(self, client):
        job = client.jobs.GetJob(name=self.job.name)
        found, output = ending(job), client.output(self.job).data
        assert job.create_time == self.job.create_time
        if found == ("LOST", "LOST", None, 0):
            assert self.told is None, f"{job.name} ended as {self.told}, and is lost now"
            assert word("Reason", job.reason) == "HOST_REBOOTED"
            assert lines(self.count).startswith(output), f"{job.name}: {output[-100:]!r}"
        else:
            assert found == self.own_end() and output == lines(self.count), f"{job.name}: {found}, {len(output)} bytes"
        return found


class Load:
    """Clients that start jobs, and wait for the end of some, until the power is cut."""

    def __init__(self, agent, probe, rng, wanted):
        """`wanted`: so many are acknowledged before `enough` is set."""
        self.agent, self.probe, self.wanted = agent, probe, wanted
        self.started, self.failures, self.lock = [], [], threading.Lock()
        self.enough, self.over = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(random.Random(rng.random()),)) for _ in range(CLIENTS)]

    def run(self, rng):
        client = self.agent.client("alice")
        try:
            while not self.over.is_set():
                self.start_one(client, rng)
        except grpc.RpcError as error:
            if not self.over.is_set():
                self.failures.append(error)
                self.enough.set()
        finally:
            client.close()

    def start_one(self, client, rng):
        code, count, ends = rng.randrange(100), rng.choice([1, LINES]), rng.random() < 0.7
        job = client.start(self.probe, "lines", str(count), *([] if ends else ["await", "10"]), "exit", str(code))
        started = Started(job, code, count)
        with self.lock:
            self.started.append(started)
            if len(self.started) >= self.wanted:
                self.enough.set()
        if ends and rng.random() < 0.5:
            started.told = ending(client.wait(job))

    def cut_into(self, machine, pause):
        """Returns what was acknowledged before the power went, `pause` seconds after there was enough."""
        for thread in self.threads:
            thread.start()
        assert self.enough.wait(PATIENCE)
        threading.Event().wait(pause)
        self.over.set()
        machine.cut_power()
        for thread in self.threads:
            thread.join()
        assert not self.failures, self.failures
        return self.started


def integrity(machine, directory):
    """What SQLite says of the records as the cut has left them, before the agent sees them."""
    for name in ("jobs.db", "jobs.db-wal"):
        path = f"{guest_agent.STATE}/{name}"
        with open(f"{directory}/{name}", "wb") as file:
            file.write(base64.b64decode(machine.sh(f"[ ! -e {path} ] || base64 {path}")))
    with contextlib.closing(sqlite3.connect(f"{directory}/jobs.db")) as database:
        return database.execute("PRAGMA integrity_check").fetchall()


def cut_power_again_and_again(cuts, pki, tmp_path, probe, record_property):
    seed = os.environ.get("HOIST_POWER_SEED") or f"{random.SystemRandom().getrandbits(32):08x}"
    print(f"power cuts: HOIST_POWER_SEED={seed}")
    rng = random.Random(seed)
    (tmp_path / "machine").mkdir()
    machine = VolatileDiskMachine(str(tmp_path / "machine"), guest_agent.files(pki), rng)
    started, found = [], {}
    try:
        machine.boot()
        agent = guest_agent.GuestAgent(machine, pki)
        for _ in range(cuts):
            started += Load(agent, probe, rng, rng.randrange(3, 12)).cut_into(machine, rng.uniform(0, 0.5))
            machine.boot()
            assert integrity(machine, tmp_path) == [("ok",)]
            agent.start()
            client = agent.client("alice")
            for each in started:
                state = each.judge(client)[0]
                found[state] = found.get(state, 0) + 1
            assert ending(client.run(probe, "exit", "3")) == ("FAILED", "EXITED", 3, 0)
            assert machine.try_sh(f"ls {guest_agent.STATE} | grep damaged")[0] == 1
            client.close()
    finally:
        machine.cut_power()
    record_property("seed", seed)
    record_property("acknowledged", len(started))
    record_property("ends told", sum(each.told is not None for each in started))
    record_property("writes lost", machine.lost)
    print(f"power cuts: {len(started)} acknowledged, {found}, writes {machine.kept} kept, {machine.lost} lost")


def test_power_cuts_lose_nothing_acknowledged(messages, pki, tmp_path, probe, record_property):
    cut_power_again_and_again(CUTS, pki, tmp_path, probe, record_property)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twenty_power_cuts_lose_nothing_acknowledged(messages, pki, tmp_path, probe, record_property):
    cut_power_again_and_again(SOAK_CUTS, pki, tmp_path, probe, record_property)
