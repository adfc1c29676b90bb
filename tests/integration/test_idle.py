# SPDX-License-Identifier: Apache-2.0
"""Who waits costs nothing: no process of ours wakes up while a job is silent, however many follow it. And who waits for a
line gets it by few system calls, for each of them is a part of the time until it is read."""

import contextlib
import os
import re
import signal
import subprocess

import pytest

from harness import PATIENCE, traces, waiting
from harness.cli import HOIST

FOLLOWERS = 5
SILENCE = 5
# A heartbeat each 15 s, and the agent's own look each minute, may fall into one window, not into three in a row.
WINDOWS = 3
LINES = 20
# hoistd is woken, reads inotify, the index and the data, and sends; hoist-init is woken, reads and writes both.
CALLS = {"hoistd": 5, "hoist-init": 4}


# A line for each SIGUSR1.
SPEAKER = """import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
os.write(1, b"quiet from now on\\n")
while True:
    signal.sigwait([signal.SIGUSR1])
    os.write(1, b"a line\\n")
"""


@contextlib.contextmanager
def followers(hoist, job, count=FOLLOWERS):
    running = []
    try:
        for _ in range(count):
            running.append(subprocess.Popen([HOIST, "logs", "-f", job], stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                                            env=hoist.environment))
        for follower in running:
            waiting.read_until(follower.stdout, b"quiet from now on\n")
        yield running
    finally:
        for follower in running:
            follower.kill()
            follower.wait(PATIENCE)
            follower.stdout.close()


@contextlib.contextmanager
def traced(pids, path):
    """Yields the tracer, and a list that holds, after the block, what the processes, all threads of them, did in it."""
    calls = []
    with subprocess.Popen(["strace", "-f", "-o", path, *(word for pid in pids for word in ("-p", str(pid)))],
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as tracer:
        waiting.read_until(tracer.stderr, b" attached")
        yield tracer, calls
        tracer.send_signal(signal.SIGINT)
        tracer.stderr.read()
    with open(path) as file:
        calls += [line for line in file if re.search(r"\) += |resumed>", line)]


def only_process(agent, job, leaf):
    """Of the job's cgroup `init`: its hoist-init; `cmd`: its command."""
    with open(f"{traces.cgroup_of(agent, job)}/{leaf}/cgroup.procs") as file:
        return int(file.read())


def test_idle_followers_wake_nobody(agent, alice, hoist, probe, tmp_path):
    job = alice.start(probe, "out", "quiet from now on", "await", "10")
    with followers(hoist, job.name):
        pids = [agent.hoistd_pid, only_process(agent, job, "init")]
        for window in range(WINDOWS):
            with traced(pids, f"{tmp_path}/{window}") as (tracer, calls), pytest.raises(subprocess.TimeoutExpired):
                tracer.wait(SILENCE)
            if not calls:
                break
    alice.release(job)
    alice.wait(job)
    assert not calls, "".join(calls)


@pytest.mark.parametrize("who", CALLS)
def test_a_live_line_takes_few_system_calls(agent, alice, hoist, tmp_path, who):
    job = alice.start("/usr/bin/python3", "-c", SPEAKER)
    least, most = LINES * (CALLS[who] - 1), LINES * CALLS[who] + LINES // 2
    with followers(hoist, job.name, 1) as (follower,):
        pid = agent.hoistd_pid if who == "hoistd" else only_process(agent, job, "init")
        command = only_process(agent, job, "cmd")
        for window in range(WINDOWS):
            with traced([pid], f"{tmp_path}/{window}") as (_, calls):
                for _ in range(LINES):
                    os.kill(command, signal.SIGUSR1)
                    waiting.read_until(follower.stdout, b"a line\n")
            if least <= len(calls) <= most:
                break
    alice.stop(job)
    assert least <= len(calls) <= most, "".join(calls)
