# SPDX-License-Identifier: Apache-2.0
"""Agents that die, are restarted, or may not start: jobs run on, and what is said of them afterwards is the truth."""

import contextlib
import functools
import glob
import os
import shutil
import signal
import socket
import subprocess

import grpc
import pytest

from harness import BUILD, PATIENCE, faults, records, takeover, traces, waiting
from harness.agent import NO_LEAKS, Agent
from harness.api import ending, refused, seconds, word
from harness.cli import HOIST
from harness.pattern import pattern

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the state directory is hoistd's")


@pytest.fixture(scope="module")
def own():
    with Agent() as agent:
        yield agent


@pytest.fixture
def alice(own):
    """A client with a connection of its own. Where hoistd is away the launcher holds the port, so that it waits."""
    return own.client("alice")


def ready(alice, job):
    alice.await_output(job, b"ready\n")
    return job


# --- hoistd is killed


@pytest.mark.parametrize("how", ["hoistd is killed", "the agent is restarted", "the launcher is killed"])
def test_jobs_run_on(own, alice, probe, how):
    """Record, output and exit code are there afterwards; what was running can be followed, signalled and stopped."""
    waits = ["out", "ready", ",", "await", "10", ","]
    goes_on = ready(alice, alice.start(probe, *waits, "bytes", "300000", ",", "exit", "3", display_name="goes-on",
                                       labels={"a": "b"}, env=[{"name": "SECRET", "value": b"x"}]))
    stays = ready(alice, alice.start(probe, "ignore", "15", ",", "out", "ready", ",", "tree", "3"))
    over = alice.run("sh", "-c", "echo over; exit 4")
    if how == "hoistd is killed":
        launcher = own.launcher_pid
        own.kill_hoistd()
        assert own.launcher_pid == launcher
    elif how == "the launcher is killed":
        kill_parts(own, "launcher")
        own.restart()
    else:
        own.restart()
    client = own.client("alice")
    again = client.jobs.GetJob(name="goes-on")
    assert (again.name, again.pid, again.job_uid) == (goes_on.name, goes_on.pid, goes_on.job_uid)
    assert (again.spec, again.start_time, again.limits) == (goes_on.spec, goes_on.start_time, goes_on.limits)
    assert word("JobState", again.state) == "RUNNING"
    assert ending(client.jobs.GetJob(name=over.name)) == ("FAILED", "EXITED", 4, 0)
    assert client.output(over).data == b"over\n"
    fresh = client.start(probe, "forever")
    assert fresh.job_uid not in (goes_on.job_uid, stays.job_uid)
    client.stop(fresh, grace=0)
    client.jobs.SignalJob(name="goes-on", signal="USR1")
    output = client.output(goes_on)
    assert output.data == b"ready\ngot signal 10\n" + pattern(300000) and output.summary.complete
    assert ending(client.wait(goes_on)) == ("FAILED", "EXITED", 3, 0)
    assert ending(client.stop(stays, grace=0.2)) == ("STOPPED", "STOPPED_BY_USER", None, signal.SIGKILL)
    for job in (goes_on, stays):
        traces.assert_gone(own, job)
        client.jobs.DeleteJob(name=job.name)


def kill_parts(own, killed):
    """hoistd, whose end is waited for, or the launcher, with which hoistd ends, or both."""
    pids = {"hoistd": own.hoistd_pid, "launcher": own.launcher_pid}
    doomed = [pids[part] for part in pids if part in killed]
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    if doomed:
        waiting.process_end(pids["hoistd"])


