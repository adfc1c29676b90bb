# SPDX-License-Identifier: Apache-2.0
"""Reading goes on over lost connections and restarted agents: no byte twice, none missing."""

import concurrent.futures
import hashlib
import os
import pty
import random
import re
import signal
import subprocess

import grpc
import pytest

from harness import PATIENCE, traces, waiting
from harness.api import ending
from harness.checksum import crc32c
from harness.cli import HOIST, Cli
from harness.proxy import Proxy

READERS = int(os.environ.get("HOIST_TEST_READERS") or 50)


def expected(steps):
    """What a probe with these steps prints, all of it on stdout."""
    data = b""
    for step in steps:
        word, argument = step.split()
        if word == "lines":
            data += b"".join(b"line %d\n" % i for i in range(int(argument)))
        elif word == "out":
            data += argument.encode() + b"\n"
        elif word == "bytes":
            data += bytes(at * 2654435761 >> 13 & 0xFF for at in range(int(argument)))
    return data


def words(steps):
    return " , ".join(steps).split()


@pytest.fixture
def own(make_agent):
    return make_agent()


def away(agent, process):
    """The agent is down: hoistd, the launcher and with it the listening socket."""
    os.kill(agent.launcher_pid, signal.SIGKILL)
    waiting.read_until(process.stderr, b"connection lost")


# --- hoist run


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_run_goes_through_the_end_of_hoistd(own, probe, number):
    steps = ["lines 2000", "out ready", "await 10", "bytes 300000", "await 12", "lines 3000", "exit 7"]
    hoist = own.cli("alice")
    with hoist.running("run", "--name", "kept", "-v", "--", probe, *words(steps)) as process:
        out = waiting.read_until(process.stdout, b"ready\n")
        own.kill_hoistd(number)
        waiting.read_until(process.stderr, b"connected again")
        hoist("kill", "--signal", "USR1", "kept", check=0)
        hoist("kill", "--signal", "USR2", "kept", check=0)
        rest, err = process.communicate(timeout=PATIENCE)
        out += rest
    assert process.returncode == 7, err
    wanted = expected(["lines 2000", "out ready"]) + b"got signal 10\n" + expected(["bytes 300000"]) \
        + b"got signal 12\n" + expected(["lines 3000"])
    assert hashlib.sha256(out).digest() == hashlib.sha256(wanted).digest()
    assert b"%d bytes received, CRC-32C %08x" % (len(wanted), crc32c(wanted)) in err
    assert b"no checksum of the agent covers" in err


def test_run_goes_through_a_restart_of_the_whole_agent(own, probe):
    hoist = own.cli("alice")
    command = [probe, "out", "ready", ",", "await", "10", ",", "exit", "3"]
    with hoist.running("run", "--name", "kept", "--", *command) as process:
        assert waiting.read_until(process.stdout, b"ready\n") == b"ready\n"
        own.restart()
        hoist("kill", "--signal", "USR1", "kept", check=0)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (3, b"got signal 10\n")
    assert err == b""


def test_run_finds_a_job_that_ended_meanwhile(own, probe):
    hoist = own.cli("alice")
    command = [probe, "out", "ready", ",", "await", "10", ",", "exit", "4"]
    with hoist.running("run", "--name", "kept", "--", *command) as process:
        waiting.read_until(process.stdout, b"ready\n")
        process.send_signal(signal.SIGSTOP)
        own.kill_hoistd()
        hoist("kill", "--signal", "USR1", "kept")
        assert hoist("wait", "kept").returncode == 4
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (4, b"got signal 10\n")


def test_interrupt_while_the_agent_is_away_stops_the_job_later(own, probe):
    hoist = own.cli("alice")
    with hoist.running("run", "-v", "--", probe, "hold", "15", "out", "ready", ",", "await", "15", ",", "exit", "5") as process:
        waiting.read_until(process.stdout, b"ready\n")
        away(own, process)
        process.send_signal(signal.SIGINT)
        waiting.read_until(process.stderr, b"as soon as the agent can be reached")
        own.restart()
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (5, b"got signal 15\n")
    assert b"stopped by alice" in err


