# SPDX-License-Identifier: Apache-2.0
"""Whatever is killed and whatever fails: every acknowledged start is there, ran once, and is told truthfully."""

import contextlib
import os
import random
import signal
import sqlite3

import pytest

from harness import torture, traces, waiting
from harness.agent import Agent

pytestmark = [pytest.mark.plain, pytest.mark.skipif(os.geteuid() != 0, reason="needs root: hoistd is another user"),
              pytest.mark.timeout(4000)]

# HOIST_TORTURE_SEED repeats a mixture of blows, HOIST_TORTURE_SECONDS their duration.
SECONDS = float(os.environ.get("HOIST_TORTURE_SECONDS") or 60)
SOAK_SECONDS = 1800


def judge(agent, run):
    """Lets it run, and says what is wrong with the jobs, the host, the records or the log afterwards."""
    try:
        run.run(clients=4)
        run.check()
        assert_nothing_is_left(agent, run)
    except BaseException:
        print("".join(line for line in agent.log().splitlines(keepends=True)[-4000:] if " call " not in line)[-20000:])
        raise


def assert_nothing_is_left(agent, run):
    admin = agent.client("admin")
    traces.assert_all_gone(agent, [start.job for start in run.acknowledged()])
    assert admin.agent.GetInfo().jobs_running == 0
    assert traces.mounts_of(agent.dir) + traces.mounts_of(run.counters) == []
    with contextlib.suppress(FileNotFoundError):
        assert set(os.listdir(traces.cgroup_root(agent))) & {"p-alice", "p-bob"} == set()
    assert len(traces.descriptors(agent.launcher_pid)) < 32 and len(traces.descriptors(agent.hoistd_pid)) < 128
    hoistd = agent.hoistd_pid
    os.kill(agent.launcher_pid, signal.SIGTERM)
    waiting.process_end(hoistd)
    with contextlib.closing(sqlite3.connect(f"{agent.dir}/state/jobs.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def torment(duration, record_property):
    seed = os.environ.get("HOIST_TORTURE_SEED") or f"{random.SystemRandom().getrandbits(32):08x}"
    print(f"torture: HOIST_TORTURE_SEED={seed} HOIST_TORTURE_SECONDS={duration:g}")
    with (torture.counters() as (counters, settings, launcher),
          Agent(settings={"jobs_max": "500", **settings}, launcher=launcher) as agent):
        run = torture.Torture(agent, seed, duration, counters)
        judge(agent, run)
    record_property("seed", seed)
    record_property("starts", len(run.starts))
    record_property("acknowledged", len(run.acknowledged()))
    record_property("blows", " ".join(f"{name}={count}" for name, count in sorted(run.blows.items())))
    print(f"torture: {len(run.starts)} starts, {len(run.acknowledged())} acknowledged; {run.blows}")


def test_kills_and_faults_at_random_lose_nothing(record_property):
    torment(SECONDS, record_property)


@pytest.mark.soak
def test_kills_and_faults_for_half_an_hour_lose_nothing(record_property):
    torment(SOAK_SECONDS, record_property)