@pytest.mark.parametrize("killed", ["client", "hoistd", "launcher", "client hoistd launcher"])
def test_whoever_is_killed_meanwhile_status_and_output_are_whole(own, alice, killed):
    job = alice.start("sh", "-c", "echo ready; sleep 2; seq 100000; exit 42")
    with subprocess.Popen([HOIST, "logs", "-f", job.name], env=own.cli("alice").environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as follower:
        begun = waiting.read_until(follower.stdout, b"ready\n")
        if "client" in killed:
            follower.kill()
        kill_parts(own, killed)
        if "launcher" in killed:
            own.restart()
        rest, words = follower.communicate(timeout=PATIENCE)
        code = follower.returncode
    client = own.client("alice")
    assert ending(client.wait(job)) == ("FAILED", "EXITED", 42, 0)
    output = client.output(job)
    assert output.data == whole() and output.summary.complete
    if "client" in killed:
        assert code == -signal.SIGKILL
    else:
        assert code == 0 and begun + rest == whole(), words.decode()
    client.jobs.DeleteJob(name=job.name)


def whole():
    return b"ready\n" + b"".join(b"%d\n" % n for n in range(1, 100001))


def test_a_shutdown_that_hangs_has_an_end(own, alice):
    """The store's thread never answers and the launcher is dead: nobody else would free lock and port."""
    hoistd = own.hoistd_pid
    store = next(int(thread) for thread in os.listdir(f"/proc/{hoistd}/task") if comm(hoistd, thread) == "store")
    takeover.ptrace(takeover.ATTACH, store)
    os.waitpid(store, takeover.WALL)
    os.kill(own.launcher_pid, signal.SIGKILL)
    os.waitpid(store, takeover.WALL)  # it is let go by nothing but its end
    waiting.process_end(hoistd)
    assert "the shutdown hangs" in own.log()
    own.restart()
    assert own.client("alice").agent.Ping().principal == "alice"


def comm(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/comm") as file:
        return file.read().strip()


def test_what_happens_while_hoistd_is_away(own, alice, probe):
    """An exit, a timeout, a stop under way, and a hoist-init that is killed."""
    waits = ["out", "ready", ",", "await", "10", ","]
    exits = ready(alice, alice.start(probe, *waits, "bytes", "100000", ",", "exit", "7"))
    times_out = ready(alice, alice.start(probe, "out", "ready", ",", "ignore", "15", ",", "tree", "2",
                                         timeout=seconds(1), grace=seconds(0.2)))
    stops = ready(alice, alice.start(probe, "ignore", "15", ",", "out", "ready", ",", "tree", "2"))
    dies = ready(alice, alice.start(probe, "out", "ready", ",", "forever"))
    with pytest.raises(grpc.RpcError):
        alice.stop(stops, grace=1, timeout=0.3)
    with records.hoistd_away(own):
        # To the command, from outside: hoistd, which would queue it, is away.
        os.kill(traces.processes_of(exits.job_uid)[0], signal.SIGUSR1)
        os.kill(dies.pid, signal.SIGKILL)
        for job in (exits, times_out, stops, dies):
            waiting.process_end(job.pid)
    client = own.client("alice")
    assert ending(client.wait(exits)) == ("FAILED", "EXITED", 7, 0)
    assert client.output(exits).data == b"ready\ngot signal 10\n" + pattern(100000)
    assert ending(client.wait(times_out)) == ("FAILED", "TIMED_OUT", None, signal.SIGKILL)
    stopped = client.wait(stops)
    assert ending(stopped) == ("STOPPED", "STOPPED_BY_USER", None, signal.SIGKILL)
    assert stopped.stopped_by == "alice"
    lost = client.wait(dies)
    assert ending(lost) == ("LOST", "LOST", None, 0) and word("Reason", lost.reason) == "INIT_LOST"
    assert client.output(dies).data == b"ready\n" and client.output(dies).summary.complete
    for job in (exits, times_out, stops, dies):
        traces.assert_gone(own, job)


def test_a_follower_that_is_cut_resumes_without_a_gap(own, alice, probe):
    job = alice.start(probe, *" , ".join(["bytes 30000", "sleep 20"] * 20 + ["out ready", "await 10"]).split())
    data, cuts = b"", 0
    client = alice
    while True:
        try:
            for response in client.jobs.StreamOutput(name=job.name, offset=len(data), follow=True):
                assert not response.chunk.data or response.chunk.offset == len(data)
                data += response.chunk.data
                if cuts < 2 and len(data) > 100000 * (cuts + 1):
                    cuts += 1
                    own.kill_hoistd()
                if data.endswith(b"ready\n"):
                    client.jobs.SignalJob(name=job.name, signal="USR1")
            break
        except grpc.RpcError as error:
            assert error.code().name == "UNAVAILABLE", error.details()
            client = own.client("alice")
    assert cuts == 2 and data == pattern(30000) * 20 + b"ready\ngot signal 10\n"


def test_the_command_line_says_how_to_go_on_when_it_is_cut(own, alice, probe):
    job = ready(alice, alice.start(probe, "out", "ready", ",", "await", "10", ",", "out", "bye"))
    with own.cli("alice").running("logs", "-f", "--reconnect", "0", job.name) as process:
        waiting.read_until(process.stdout, b"ready\n")
        own.kill_hoistd()
        process.wait(timeout=PATIENCE)
        words = process.stderr.read().decode()
    assert process.returncode != 0 and "--offset 6" in words
    client = own.client("alice")
    client.jobs.SignalJob(name=job.name, signal="USR1")
    assert own.cli("alice")("logs", "-f", "--offset", "6", job.name, check=0).stdout == "got signal 10\nbye\n"


def test_an_agent_that_is_short_of_descriptors_waits_for_its_jobs(own, alice, probe):
    """Who can't be looked at may be alive: nobody is ended for want of a descriptor."""
    jobs = [ready(alice, alice.start(probe, "out", "ready", ",", "await", "10", ",", "exit", "6")) for _ in range(2)]
    first_of_hoistd_itself = "when=2..4"
    with faults.injected(own.launcher_pid, f"pidfd_open:error=EMFILE:{first_of_hoistd_itself}"):
        own.kill_hoistd()
        own.wait_log("can't be found again yet, and all others wait for it: hoist-init isn't found: Too many open files")
        client = own.client("alice")
        found = [client.jobs.GetJob(name=job.name) for job in jobs]
    assert [(word("JobState", job.state), job.pid) for job in found] == [("RUNNING", job.pid) for job in jobs]
    for job in jobs:
        client.jobs.SignalJob(name=job.name, signal="USR1")
        assert ending(client.wait(job)) == ("FAILED", "EXITED", 6, 0)


def test_a_hoistd_that_lacks_what_it_needs_to_start_is_started_again(own, alice):
    """What is short is no mistake in its configuration, for which the launcher would give up.

    The first two of these calls are made before it is executed.
    """
    with faults.injected(own.launcher_pid, "setresuid:error=EAGAIN:when=3", end=signal.SIGKILL):
        own.kill_hoistd()
        own.wait_log("can't become user")
    assert ending(alice.run("true")) == ("SUCCEEDED", "EXITED", 0, 0)


def test_a_job_without_a_record_is_adopted_and_one_without_its_job_is_lost(own, alice, probe):
    waits = ["out", "ready", ",", "await", "10", ","]
    adopted = ready(alice, alice.start(probe, *waits, "exit", "5", display_name="kept"))
    orphan = "01234567-89ab-4cde-8f01-23456789abcd"
    with records.hoistd_away(own):
        records.remove(own, adopted)
        for leaf in ("init", "cmd"):
            os.makedirs(f"{traces.cgroup_root(own)}/p-nobody/{orphan}/{leaf}")
        os.mkdir(f"{own.dir}/state/jobs/{orphan}")
    client = own.client("alice")
    found = client.jobs.GetJob(name="kept")
    assert word("JobState", found.state) == "RUNNING"
    assert (found.name, found.pid) == (adopted.name, adopted.pid)
    waiting.path_gone(f"{traces.cgroup_root(own)}/p-nobody")
    waiting.path_gone(f"{own.dir}/state/jobs/{orphan}")
    client.jobs.SignalJob(name="kept", signal="USR1")
    assert ending(client.wait(adopted)) == ("FAILED", "EXITED", 5, 0)
    client.jobs.DeleteJob(name="kept")


def test_a_retried_start_is_one_job_whatever_became_of_hoistd(own, alice, probe):
    """Of one that runs, one that has ended, and one whose record had not been committed when hoistd died."""
    specs = {name: {"command": probe.encode(), "args": [part.encode() for part in parts]} for name, parts in {
        "runs": ("out", "ready", ",", "forever"), "over": ("exit", "4"), "bare": ("out", "ready", ",", "await", "10")}.items()}
    jobs = {name: alice.jobs.StartJob(spec=spec, request_id=f"retried-{name}") for name, spec in specs.items()}
    for name in ("runs", "bare"):
        ready(alice, jobs[name])
    alice.wait(jobs["over"])
    with records.hoistd_away(own):
        records.remove(own, jobs["bare"])
    client = own.client("alice")
    for name, spec in specs.items():
        assert client.jobs.StartJob(spec=spec, request_id=f"retried-{name}").name == jobs[name].name
        with refused("ALREADY_EXISTS", "REQUEST_ID_REUSED"):
            client.jobs.StartJob(spec={"command": b"true"}, request_id=f"retried-{name}")
    for name in ("runs", "bare"):
        client.stop(jobs[name], grace=0)
    for job in jobs.values():
        client.jobs.DeleteJob(name=job.name)


def test_jobs_of_before_a_reboot_are_lost(own, alice, probe, tmp_path):
    job = ready(alice, alice.start(probe, "out", "ready", ",", "forever"))
    over = alice.run("sh", "-c", "exit 6")
    faults.reboot(own, tmp_path, job.pid)
    client = own.client("alice")
    lost = client.jobs.GetJob(name=job.name)
    assert ending(lost) == ("LOST", "LOST", None, 0) and word("Reason", lost.reason) == "HOST_REBOOTED"
    assert "restarted" in lost.error
    assert client.output(job).data == b"ready\n" and client.output(job).summary.complete
    assert ending(client.jobs.GetJob(name=over.name)) == ("FAILED", "EXITED", 6, 0)
    own.restart()
    assert ending(own.client("alice").jobs.GetJob(name=job.name)) == ("LOST", "LOST", None, 0)
    traces.assert_gone(own, job)


def test_sigterm_to_hoistd_drains_and_the_launcher_starts_another(own, alice, probe):
    job = ready(alice, alice.start(probe, "out", "ready", ",", "forever"))
    own.kill_hoistd(signal.SIGTERM)
    client = own.client("alice")
    assert client.jobs.GetJob(name=job.name).pid == job.pid
    client.stop(job, grace=0)


def test_calls_that_a_shutdown_ends_say_so_and_can_be_resumed(own, alice, probe):
    """They don't hold it up: not one is cut at its deadline."""
    job = ready(alice, alice.start(probe, "out", "ready", ",", "await", "10", ",", "out", "bye"))
    streams = [alice.jobs.StreamOutput(name=job.name, follow=True), alice.jobs.WatchJob(name=job.name), alice.health.Watch()]
    for stream in streams:
        next(stream)
    wait = alice.jobs.WaitJob.begin(name=job.name)
    alice.agent.Ping()  # behind it on the same connection
    with own.cli("alice").running("logs", "-f", job.name) as process:
        waiting.read_until(process.stdout, b"ready\n")
        seen = len(own.log())
        own.kill_hoistd(signal.SIGTERM)
        for end in (wait.result, *(functools.partial(list, stream) for stream in streams)):
            with refused("UNAVAILABLE", "SHUTTING_DOWN"):
                end()
        client = own.client("alice")
        assert client.output(job, offset=6, follow=False).data == b""
        client.jobs.SignalJob(name=job.name, signal="USR1")
        said, words = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said, words) == (0, b"got signal 10\nbye\n", b"")
    assert "didn't end before the shutdown" not in own.log()[seen:]


@pytest.fixture
def stopping():
    with Agent(settings={"on_agent_exit": "stop"}) as agent:
        yield agent


def test_an_agent_that_takes_its_jobs_with_it(stopping, probe):
    """Each with its own grace, followed to its end; but only when it is asked to end, not when a part of it dies."""
    alice = stopping.client("alice")
    polite = ready(alice, alice.start(probe, "hold", "15", "out", "ready", ",", "await", "15", ",", "out", "bye", ",", "exit", "3"))
    deaf = ready(alice, alice.start(probe, "ignore", "15", ",", "out", "ready", ",", "tree", "2", grace=seconds(0.2)))
    stopping.kill_hoistd()
    stopping.client("alice").agent.Ping()
    stopping.kill_hoistd(signal.SIGTERM)
    alice = stopping.client("alice")
    assert [word("JobState", alice.jobs.GetJob(name=job.name).state) for job in (polite, deaf)] == ["RUNNING"] * 2
    stream = alice.jobs.StreamOutput(name=polite.name, follow=True)
    next(stream)
    stopping.restart()
    assert [response.WhichOneof("kind") for response in stream][-1] == "summary"
    alice = stopping.client("alice")
    assert ending(alice.jobs.GetJob(name=polite.name)) == ("STOPPED", "AGENT_SHUTDOWN", 3, 0)
    assert ending(alice.jobs.GetJob(name=deaf.name)) == ("STOPPED", "AGENT_SHUTDOWN", None, signal.SIGKILL)
    assert alice.output(polite).data == b"ready\ngot signal 15\nbye\n"
    for job in (polite, deaf):
        traces.assert_gone(stopping, job)


def test_an_agent_that_is_to_take_its_jobs_with_it_before_it_has_found_them(stopping, probe):
    """It looks for one after the other: those behind are stopped as well, and waited for."""
    alice = stopping.client("alice")
    jobs = [ready(alice, alice.start(probe, "hold", "15", "out", "ready", ",", "await", "15", ",", "exit", "3")) for _ in range(2)]
    launcher, start = stopping.launcher_pid, len(stopping.log())
    with faults.injected(launcher, "pidfd_open:error=EMFILE:when=2+"):  # the first is of hoistd itself
        stopping.kill_hoistd()
        stopping.wait_log("all others wait for it", start=start)
        os.kill(launcher, signal.SIGTERM)
        stopping.wait_log("jobs are stopped", start=start)
    waiting.process_end(launcher)
    assert [traces.processes_of(job.job_uid) for job in jobs] == [[], []]
    stopping.restart()
    alice = stopping.client("alice")
    for job in jobs:
        assert ending(alice.jobs.GetJob(name=job.name)) == ("STOPPED", "AGENT_SHUTDOWN", 3, 0)


# --- agents that may not start


@contextlib.contextmanager
def another_agent(own, *hoistd_arguments):
    """A second launcher with the configuration of the first, but a cgroup root and a port of its own."""
    command = [f"{BUILD}/hoist-launcher", "--config", f"{own.dir}/launcher.conf", "--cgroup-root", "/hoist-test-second",
               "--hoistd", f"{BUILD}/hoistd", "--init", f"{BUILD}/hoist-init", "--",
               "--config", f"{own.dir}/etc/hoistd.yaml", "--listen", "127.0.0.1:0", *hoistd_arguments]
    with subprocess.Popen([os.path.realpath(command[0]), *map(resolve, command[1:])], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**NO_LEAKS, **os.environ}) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def resolve(argument):
    return os.path.realpath(argument) if argument.startswith(f"{BUILD}/hoist") else argument