def test_third_interrupt_while_the_agent_is_away_leaves(own, probe):
    hoist = own.cli("alice")
    with hoist.running("run", "-v", "--", probe, "out", "ready", ",", "forever") as process:
        waiting.read_until(process.stdout, b"ready\n")
        away(own, process)
        for told in (b"stopping", b"ending", b"left; the job goes on as"):
            process.send_signal(signal.SIGINT)
            waiting.read_until(process.stderr, told)
        assert process.wait(PATIENCE) == 130
    own.restart()


def test_after_the_deadline_it_says_how_to_go_on(own, probe):
    hoist = own.cli("alice")
    flags = ["--name", "kept", "--reconnect", "300ms", "-v"]
    with hoist.running("run", *flags, "--", probe, "out", "ready", ",", "forever") as process:
        waiting.read_until(process.stdout, b"ready\n")
        away(own, process)
        assert process.wait(PATIENCE) == 125
        err = process.stderr.read()
    rest = re.search(rb"go on with: hoist (logs -f --offset 6 jobs/[0-9a-f-]{36})\n", err)
    assert rest and b"the job goes on as" in err
    own.restart()
    hoist("kill", "-s", "KILL", "kept", check=0)
    assert hoist(*rest[1].decode().split(), check=0).stdout == ""


def test_reconnect_zero_is_never(own, probe):
    hoist = own.cli("alice")
    job = hoist("start", "--", probe, "out", "ready", ",", "forever", check=0).stdout.strip()
    with hoist.running("logs", "-f", "--reconnect", "0", job) as process:
        waiting.read_until(process.stdout, b"ready\n")
        own.kill_hoistd()
        assert process.wait(PATIENCE) == 125
        assert b"go on with: hoist logs -f --offset 6" in process.stderr.read()


def test_a_job_that_was_removed_is_final(own, probe):
    hoist = own.cli("alice")
    job = hoist("start", "--", probe, "out", "ready", ",", "await", "10", check=0).stdout.strip()
    with hoist.running("logs", "-f", "-v", job) as process:
        waiting.read_until(process.stdout, b"ready\n")
        process.send_signal(signal.SIGSTOP)
        own.kill_hoistd()
        hoist("rm", "--force", job, check=0)
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE) == 1
        assert b"go on with" in process.stderr.read()


def test_a_terminal_is_told_of_loss_and_return(own, probe):
    hoist = own.cli("alice")
    ours, theirs = pty.openpty()
    with subprocess.Popen([HOIST, "run", "--name", "kept", "--", probe, "out", "ready", ",", "await", "10"],
                          env=hoist.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=theirs) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            waiting.read_until(process.stdout, b"ready\n")
            own.kill_hoistd()
            waiting.read_until(terminal, b"connected again")
        hoist("kill", "--signal", "USR1", "kept", check=0)
        assert process.communicate(timeout=PATIENCE)[0] == b"got signal 10\n"


# --- hoist logs


def index_descriptors(agent, job):
    """How often hoistd has the job's index open: once for itself and once for each call that reads its output."""
    index = f"{traces.directory_of(agent, job)}/index"
    return sum(index in each for each in traces.descriptors(agent.hoistd_pid))


def await_index_descriptors(agent, client, job, count):
    for _ in range(2000):
        if index_descriptors(agent, job) == count:
            return
        client.agent.Ping()
    raise AssertionError("the readers did not come")


def test_tail_goes_on_where_it_stood(own, probe):
    """Nothing had come when the connection was lost: only the agent's word says where it stood."""
    hoist, alice = own.cli("alice"), own.client("alice")
    job = alice.start(probe, "lines", "100", ",", "out", "ready", ",", "await", "10")
    without_readers = index_descriptors(own, job)
    alice.await_output(job, b"ready\n")
    await_index_descriptors(own, alice, job, without_readers)
    with hoist.running("logs", "-f", "-v", "--tail", "0", job.name) as none, \
            hoist.running("logs", "-f", "-v", "-n", "2", job.name) as two:
        assert waiting.read_until(two.stdout, b"ready\n") == b"line 99\nready\n"
        await_index_descriptors(own, alice, job, without_readers + 2)
        for process in (none, two):
            process.send_signal(signal.SIGSTOP)
        own.kill_hoistd()
        own.client("alice").jobs.SignalJob(name=job.name, signal="USR1")
        assert ending(own.client("alice").wait(job))[2] == 0
        for process in (none, two):
            process.send_signal(signal.SIGCONT)
            assert process.communicate(timeout=PATIENCE)[0] == b"got signal 10\n"


