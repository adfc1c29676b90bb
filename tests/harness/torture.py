# SPDX-License-Identifier: Apache-2.0
"""An agent under load whose parts are killed and whose system calls fail at random, and the model that says what must
be true of its jobs all the same.

Most jobs write their first line into a file of their start's own, too, which a bind mount gives them: so a second run is
seen even where its output is not.

What is random comes from one seed; what the scheduler does with it does not, so a seed repeats the mixture, not each
race.
"""

import contextlib
import os
import random
import re
import signal
import subprocess
import tempfile
import threading
import time

import grpc

from harness import PATIENCE, faults, traces, waiting
from harness.api import ending, error_info, seconds, word
from harness.cli import HOIST

# What a job does behind its first line, which no second run of it could repeat.
KINDS = {
    "quick": "seq {size}; exit {code}",
    "slow": "sleep 0.{tenths}; seq {size}; sleep 0.{tenths}; exit {code}",
    "tree": "(trap '' TERM; sleep 1000) & seq {size}; exit {code}",
    "endless": "seq {size}; sleep 100000 & wait; exit {code}",
    "deaf": "trap '' TERM; seq {size}; while :; do sleep 1000; done",
}
ENDLESS = ("endless", "deaf")
RECENT = 200  # acknowledged starts that a list is compared with
# The agent is often away, and soon back.
IMPATIENT = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 500)]
TOKEN = re.compile(rb"[0-9a-f-]{36}\n")

# Answers that leave open whether anything was started: the same request id asks again.
UNSETTLED = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "CANCELLED")

# Not write(2), with which threads wake each other: eventfd(2) knows no such failure.
HOISTD_FAULTS = ["pwrite64:error=ENOSPC", "pwrite64:error=EIO", "fdatasync:error=EIO", "fsync:error=EIO",
                 "openat:error=EMFILE", "openat:error=ENOMEM", "mkdirat:error=ENOSPC", "fallocate:error=ENOSPC",
                 "mmap:error=ENOMEM", "inotify_add_watch:error=ENOSPC", "unlinkat:error=EIO", "sendmsg:error=ENOMEM",
                 "recvmsg:error=ENOMEM", "accept4:error=EMFILE"]
LAUNCHER_FAULTS = ["clone3:error=ENOMEM", "clone3:error=EAGAIN", "mkdirat:error=ENOSPC", "openat:error=EMFILE",
                   "memfd_create:error=ENOMEM", "write:error=EIO", "unlinkat:error=EBUSY", "execveat:error=ENOMEM",
                   "mmap:error=ENOMEM", "pidfd_open:error=EMFILE"]
# Of its copying; what it is started with fails with its launcher.
INIT_FAULTS = ["pwrite64:error=ENOSPC", "pwrite64:error=EIO", "write:error=ENOSPC", "write:error=EIO",
               "fdatasync:error=EIO", "read:error=EIO", "read:error=ENOMEM", "poll:error=ENOMEM"]
# On a job's way to its command, in hoist-init and in the command's process; commands make none of these calls.
START_FAULTS = ["pipe2:error=EMFILE", "pipe2:error=ENFILE", "open_tree:error=ENOMEM", "move_mount:error=ENOMEM",
                "setresuid:error=EAGAIN", "seccomp:error=ENOMEM", "timerfd_create:error=EMFILE"]

# Of a follower of the command line, which may give up in words, but not crash.
CLIENT_FAULTS = ["write:error=ENOSPC", "write:error=EIO", "read:error=EIO", "read:error=ENOMEM", "poll:error=ENOMEM"]
CRASHES = (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE)

COUNTERS = "/counters"
COUNTED_UIDS = 200_000_000  # behind those of tools/dev-agent


def seq(size):
    return b"".join(b"%d\n" % number for number in range(1, size + 1))


