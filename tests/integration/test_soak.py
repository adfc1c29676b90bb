# SPDX-License-Identifier: Apache-2.0
"""The large numbers, only in `make soak`: 50 clients of ten million lines, 10,000 jobs. Figures go to docs/soak.md."""

import concurrent.futures
import glob
import hashlib
import os
import statistics
import subprocess
import time

import pytest

from harness import BUILD, PATIENCE, process, traces, waiting
from harness.api import message
from harness.cli import HOIST

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

LINES = 10_000_000
CLIENTS = 50
RUNS = 300
JOBS = 10_000
GROWS = 1 << 20  # of memory, after the first tenth of the jobs: 117 bytes each
NAMESPACES = ("mnt:", "pid:", "net:", "ipc:", "uts:", "user:", "cgroup:")
READERS = 1000
READER_MEMORY = 64 << 10
WRITTEN = 900_000_000
LONG = 1800
LONG_LINE = (1 << 30) + 12345


def sha256_of(file):
    """(sha256, bytes) of a pipe that is read to its end."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


@pytest.fixture(scope="module")
def local_seq():
    """(sha256, bytes) of what seq prints here."""
    with subprocess.Popen(["seq", "1", str(LINES)], stdout=subprocess.PIPE) as seq:
        return sha256_of(seq.stdout)


def followed(hoist, job):
    with subprocess.Popen([HOIST, "logs", "-f", job], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=hoist.environment, stdin=subprocess.DEVNULL) as follower:
        told = sha256_of(follower.stdout)
        assert follower.wait(PATIENCE) == 0, follower.stderr.read()
    return told


def test_fifty_clients_of_ten_million_lines(hoist, agent, local_seq, record_property):
    begin = time.monotonic()
    job = hoist("start", "-q", "--", "seq", "1", str(LINES), check=0).stdout.strip()
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        told = list(pool.map(lambda _: followed(hoist, job), range(CLIENTS)))
    seconds = time.monotonic() - begin
    assert set(told) == {local_seq}
    record_property("clients", CLIENTS)
    record_property("bytes each", f"{local_seq[1]:,}")
    record_property("seconds", f"{seconds:.0f}")
    record_property("MiB/s in all", f"{CLIENTS * local_seq[1] / seconds / 2**20:.0f}")
    record_property("hoistd's most memory", f"{process.memory(agent.hoistd_pid, 'VmHWM') >> 20} MiB")


def test_run_of_ten_million_lines(hoist, local_seq, record_property):
    begin = time.monotonic()
    with subprocess.Popen([HOIST, "run", "--", "seq", "1", str(LINES)], stdout=subprocess.PIPE,
                          env=hoist.environment, stdin=subprocess.DEVNULL) as run:
        told = sha256_of(run.stdout)
    assert (run.returncode, told) == (0, local_seq)
    record_property("sha256", told[0])
    record_property("seconds", f"{time.monotonic() - begin:.1f}")


def test_run_returns_seven_with_both_streams_each_time(hoist, record_property):
    def run(_):
        done = hoist("run", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
        return done.returncode, done.stdout, done.stderr

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(run, range(RUNS))) == {(7, "out\n", "err\n")}
    record_property("runs", RUNS)


def cgroups_of_jobs(agent):
    root = traces.cgroup_root(agent)
    return [path for path in glob.glob(f"{root}/p-*/*") if os.path.isdir(path)]


def processes_of_jobs(agent):
    """hoist-inits of this agent, and what runs below them."""
    listed = subprocess.run(["pgrep", "-u", str(os.stat(f"{agent.dir}/state").st_uid), "-x", "hoist-init"],
                            capture_output=True, text=True).stdout
    return listed.split()


def mounts(pid):
    with open(f"/proc/{pid}/mountinfo") as file:
        return len(file.readlines())


def test_ten_thousand_short_jobs_leave_nothing(make_agent, probe, record_property):
    agent = make_agent()
    pids = {"hoistd": agent.hoistd_pid, "launcher": agent.launcher_pid}
    users = [agent.client(name) for name in ("alice", "bob", "admin") for _ in range(4)]
    for user in users:
        user.agent.Ping()  # so that its connection is among what was open before
    with process.bounded(pids["hoistd"], users[0].agent.Ping, grows=64 << 20), \
            process.bounded(pids["launcher"], users[0].agent.Ping):
        begin, mounted = time.monotonic(), [mounts(pid) for pid in pids.values()]

        def live(i):
            client = users[i % len(users)]
            job = client.wait(client.start(probe, "lines", str(i % 100), "exit", str(i % 251)), timeout=LONG)
            assert (job.exit_code, message("Cause").Name(job.cause)) == (i % 251, "CAUSE_EXITED"), job
            return client, job.name

        # Caches that aren't full by then, and the allocator's room of each thread, must fit into what is allowed as well.
        ended = [live(i) for i in range(JOBS // 10)]
        early = {name: process.memory(pid) for name, pid in pids.items()}
        ended += [live(i) for i in range(JOBS // 10, JOBS)]
        seconds = time.monotonic() - begin
        grown = {name: process.memory(pid) - early[name] for name, pid in pids.items()}
        assert len({name for _, name in ended}) == JOBS
        assert cgroups_of_jobs(agent) == [] and processes_of_jobs(agent) == []
        assert all(mounts(pid) <= before for pid, before in zip(pids.values(), mounted))
        held = [each for pid in pids.values() for each in traces.descriptors(pid) if each.startswith(NAMESPACES)]
        assert len(held) <= 1, "one root that is made ahead (a mount namespace), and no job's namespaces"
        assert process.is_sanitized() or max(grown.values()) <= GROWS, grown

        info = users[0].agent.GetInfo()
        assert (info.jobs_running, info.jobs_kept) == (0, JOBS)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda each: each[0].jobs.DeleteJob(name=each[1]), ended))
        assert users[0].agent.GetInfo().jobs_kept == 0
        assert list(traces.directories(agent)) == []
    record_property("jobs", f"{JOBS:,}")
    record_property("seconds", f"{seconds:.0f}")
    record_property("jobs/s", f"{JOBS / seconds:.0f}")
    record_property("hoistd's most memory", f"{process.memory(agent.hoistd_pid, 'VmHWM') >> 20} MiB")
    record_property(f"more after {JOBS:,} than after {JOBS // 10:,}",
                    ", ".join(f"{name} {more >> 10} KiB" for name, more in grown.items()))


# Says "up"; after SIGUSR1 writes so much that every reader's way is full; after another one writes, and tells on stderr
# how long that took.
WRITER = f"""import os, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
block = bytes(65536)
os.write(1, b"up\\n")
signal.sigwait([signal.SIGUSR1])
for _ in range(1000):
    os.write(1, block)