def test_several_jobs_are_followed_line_by_line(own, probe):
    hoist, alice = own.cli("alice"), own.client("alice")
    names = ["a", "longer", "c-3"]
    steps = ["lines 300", "out ready", "await 10", "lines 200", "err end"]
    jobs = [alice.start(probe, *words(steps), display_name=name) for name in names]
    with hoist.running("logs", "-f", "-v", *names) as process:
        seen = b""
        while seen.count(b"| ready\n") < 3:
            seen += waiting.read_until(process.stdout, b"\n")
        own.kill_hoistd()
        waiting.read_until(process.stderr, b"connected again")
        again = own.client("alice")
        for job in jobs:
            again.jobs.SignalJob(name=job.name, signal="USR1")
        rest, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    lines = [f"line {i}" for i in range(300)] + ["ready", "got signal 10"] + [f"line {i}" for i in range(200)]
    for name in names:
        mine = [line[9:] for line in (seen + rest).decode().splitlines() if line.startswith(f"{name:6} | ")]
        assert mine == lines
        assert f"{name:6} | end\n".encode() in err
    assert len((seen + rest).splitlines()) == 3 * len(lines)


# --- a network that breaks


def behind(proxy, hoist):
    return Cli({**hoist.environment, "HOIST_HOST": "127.0.0.1", "HOIST_PORT": str(proxy.port)})


@pytest.mark.parametrize("flags, code", [([], 7), (["--timeout", "1h"], 7), (["--reconnect", "0"], 125)])
def test_wait_goes_on_when_the_connection_breaks_in_its_answer(agent, hoist, alice, probe, flags, code):
    job = alice.run(probe, "exit", "7", ",", "out", "x" * 30000)  # the answer is longer than what comes before it
    budgets = iter([15000])
    with Proxy(agent.port, lambda: next(budgets, None)) as proxy:
        done = behind(proxy, hoist)("wait", *flags, job.name, check=code)
        assert proxy.connections == (1 if code == 125 else 2)
    assert ("hoist wait" in done.stderr) == (code == 125)
    alice.jobs.DeleteJob(name=job.name)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_logs_over_connections_that_break_anywhere(agent, hoist, alice, probe, seed):
    chosen = random.Random(seed)
    job = alice.run(probe, *words(["bytes 1500000", "err between", "lines 20000"]))
    whole = alice.output(job)
    with Proxy(agent.port, lambda: chosen.randrange(20000, 500000)) as proxy:
        done = behind(proxy, hoist)("logs", "-f", "-v", job.name, check=0, text=False)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(whole.stdout).digest()
    assert b"between\n" in done.stderr and done.stderr.count(b"connected again") == proxy.connections - 1 > 1
    alice.jobs.DeleteJob(name=job.name)


def test_run_over_connections_that_break_anywhere(agent, hoist, alice, probe):
    """Wherever the first connection breaks: the command runs once, and all of its output comes."""
    wanted = expected(["bytes 5000", "lines 500"])
    finished = 0
    command = [probe, *words(["bytes 5000", "lines 500", "exit 7"])]
    for cut in range(1500, 12000, 500):
        budgets = iter([cut])
        name = f"cut-{cut}"
        with Proxy(agent.port, lambda budgets=budgets: next(budgets, None)) as proxy:
            done = behind(proxy, hoist)("run", "--name", name, "--", *command, text=False)
        jobs = [job for job in alice.jobs.ListJobs().jobs if job.spec.display_name == name]
        assert (done.returncode, done.stdout, len(jobs)) in ((7, wanted, 1), (125, b"", 0)), done.stderr
        finished += done.returncode == 7
        for job in jobs:
            alice.jobs.DeleteJob(name=job.name)
    assert finished > 5


# --- any reader, through anything