def test_a_second_agent_on_one_state_directory(own, alice):
    hoistd = own.hoistd_pid
    with another_agent(own) as second:
        said = waiting.read_until(second.stderr, b"hoistd ended").decode()
    assert f"another agent with pid {hoistd} has the state directory {own.dir}/state; " \
        "stop it, or choose another directory" in said
    assert own.hoistd_pid == hoistd and alice.agent.Ping().principal == "alice"


@pytest.fixture
def state(own):
    """A directory beside the state directory that hoistd could use."""
    path = f"{own.dir}/other-state"
    os.mkdir(path, 0o700)
    owner = os.stat(f"{own.dir}/state").st_uid
    os.chown(path, owner, owner)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def assert_refused(own, path, words):
    with another_agent(own, "--state", path) as second:
        said = waiting.read_until(second.stderr, b"hoistd ended").decode()
    assert words in said and "Sanitizer" not in said


def test_state_directory_of_another_owner(own, state):
    uid = os.stat(state).st_uid
    os.chown(state, 12345, 12345)
    os.chmod(state, 0o755)
    assert_refused(own, state, f"the state directory {state} belongs to uid 12345, not to us; mend it with: "
                               f"chown {uid} {state}")


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o777])
def test_state_directory_that_others_may_enter(own, state, mode):
    os.chmod(state, mode)
    assert_refused(own, state, f"others may enter the state directory {state} (mode {mode:04o}); mend it with: "
                               f"chmod 0700 {state}")