class Start:
    """One start that a client wants, and what has become of it."""

    def __init__(self, request_id, kind, size, code, tenths):
        self.request_id, self.kind, self.size, self.code = request_id, kind, size, code
        self.text = KINDS[kind].format(size=size, code=code, tenths=tenths)
        self.job = None  # acknowledged
        self.attempts = 0
        self.refused = self.unsettled = None  # the last answers of both kinds
        self.token = None
        self.stopped = self.whole = False  # whole: it came to its own end
        self.init_harmed = False  # its hoist-init was killed, or its system calls failed
        self.counted = False

    def spec(self):
        count = f"echo $t >>{COUNTERS}/{self.request_id}; " if self.counted else ""
        script = f"read t </proc/sys/kernel/random/uuid; {count}echo $t; {self.text}"
        return {"command": b"/bin/sh", "args": [b"-c", script.encode()], "display_name": f"t-{self.request_id}",
                "grace": seconds(0.3), "job_class": "counted" if self.counted else ""}

    def see(self, data, whole):
        """Output that somebody read from the beginning: a prefix of the one run that there is."""
        if len(data) < 37:
            assert not whole, f"{self}: the output has {len(data)} bytes"
            return
        token = data[:37]
        assert TOKEN.fullmatch(token), f"{self}: the output begins with {token!r}"
        assert self.token in (None, token), f"{self}: ran twice"
        self.token = token
        wanted = seq(self.size)
        assert data[37:] == wanted if whole else wanted.startswith(data[37:]), \
            f"{self}: the output is not that of the command: {len(data)} bytes of {37 + len(wanted)}"

    def see_counter(self, directory, ran):
        """`ran`: the command has come to its end."""
        lines = []
        with contextlib.suppress(FileNotFoundError), open(f"{directory}/{self.request_id}", "rb") as file:
            lines = file.readlines()
        assert len(lines) <= 1, f"{self}: ran {len(lines)} times"
        assert not ran or lines, f"{self}: ended without having run"
        assert not lines or self.token in (None, lines[0]), f"{self}: its output is that of another run"

    def __repr__(self):
        return f"start {self.request_id} ({self.kind}, job {self.job and self.job.name}, {self.attempts} attempts, " \
               f"stopped {self.stopped}, harmed {self.init_harmed})"


@contextlib.contextmanager
def counters():
    """A directory for the jobs' counters, and what an agent needs to know of it: (path, settings, launcher).

    Jobs with a counter are one user's, who may write there: no other agent's on this host.
    """
    with tempfile.TemporaryDirectory(prefix="hoist-test-", dir="/opt") as place:
        os.chmod(place, 0o755)
        path = f"{place}/counters"
        os.mkdir(path)
        user = COUNTED_UIDS + os.stat(path).st_ino % 1_000_000_000
        os.chown(path, user, user)
        yield path, {"classes": "{counted: {profile: counted, profile_for_all: true}}"}, \
            {"profile": f"counted bind=rw:{path}:{COUNTERS} user={user}"}


