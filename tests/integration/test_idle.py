# SPDX-License-Identifier: Apache-2.0
"""Who waits costs nothing: no process of ours wakes up while a job is silent, however many follow it."""

import contextlib
import re
import signal
import subprocess

from harness import PATIENCE, traces, waiting
from harness.cli import HOIST

FOLLOWERS = 5
SILENCE = 5
# A heartbeat each 15 s, and the agent's own look each minute, may fall into one window, not into three in a row.
WINDOWS = 3


@contextlib.contextmanager
def followers(hoist, job):
    running = []
    try:
        for _ in range(FOLLOWERS):
            running.append(subprocess.Popen([HOIST, "logs", "-f", job], stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                            env=hoist.environment))
        for follower in running:
            waiting.read_until(follower.stdout, b"quiet from now on\n")
        yield
    finally:
        for follower in running:
            follower.kill()
            follower.wait(PATIENCE)
            follower.stdout.close()


def system_calls(pids, path):
    """What the processes, all threads of them, did in SILENCE seconds."""
    with subprocess.Popen(["strace", "-f", "-qq", "-o", path, *(word for pid in pids for word in ("-p", str(pid)))],
                          stdin=subprocess.DEVNULL) as tracer:
        with contextlib.suppress(subprocess.TimeoutExpired):
            tracer.wait(SILENCE)
            raise AssertionError("strace can't trace here")
        tracer.send_signal(signal.SIGINT)
        tracer.wait(PATIENCE)
    with open(path) as file:
        return [line for line in file if re.search(r"\) += |resumed>", line)]


def init_of(agent, job):
    """hoist-init of the job: the only process in its cgroup `init`."""
    with open(f"{traces.cgroup_of(agent, job)}/init/cgroup.procs") as file:
        return int(file.read())


def test_idle_followers_wake_nobody(agent, alice, hoist, probe, tmp_path):
    job = alice.start(probe, "out", "quiet from now on", "await", "10")
    with followers(hoist, job.name):
        pids = [agent.hoistd_pid, init_of(agent, job)]
        for window in range(WINDOWS):
            calls = system_calls(pids, f"{tmp_path}/{window}")
            if not calls:
                break
    alice.release(job)
    alice.wait(job)
    assert not calls, "".join(calls)
