# SPDX-License-Identifier: Apache-2.0
"""What hoistd holds, and what is left to somebody who has taken it over: he makes system calls in its name."""

import mmap
import os
import re
import signal

import pytest

from harness import traces, waiting
from harness.api import word
from harness.takeover import SUPPORTED, Killed, Takeover

pytestmark = [pytest.mark.plain,
              pytest.mark.skipif(not SUPPORTED, reason="only root can take over hoistd, here on x86-64")]

SANITIZED = re.compile(rb"__(asan|tsan)_init")
NO_CAPABILITY = 16 * "0"


def status(path):
    with open(path) as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


@pytest.fixture(scope="module")
def sanitized(build):
    """A sanitizer's runtime needs more calls than hoistd does (src/agent/confine-calls.c)."""
    with open(f"{build}/hoistd", "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as program:
        return bool(SANITIZED.search(program))


@pytest.fixture
def own_agent(make_agent):
    return make_agent()


@pytest.fixture
def taken(own_agent):
    with Takeover(own_agent.hoistd_pid) as taken:
        yield taken


def test_each_thread_is_confined(own_agent):
    tasks = f"/proc/{own_agent.hoistd_pid}/task"
    names = set()
    for task in os.listdir(tasks):
        of = status(f"{tasks}/{task}/status")
        names.add(of["Name"])
        assert [of[f"Cap{which}"] for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == 5 * [NO_CAPABILITY]
        assert (of["NoNewPrivs"], of["Seccomp"]) == ("1", "2")
        assert 4 * ["0"] != of["Uid"].split() and len(set(of["Uid"].split() + of["Gid"].split())) == 1
        assert of["Groups"].strip() == ""
    assert {"store", "hoist-accept", "hoist-grpc-0"} < names


def test_no_cores_and_no_further_threads(own_agent, sanitized):
    with open(f"/proc/{own_agent.hoistd_pid}/limits") as file:
        limits = {line[:26].strip(): line[26:].split()[:2] for line in file}
    assert limits["Max core file size"] == ["0", "0"]
    assert sanitized or limits["Max processes"] == ["0", "0"]


def test_its_files_belong_to_root(own_agent):
    """So they do when a process can't be dumped: then no other process of its uid can trace it."""
    assert os.stat(f"/proc/{own_agent.hoistd_pid}/mem").st_uid == 0


def test_the_log_tells(own_agent):
    assert re.search(r"confined capabilities=none root=(own|\"the host's\") landlock=\d+ seccomp=yes", own_agent.log())


def test_it_reaches_its_own_files_only(own_agent, taken, sanitized):
    if "landlock=0" in own_agent.log():
        pytest.skip("the kernel has no Landlock")
    directory = own_agent.dir
    assert taken.try_call("open", f"{directory}/state/jobs.db", os.O_RDWR, 0) == ""
    assert taken.try_call("open", f"{directory}/state/own", os.O_RDWR | os.O_CREAT, 0o600) == ""
    assert taken.try_call("open", f"{directory}/etc/server.key", os.O_RDONLY, 0) == ""
    refusals = ("EACCES", "EROFS", "ENOENT")  # by Landlock, by a read-only mount, by what isn't there
    assert taken.try_call("open", f"{directory}/etc/server.key", os.O_RDWR, 0) in refusals
    assert taken.try_call("open", f"{directory}/etc/new", os.O_RDWR | os.O_CREAT, 0o600) in refusals
    assert taken.try_call("open", "/var/tmp/hoist-test-new", os.O_RDWR | os.O_CREAT, 0o600) in refusals
    assert taken.try_call("open", "/new", os.O_RDWR | os.O_CREAT, 0o600) in refusals
    assert taken.try_call("open", "/proc/self/mem", os.O_RDWR, 0) in refusals
    if not sanitized:
        for path in ("/etc/shadow", "/etc/passwd", f"{directory}/pki", f"{directory}/launcher.conf"):
            assert taken.try_call("open", path, os.O_RDONLY, 0) in refusals
        assert taken.try_call("open", "/usr/bin", os.O_RDONLY | os.O_DIRECTORY, 0) in refusals


def test_its_root_holds_nothing_else(own_agent, sanitized):
    if "root=own" not in own_agent.log():
        pytest.skip("a sanitizer's runtime needs the host's root" if sanitized else "needs root, or user namespaces")
    root = f"/proc/{own_agent.hoistd_pid}/root"
    top = {place.split("/")[1] for place in (own_agent.dir, "/dev")}
    assert set(os.listdir(root)) == top
    assert os.listdir(f"{root}/dev") == ["null"]
    assert set(os.listdir(f"{root}{own_agent.dir}")) == {"etc", "state"}
    with open(f"/proc/{own_agent.hoistd_pid}/mountinfo") as file:
        mounts = {line.split()[4]: line.split()[5].split(",") for line in file}
    assert [place for place, options in mounts.items() if "rw" in options] == ["/dev/null", f"{own_agent.dir}/state"]
    assert all({"nosuid", "noexec"} <= set(options) for options in mounts.values())


def cgroup_descriptor(agent):
    """The number of hoistd's descriptor of the jobs' cgroup root."""
    pid, root = agent.hoistd_pid, os.stat(traces.cgroup_root(agent))
    numbers = [int(number) for number in os.listdir(f"/proc/{pid}/fd")
               if os.path.samestat(os.stat(f"/proc/{pid}/fd/{number}"), root)]
    assert len(numbers) == 1, numbers
    return numbers[0]


def test_its_cgroups_are_those_of_jobs_alone(own_agent):
    """Out of the one directory that it was given there is no way, and in it nothing to write."""
    job = own_agent.client("alice").start("sleep", "600")
    root, number = os.stat(traces.cgroup_root(own_agent)), cgroup_descriptor(own_agent)
    cgroup, directory = f"p-alice/{traces.uuid_of(job)}/cmd", os.O_RDONLY | os.O_DIRECTORY
    with Takeover(own_agent.hoistd_pid) as taken:
        for path in ("..", "../..", "p-alice/../../../..", "."):
            reached = taken.call("openat", number, path, directory, 0)
            assert reached >= 0 and os.path.samestat(os.stat(f"/proc/{taken.pid}/fd/{reached}"), root)
        assert taken.try_call("openat", number, f"{cgroup}/cpu.stat", os.O_RDONLY, 0) == ""
        for file in ("cgroup.procs", f"{cgroup}/cgroup.kill", f"{cgroup}/cgroup.procs"):
            assert taken.try_call("openat", number, file, os.O_WRONLY, 0) in ("EACCES", "EROFS")
        assert taken.try_call("openat", number, "new", os.O_CREAT | os.O_WRONLY, 0o600) in ("EACCES", "EROFS", "EPERM")
        assert taken.try_call("mkdirat", number, "new", 0o755) in ("EACCES", "EROFS", "EPERM")
        assert taken.try_call("fchdir", number) == "ENOSYS"
        if "root=own" in own_agent.log():
            for place in ("/sys/fs/cgroup", traces.cgroup_root(own_agent), "/proc/self", "/proc/1/environ"):
                assert taken.try_call("open", place, os.O_RDONLY, 0) == "ENOENT"


def told_of_use(agent, job):
    usage = agent.client("alice").jobs.GetJob(name=job.name, statistics=True).usage
    return {statistic.name for statistic in usage.statistics}


def test_cgroups_that_were_made_anew_are_read(own_agent):
    """Somebody has removed the root while it held no job. Landlock's rules are of directories, so that where the
    kernel has it only another hoistd may read the new one."""
    first = own_agent.hoistd_pid
    os.rmdir(traces.cgroup_root(own_agent))
    job = own_agent.client("alice").start("sleep", "600")
    if "landlock=0" not in own_agent.log():
        own_agent.wait_log("the jobs' cgroups were made anew")
        waiting.process_end(first)
    assert "cpu.stat.usage_usec" in told_of_use(own_agent, job)
    own_agent.kill_hoistd()
    assert "cpu.stat.usage_usec" in told_of_use(own_agent, job)
    own_agent.restart()
    assert "cpu.stat.usage_usec" in told_of_use(own_agent, job)


def test_it_makes_neither_code_nor_processes(taken, sanitized):
    if sanitized:
        pytest.skip("a sanitizer's runtime does all of this")
    read_write_execute, private = 7, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    no_file = -1
    assert taken.try_call("mmap", 0, 4096, read_write_execute & ~mmap.PROT_EXEC, private, no_file, 0) == ""
    assert taken.try_call("mmap", 0, 4096, read_write_execute, private, no_file, 0) == "ENOSYS"
    assert taken.try_call("mprotect", taken.registers.rsp & ~4095, 4096, read_write_execute) == "ENOSYS"
    assert taken.try_call("memfd_create", "x", 0) == "EPERM"
    assert taken.try_call("clone", int(signal.SIGCHLD), 0) == "ENOSYS"
    dumpable = 4
    assert taken.try_call("prctl", dumpable, 1) == "ENOSYS"
    assert taken.try_call("prlimit64", os.getpid(), 0, 0, 0) == "ENOSYS"
    user_namespace = 0x10000000
    assert taken.try_call("unshare", user_namespace) == "EPERM"
    assert taken.try_call("chmod", "/proc/self/mem", 0o777) == "EPERM"


@pytest.mark.parametrize("call, arguments", [
    ("execve", ("/bin/sh", 0, 0)),
    ("socket", (2, 1, 0)),
    ("setuid", (0,)),
    ("ptrace", (16, "the launcher")),
    ("mount", ("none", "/proc", "tmpfs", 0, 0)),
])
def test_a_way_out_is_its_end_and_not_that_of_jobs(own_agent, sanitized, call, arguments):
    if sanitized and call in ("execve", "ptrace"):
        pytest.skip("a sanitizer's runtime executes a symbolizer and traces itself")
    job = own_agent.client("alice").start("sleep", "600")
    arguments = [own_agent.launcher_pid if argument == "the launcher" else argument for argument in arguments]
    with Takeover(own_agent.hoistd_pid) as taken, pytest.raises(Killed) as killed:
        taken.call(call, *arguments)
    assert killed.value.args == (signal.SIGSYS,)
    own_agent.wait_log("was killed by SIGSYS")
    assert word("JobState", own_agent.client("alice").jobs.GetJob(name=job.name).state) == "RUNNING"


def test_a_key_of_roots_is_reloaded(own_agent):
    """In its namespace there is no root, whose the key is on a host where it is kept from hoistd's hands."""
    key = f"{own_agent.dir}/etc/server.key"
    os.chown(key, 0, os.stat(key).st_gid)
    os.chmod(key, 0o640)
    os.kill(own_agent.launcher_pid, signal.SIGHUP)
    own_agent.wait_log("certificates reloaded")
    os.chmod(key, 0o644)
    os.kill(own_agent.launcher_pid, signal.SIGHUP)
    own_agent.wait_log("certificates were not reloaded")