class Torture:
    def __init__(self, agent, seed, duration, counters):
        """`counters`: the directory of that name."""
        self.agent, self.seed, self.counters = agent, seed, counters
        self.deadline = time.monotonic() + duration
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.starts = []
        self.failures = []
        self.blows = {}
        self.events = []
        for name in ("alice", "bob", "admin"):  # while dev-agent finds an agent that is up
            agent.environment(name)

    def random(self, name):
        return random.Random(f"{self.seed} {name}")

    def is_over(self):
        return self.over.is_set() or time.monotonic() > self.deadline

    def pause(self, rng, most):
        self.over.wait(min(rng.uniform(0, most), max(0, self.deadline - time.monotonic())))

    def note(self, what):
        with self.lock:
            self.blows[what.partition(" ")[0]] = self.blows.get(what.partition(" ")[0], 0) + 1
            self.events.append(f"{time.strftime('%H:%M:%S')} {what}")

    def acknowledged(self):
        with self.lock:
            return [start for start in self.starts if start.job]

    def guarded(self, work, name):
        def run():
            try:
                work(self.random(name))
            except BaseException as error:  # noqa: BLE001: told by the test's own thread
                self.failures.append(f"{name}: {type(error).__name__}: {error}")
                self.over.set()
        return threading.Thread(target=run, name=name)

    def run(self, clients):
        threads = [self.guarded(self.client, f"client {number}") for number in range(clients)]
        threads += [self.guarded(self.killed_followers, "followers"), self.guarded(self.chaos, "chaos")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.failures, "\n".join(self.failures + self.events[-30:])

    # --- clients

    def connect(self, name):
        client = self.agent.client(name, options=IMPATIENT)
        # Who is told of its state keeps the channel at it: by itself it tries only while a call is under way.
        client.channel.subscribe(lambda state: None, try_to_connect=True)
        return client

    def client(self, rng):
        name = rng.choice(["alice", "bob"])
        client = self.connect(name)
        while not self.is_over():
            act = rng.choice([self.start, self.start, self.stream, self.stream, self.stop, self.list, self.status])
            with contextlib.suppress(grpc.RpcError):
                act(rng, client, name)
            self.pause(rng, 0.05)
        client.close()

    def start(self, rng, client, name):
        kind = rng.choice([*KINDS, "quick", "slow"])
        start = Start(f"{name}-{rng.getrandbits(48):012x}", kind, rng.choice([0, 1, 1000, 100000]),
                      rng.randrange(100), rng.randrange(1, 5))
        start.owner, start.counted = name, rng.random() < 0.75
        if kind in ENDLESS and len([other for other in self.acknowledged()
                                    if other.kind in ENDLESS and not other.stopped]) > 20:
            return
        with self.lock:
            self.starts.append(start)
        self.settle(start, client, self.deadline)

    def settle(self, start, client, until):
        """Asks until there is an answer that says what became of it, or the time has come."""
        while True:
            start.attempts += 1
            try:
                job = client.jobs.StartJob(spec=start.spec(), request_id=start.request_id, timeout=10)
                with self.lock:
                    start.job = job
                return
            except grpc.RpcError as error:
                if error.code().name not in UNSETTLED:
                    start.refused = (error.code().name, error_info(error)[0], error.details())
                    return
                start.unsettled = (error.code().name, error.details())
                if time.monotonic() > until:
                    return
                with contextlib.suppress(grpc.FutureTimeoutError):  # without a connection it would answer at once
                    client.connected(until - time.monotonic())

    def one(self, rng, name):
        mine = [start for start in self.acknowledged() if start.owner == name]
        return rng.choice(mine[-20:]) if mine else None

    def stream(self, rng, client, name):
        """From the beginning, over cut connections, sometimes not to the end."""
        start = self.one(rng, name)
        if not start or (start.kind in ENDLESS and not start.stopped):
            return
        data, whole = b"", False
        with contextlib.suppress(grpc.RpcError):
            for response in client.jobs.StreamOutput(name=start.job.name, follow=True, timeout=15):
                if response.WhichOneof("kind") == "chunk":
                    assert response.chunk.offset == len(data), f"{start}: a hole or a repetition in the stream"
                    data += response.chunk.data
                if response.WhichOneof("kind") == "summary":
                    whole = not start.stopped and not start.init_harmed
                if rng.random() < 0.02:
                    break
        start.see(data, whole)

    def stop(self, rng, client, name):
        start = self.one(rng, name)
        if not start or (start.kind not in ENDLESS and rng.random() < 0.7):
            return
        start.stopped = True
        client.stop(start.job, grace=rng.choice([0, 0.2]), timeout=15)

    def list(self, rng, client, name):
        del rng
        missing = {start.job.name for start in [start for start in self.acknowledged() if start.owner == name][-RECENT:]}
        page = ""
        while missing:  # newest first
            answer = client.jobs.ListJobs(page_size=500, page_token=page, owner=name, timeout=15)
            missing -= {job.name for job in answer.jobs}
            page = answer.next_page_token
            assert page or not missing, f"acknowledged, but not listed: {missing}"

    def status(self, rng, client, name):
        start = self.one(rng, name)
        if not start:
            return
        try:
            job = client.jobs.GetJob(name=start.job.name, timeout=15)
        except grpc.RpcError as error:
            assert error.code().name != "NOT_FOUND", f"{start} is unknown"
            raise
        assert (job.name, job.create_time) == (start.job.name, start.job.create_time)

    def killed_followers(self, rng):
        """Followers of the command line, which die by SIGKILL, some while their system calls fail."""
        environment = {**os.environ, **self.agent.environment("admin")}
        while not self.is_over():
            starts = self.acknowledged()
            if starts:
                with subprocess.Popen([HOIST, "logs", "-f", rng.choice(starts).job.name], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as follower:
                    if rng.random() < 0.3:
                        with contextlib.suppress(waiting.Overdue):  # it is at its end already
                            self.fail(rng, follower.pid, CLIENT_FAULTS, "client")
                    else:
                        self.pause(rng, 0.5)
                    follower.kill()
                    assert follower.wait() not in CRASHES, f"a follower ended with {follower.returncode}"
            self.pause(rng, 0.3)

    # --- blows

    def chaos(self, rng):
        blows = [self.kill_hoistd] * 4 + [self.kill_launcher] + [self.kill_init] * 2 + [self.fail_hoistd] * 3 + \
            [self.fail_launcher] * 2 + [self.fail_init] * 2 + [self.fail_starts] + [self.terminate_hoistd] + [self.kill_all]
        while not self.is_over():
            self.pause(rng, 0.8)
            with contextlib.suppress(AssertionError, ProcessLookupError, waiting.Overdue, FileNotFoundError):
                rng.choice(blows)(rng)

    def kill_hoistd(self, rng):
        del rng
        pid = self.agent.hoistd_pid
        self.note("kill-hoistd")
        os.kill(pid, signal.SIGKILL)

    def terminate_hoistd(self, rng):
        del rng
        self.note("term-hoistd")
        os.kill(self.agent.hoistd_pid, signal.SIGTERM)

    def kill_launcher(self, rng):
        self.note("kill-launcher")
        os.kill(self.agent.launcher_pid, signal.SIGKILL)
        self.pause(rng, 0.2)
        self.agent.restart()

    def kill_all(self, rng):
        """hoistd, the launcher and a hoist-init at once."""
        start, pids = self.living(rng), [self.agent.hoistd_pid, self.agent.launcher_pid]
        if start:
            start.init_harmed = True
            pids.append(start.job.pid)
        self.note("kill-all")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.pause(rng, 0.2)
        self.agent.restart()

    def living(self, rng):
        """A job whose hoist-init may still be there, by a pidfd that is certainly its own; (start, pid) or None."""
        starts = [start for start in self.acknowledged()[-30:] if start.job.pid]
        rng.shuffle(starts)
        for start in starts:
            with contextlib.suppress(OSError):
                with open(f"/proc/{start.job.pid}/cgroup") as file:
                    if traces.uuid_of(start.job) in file.read():
                        return start
        return None

    def kill_init(self, rng):
        start = self.living(rng)
        if start:
            start.init_harmed = True
            self.note(f"kill-init {start.job.name}")
            os.kill(start.job.pid, signal.SIGKILL)

    def fail(self, rng, pid, calls, what):
        """hoistd has threads; of the launcher's children only the starts are meant."""
        inject = f"{rng.choice(calls)}:when={(first := rng.randrange(1, 8))}..{first + rng.randrange(0, 4)}"
        self.note(f"fail-{what} {inject}")
        with faults.injected(pid, inject, children=what in ("hoistd", "starts"),
                             end=signal.SIGKILL if what == "starts" else signal.SIGINT):
            self.pause(rng, 0.7)

    def fail_starts(self, rng):
        self.fail(rng, self.agent.launcher_pid, START_FAULTS, "starts")

    def fail_hoistd(self, rng):
        self.fail(rng, self.agent.hoistd_pid, HOISTD_FAULTS, "hoistd")

    def fail_launcher(self, rng):
        self.fail(rng, self.agent.launcher_pid, LAUNCHER_FAULTS, "launcher")

    def fail_init(self, rng):
        start = self.living(rng)
        if start:
            start.init_harmed = True
            self.fail(rng, start.job.pid, INIT_FAULTS, "init")

    # --- afterwards

    def calm(self):
        """The agent is there and answers; each start is settled, each job has ended."""
        clients = {name: self.connect(name) for name in ("alice", "bob")}
        for start in self.starts:
            if not start.job and not start.refused:
                self.settle(start, clients[start.owner], time.monotonic() + PATIENCE)
            assert start.job or start.refused, \
                f"{start} is never answered: {start.unsettled}; hoist ping: {self.agent.cli('alice')('ping')}"
        for start in self.acknowledged():
            if start.kind in ENDLESS:
                start.stopped = True
                clients[start.owner].stop(start.job, grace=0, timeout=PATIENCE)
        return clients

    def check(self):
        clients = self.calm()
        wrong = []
        for start in self.acknowledged():
            try:
                self.check_one(start, clients[start.owner])
            except (AssertionError, grpc.RpcError) as error:
                wrong.append(str(error))
        for start in self.starts:
            try:
                start.see_counter(self.counters, start.whole and start.counted)
            except AssertionError as error:
                wrong.append(str(error))
        wrong += self.check_lists(clients)
        assert not wrong, "\n".join(wrong + self.events)

    def check_one(self, start, client):
        job = client.wait(start.job)
        told = ending(job)
        whole = start.whole = told == ("SUCCEEDED" if start.code == 0 else "FAILED", "EXITED", start.code, 0) and \
            start.kind not in ENDLESS and word("Reason", job.reason) == "UNSPECIFIED"
        stopped = told[:2] == ("STOPPED", "STOPPED_BY_USER") and start.stopped
        lost = told == ("LOST", "LOST", None, 0) and start.init_harmed
        unwritten = start.init_harmed and word("Reason", job.reason) == "OUTPUT_WRITE_FAILED"
        assert whole or stopped or lost or unwritten, f"{start} ended as {told}: {job.error}"
        output = client.output(start.job)
        start.see(output.data, whole and output.summary.complete)
        assert output.summary.complete or unwritten, f"{start}: its output is not complete"

    def check_lists(self, clients):
        """No start became two jobs, and no job is there that nobody had asked for."""
        wrong = []
        by_name = {f"t-{start.request_id}": start for start in self.starts}
        for name, client in clients.items():
            seen, page = set(), ""
            while True:
                answer = client.jobs.ListJobs(page_size=500, page_token=page)
                for job in answer.jobs:
                    start = by_name.get(job.spec.display_name)
                    if start is None or start.job and start.job.name != job.name or job.spec.display_name in seen:
                        wrong.append(f"{name}: {job.name} ({job.spec.display_name}) is nobody's job: {start}")
                    seen.add(job.spec.display_name)
                page = answer.next_page_token
                if not page:
                    break
        return wrong
