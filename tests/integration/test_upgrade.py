# SPDX-License-Identifier: Apache-2.0
"""An agent is replaced by a newer one, whose stored forms are all of the next version, while jobs run and people watch.

Only in `make soak`, since the newer one is built for it; HOIST_BUILD_RAISED names a build that is there already
(meson setup -Dformats_raised=1).
"""

import concurrent.futures
import os
import subprocess

import grpc
import pytest

from harness import PATIENCE, TOP, waiting
from harness.agent import Agent
from harness.api import ending, word
from harness.cli import HOIST
from test_restart import another_agent

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800),
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root: hoistd is another user")]

JOBS = 20
PROGRAMS = ("hoistd", "hoist-launcher", "hoist-init", "hoist")


@pytest.fixture(scope="module")
def raised(tmp_path_factory):
    """The programs of the next version."""
    path = os.environ.get("HOIST_BUILD_RAISED")
    if path:
        return path
    path = str(tmp_path_factory.mktemp("raised"))
    subprocess.run(["meson", "setup", "-Dformats_raised=1", "-Dtests=false", path, TOP], check=True,
                   capture_output=True, timeout=300)
    built = subprocess.run(["ninja", "-C", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500)
    assert built.returncode == 0, built.stdout
    for name in PROGRAMS:
        folder = {"hoistd": "agent", "hoist": "cli"}.get(name, name.removeprefix("hoist-"))
        os.symlink(f"{path}/src/{folder}/{name}", f"{path}/{name}")
    os.symlink(f"{TOP}/tools/hoist-pki", f"{path}/hoist-pki")
    return path


def follow(environment, job):
    """All of its output, by a client that goes on by itself."""
    done = subprocess.run([HOIST, "logs", "-f", job.name], env=environment, capture_output=True, timeout=10 * PATIENCE,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


def replace(agent, build):
    agent.build = build
    agent.restart()
    return agent.client("alice")


def test_upgrade_and_downgrade_under_jobs_and_followers(raised, probe):
    agent = Agent()
    environment = {**os.environ, **agent.environment("alice")}
    try:
        alice = agent.client("alice")
        jobs = [alice.start(probe, "out", "ready", ",", "await", "10", ",", "lines", "1000", ",", "exit", str(number))
                for number in range(JOBS)]
        for job in jobs:
            alice.await_output(job, b"ready\n")
        over = alice.run("sh", "-c", "echo over; exit 4")
        with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
            followers = [pool.submit(follow, environment, job) for job in jobs]
            alice = replace(agent, raised)
            for job in jobs:
                found = alice.jobs.GetJob(name=job.name)
                assert (found.pid, word("JobState", found.state)) == (job.pid, "RUNNING")
            assert ending(alice.jobs.GetJob(name=over.name)) == ("FAILED", "EXITED", 4, 0)
            assert alice.output(over).data == b"over\n"
            young = alice.start(probe, "out", "ready", ",", "await", "10", ",", "exit", "5")
            alice.await_output(young, b"ready\n")

            # The older one again: it says why it can't, and touches nothing.
            os.kill(agent.launcher_pid, 15)
            waiting.process_end(agent.launcher_pid)
            with another_agent(agent) as older:
                said = waiting.read_until(older.stderr, b"hoistd ended").decode()
            assert "was written by a newer version of hoist" in said

            alice = replace(agent, raised)
            for job in (*jobs, young):
                alice.jobs.SignalJob(name=job.name, signal="USR1")
            for number, job in enumerate(jobs):
                assert ending(alice.wait(job)) == ("SUCCEEDED" if number == 0 else "FAILED", "EXITED", number, 0)
            assert ending(alice.wait(young)) == ("FAILED", "EXITED", 5, 0)
            wanted = alice.output(jobs[0]).data
            assert wanted.startswith(b"ready\ngot signal 10\n")
            assert [follower.result() for follower in followers] == [wanted] * JOBS
    except grpc.RpcError as error:
        raise AssertionError(f"{error}\n{agent.log()[-4000:]}") from error
    finally:
        agent.build = raised
        agent.down()