def test_state_directory_that_is_a_link_or_a_file(own, state):
    link = f"{own.dir}/other-link"
    os.symlink(state, link)
    assert_refused(own, link, f"can't open the state directory {link}: ")
    os.unlink(link)
    with open(link, "w"):
        pass
    assert_refused(own, link, f"can't open the state directory {link}: Not a directory")
    os.unlink(link)


def test_records_that_are_no_database(own, state):
    owner = os.stat(state).st_uid
    with open(f"{state}/jobs.db", "wb") as file:
        file.write(b"this is no database" * 1000)
    os.chown(f"{state}/jobs.db", owner, owner)
    with another_agent(own, "--state", state) as second:
        said = waiting.read_until(second.stderr, b"jobs.db").decode()
    assert "Sanitizer" not in said


def tear_pages(path):
    with open(path, "r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (os.path.getsize(path) - 100))


@pytest.mark.parametrize("harm,words", [(tear_pages, "were damaged and are kept as"), (os.unlink, "are gone")])
def test_records_that_are_damaged_or_gone_lose_no_job(own, alice, probe, harm, words):
    """It is told, nothing is thrown away, what runs is not touched, and the jobs' directories tell the rest."""
    runs = ready(alice, alice.start(probe, "out", "ready", ",", "await", "10", ",", "exit", "5"))
    over = alice.run("sh", "-c", "echo over; exit 4")
    path = f"{own.dir}/state/jobs.db"
    with records.hoistd_away(own):
        harm(path)
        for journal in (f"{path}-wal", f"{path}-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(journal)
        seen = len(own.log())
    client = own.client("alice")
    found = client.jobs.GetJob(name=runs.name)
    assert (found.pid, word("JobState", found.state)) == (runs.pid, "RUNNING")
    assert found.usage.cpu_usec > 0
    assert ending(client.jobs.GetJob(name=over.name)) == ("FAILED", "EXITED", 4, 0)
    assert client.output(over).data == b"over\n"
    assert words in own.log()[seen:]
    kept = [name for name in os.listdir(f"{own.dir}/state") if ".damaged-" in name]
    assert bool(kept) == (harm is tear_pages)
    for name in kept:
        os.unlink(f"{own.dir}/state/{name}")
    client.jobs.SignalJob(name=runs.name, signal="USR1")
    assert ending(client.wait(runs)) == ("FAILED", "EXITED", 5, 0)
    for job in (runs, over):
        client.jobs.DeleteJob(name=job.name)


def test_output_whose_files_are_gone_is_lost_data(own, alice):
    job = alice.run("sh", "-c", "echo over")
    shutil.rmtree(f"{own.dir}/state/{job.name}")
    with refused("DATA_LOSS", "OUTPUT_DAMAGED"):
        alice.output(job)
    assert ending(alice.jobs.GetJob(name=job.name)) == ("SUCCEEDED", "EXITED", 0, 0)
    alice.jobs.DeleteJob(name=job.name)


def test_a_journal_that_is_cut_short_loses_no_running_job(own, alice, probe):
    """As after a loss of power on a disk that had promised too much."""
    job = ready(alice, alice.start(probe, "out", "ready", ",", "await", "10", ",", "exit", "5"))
    with records.hoistd_away(own):
        journal = f"{own.dir}/state/jobs.db-wal"
        os.truncate(journal, os.path.getsize(journal) * 2 // 3)
    client = own.client("alice")
    assert client.jobs.GetJob(name=job.name).pid == job.pid
    client.jobs.SignalJob(name=job.name, signal="USR1")
    assert ending(client.wait(job)) == ("FAILED", "EXITED", 5, 0)
    client.jobs.DeleteJob(name=job.name)


@pytest.mark.parametrize("records_are_gone", [False, True])
def test_a_disk_that_is_full_at_the_start_ends_no_job(own, probe, records_are_gone):
    """With its records the agent serves, and refuses starts alone; without it says why it doesn't, until there is room."""
    with faults.small_disk(own, "8m", place="state") as disk:
        client = own.client("alice")
        jobs = [ready(client, client.start(probe, "out", "ready", ",", "await", "10", ",", "exit", "6")) for _ in range(2)]
        start = os.path.getsize(own.log_path)
        with records.hoistd_away(own):
            for path in glob.glob(f"{disk}/jobs.db*") if records_are_gone else []:
                os.unlink(path)
            ballast = faults.fill(disk)
        if records_are_gone:
            own.wait_log("the disk is full", start=start)
            os.unlink(ballast)
        client = own.client("alice")
        assert [client.jobs.GetJob(name=job.name).pid for job in jobs] == [job.pid for job in jobs]
        if not records_are_gone:
            with refused("RESOURCE_EXHAUSTED"):
                client.start("true")
            os.unlink(ballast)
        for job in jobs:
            client.jobs.SignalJob(name=job.name, signal="USR1")
            assert ending(client.wait(job)) == ("FAILED", "EXITED", 6, 0)
            assert client.output(job).data == b"ready\ngot signal 10\n"


def test_hoistd_ends_when_its_launcher_says_nothing(own):
    uid = os.stat(f"{own.dir}/state").st_uid
    silent, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with silent, its:
        done = subprocess.run([os.path.realpath(f"{BUILD}/hoistd"), "--config", f"{own.dir}/etc/hoistd.yaml"], user=uid,
                              group=uid, extra_groups=[], pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, cwd="/",
                              capture_output=True, text=True, timeout=PATIENCE + 10,
                              env={**NO_LEAKS, "HOIST_LAUNCHER_FD": str(its.fileno())})
    assert done.returncode == 1 and "Sanitizer" not in done.stderr
    assert "hoist-launcher: it doesn't answer" in done.stderr or "has not answered in time" in done.stderr


def test_key_that_others_can_read(own, state):
    key = f"{own.dir}/etc/open.key"
    shutil.copy(f"{own.dir}/etc/server.key", key)
    os.chown(key, os.stat(state).st_uid, -1)
    os.chmod(key, 0o644)
    with another_agent(own, "--state", state, "--key", key) as second:
        said = waiting.read_until(second.stderr, b"not restarted").decode()
        assert second.wait(timeout=PATIENCE) == 78  # EX_CONFIG: trying again would not mend it
    assert key in said
    with refused("NOT_FOUND", "JOB_NOT_FOUND"):
        own.client("alice").jobs.GetJob(name="01234567")