os.write(2, b"full\\n")
signal.sigwait([signal.SIGUSR1])
begin = time.monotonic()
for _ in range({WRITTEN} // len(block)):
    os.write(1, block)
os.write(2, str(time.monotonic() - begin).encode())
"""


def at_rest(pid):
    """Returns when the process has used next to no CPU time for a moment; there is no event for that."""
    deadline, before = time.monotonic() + PATIENCE, -1.0
    while (now := process.cpu_seconds(pid)) - before > 0.002:
        assert time.monotonic() < deadline
        before = now
        time.sleep(0.2)


def writing_seconds(agent, hoist, alice, readers):
    """How long a job took to write, and how much hoistd's memory had grown by then."""
    job = alice.start("/usr/bin/python3", "-c", WRITER)
    alice.await_output(job, b"up\n")
    before = process.memory(agent.hoistd_pid)
    with subprocess.Popen([f"{BUILD}/bench/hoist-load", "hold", job.name, str(readers or 1)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env=hoist.environment) as holder:
        waiting.read_until(holder.stdout, b"holding\n")
        if not readers:
            holder.kill()
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        told = alice.jobs.StreamOutput(name=job.name, follow=True, streams=["STREAM_STDERR"])
        next(told)
        told.cancel()
        at_rest(agent.hoistd_pid)
        alice.jobs.SignalJob(name=job.name, signal="USR1")
        alice.wait(job, timeout=LONG)
        grown = process.memory(agent.hoistd_pid) - before
        holder.kill()
    took = float(alice.output(job, streams=["STREAM_STDERR"]).data.removeprefix(b"full\n"))
    alice.jobs.DeleteJob(name=job.name)
    return took, grown


def test_a_thousand_readers_that_never_read_do_not_slow_the_job(make_agent, record_property):
    agent = make_agent()
    alice, hoist = agent.client("alice"), agent.cli("alice")
    writing_seconds(agent, hoist, alice, 0)
    rounds = [(writing_seconds(agent, hoist, alice, 0), writing_seconds(agent, hoist, alice, READERS))
              for _ in range(7)]
    ratio = statistics.median(alone[0] / watched[0] for alone, watched in rounds)
    memory = max(watched[1] for _, watched in rounds) / READERS
    record_property("readers", f"{READERS:,}")
    record_property("of the rate without them", f"{ratio:.2f}")
    record_property("KiB a reader", f"{memory / 1024:.1f}")
    assert ratio >= 0.95 and memory <= READER_MEMORY


def test_a_line_longer_than_a_gibibyte(make_agent, record_property):
    """Without a newline at its end; the cap is raised for it."""
    agent = make_agent(output__cap="2GiB")
    alice, hoist = agent.client("alice"), agent.cli("alice")
    begin = time.monotonic()
    size = LONG_LINE + 17
    script = f"head -c {LONG_LINE} /dev/zero | tr '\\0' x; head -c 17 /dev/zero | tr '\\0' '\\377'"
    job = alice.start("sh", "-c", script)
    digest, left = hashlib.sha256(), LONG_LINE
    while left > 0:
        digest.update(b"x" * min(left, 1 << 20))
        left -= min(left, 1 << 20)
    digest.update(b"\xff" * 17)
    assert followed(hoist, job.name) == (digest.hexdigest(), size)
    assert alice.wait(job, timeout=LONG).output.end_offset == size
    record_property("bytes", f"{size:,}")
    record_property("seconds", f"{time.monotonic() - begin:.0f}")
    alice.jobs.DeleteJob(name=job.name)