class Follower:
    """Reads one job through the API with calls that break off at random, and whatever happens to the agent."""

    def __init__(self, client, job, seed):
        self.client, self.job, self.chosen = client, job, random.Random(seed)
        self.data, self.calls = bytearray(), 0

    def read_on(self):
        """One call; returns whether the output is complete."""
        left = self.chosen.choice([self.chosen.randrange(1, 40), 10**9])
        responses = self.client.jobs.StreamOutput(name=self.job.name, offset=len(self.data), follow=True, timeout=None)
        for response in responses:
            if response.WhichOneof("kind") == "chunk":
                assert response.chunk.offset == len(self.data)
                self.data += response.chunk.data
            elif response.WhichOneof("kind") == "summary":
                assert response.summary.end_offset == len(self.data)
                return response.summary.complete
            left -= 1
            if left == 0:
                responses.cancel()
                return False
        return False

    def read(self):
        complete = False
        while not complete:
            self.calls += 1
            try:
                complete = self.read_on()
            except grpc.RpcError as error:
                assert error.code().name in ("UNAVAILABLE", "CANCELLED"), error
                self.client.connected(2 * PATIENCE)
        return bytes(self.data)


def segments(chosen, count):
    """So many lists of steps, the last of which prints a mark."""
    for number in range(count):
        parts = [chosen.choice([f"bytes {chosen.randrange(1, 100000)}", f"lines {chosen.randrange(1, 3000)}"])
                 for _ in range(12)]
        yield [step for part in parts for step in (part, f"sleep {chosen.randrange(1, 40)}")] + [f"out mark-{number}"]


def await_mark(client, job, mark):
    """Returns when the job has printed the mark, the last thing before it waits. A channel may have taken a connection for
    ready whose end it has not noticed yet."""
    while True:
        client.connected(2 * PATIENCE)
        try:
            return read_mark(client, job, mark)
        except grpc.RpcError as error:
            assert error.code().name == "UNAVAILABLE", error


def read_mark(client, job, mark):
    data = b""
    responses = client.jobs.StreamOutput(name=job.name, follow=True, tail_lines=2, timeout=4 * PATIENCE)
    for response in responses:
        data = data[-100:] + response.chunk.data
        if mark in data:
            return responses.cancel()
    raise AssertionError("the output ended before the mark")


def read_through_restarts(own, probe, seed, readers, connections, ends):
    """Readers cut at random, some of them hoist logs, while hoistd is killed and the agent restarted in turn."""
    parts = list(segments(random.Random(seed), ends + 1))
    wanted = b"got signal 10\n".join(expected(part) for part in parts)
    quick = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000)]
    clients = [own.client("alice", options=quick) for _ in range(connections)]
    job = clients[0].start(probe, *words([step for part in parts for step in (*part, "await 10")][:-1]))
    hoist = own.cli("alice")
    with concurrent.futures.ThreadPoolExecutor(readers + 1) as pool, hoist.running("logs", "-f", job.name) as logs:
        followers = [Follower(clients[i % connections], job, f"{seed} {i}") for i in range(readers)]
        read = [pool.submit(follower.read) for follower in followers]
        first = logs.stdout.read(1)  # connected: only a connection that stood is made again
        shown = pool.submit(logs.stdout.read)
        for i in range(ends):
            if i % 2:
                own.restart()
            else:
                own.kill_hoistd()
            await_mark(clients[0], job, b"mark-%d\n" % i)
            clients[0].jobs.SignalJob(name=job.name, signal="USR1")
        for future in read:
            assert future.result() == wanted
        assert first + shown.result() == wanted
        assert logs.wait(PATIENCE) == 0
    assert max(follower.calls for follower in followers) > 2
    assert ending(clients[0].wait(job)) == ("SUCCEEDED", "EXITED", 0, 0)
    assert clients[0].output(job).data == wanted


@pytest.mark.parametrize("seed", [1, 2])
def test_readers_cut_at_random_while_the_agent_restarts(own, probe, seed):
    read_through_restarts(own, probe, seed, READERS, 25, 2)


@pytest.mark.soak
def test_500_readers_cut_at_random_while_the_agent_restarts(own, probe):
    read_through_restarts(own, probe, 7, 500, 25, 10)
