# SPDX-License-Identifier: Apache-2.0
"""What hoistd holds, and what is left to somebody who has taken it over: he makes system calls in its name."""

import mmap
import os
import re
import signal

import pytest

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
    assert re.search(r"confined capabilities=none landlock=\d+ seccomp=yes", own_agent.log())


def test_it_reaches_its_own_files_only(own_agent, taken, sanitized):
    if "landlock=0" in own_agent.log():
        pytest.skip("the kernel has no Landlock")
    directory = own_agent.dir
    assert taken.try_call("open", f"{directory}/state/jobs.db", os.O_RDWR, 0) == ""
    assert taken.try_call("open", f"{directory}/state/own", os.O_RDWR | os.O_CREAT, 0o600) == ""
    assert taken.try_call("open", f"{directory}/etc/server.key", os.O_RDONLY, 0) == ""
    assert taken.try_call("open", f"{directory}/etc/server.key", os.O_RDWR, 0) == "EACCES"
    assert taken.try_call("open", f"{directory}/etc/new", os.O_RDWR | os.O_CREAT, 0o600) == "EACCES"
    assert taken.try_call("open", "/var/tmp/hoist-test-new", os.O_RDWR | os.O_CREAT, 0o600) == "EACCES"
    assert taken.try_call("open", "/proc/self/mem", os.O_RDWR, 0) == "EACCES"
    if not sanitized:
        assert taken.try_call("open", "/etc/passwd", os.O_RDONLY, 0) == "EACCES"
        assert taken.try_call("open", "/usr/bin", os.O_RDONLY | os.O_DIRECTORY, 0) == "EACCES"


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
])
def test_a_way_out_is_its_end_and_not_that_of_jobs(own_agent, sanitized, call, arguments):
    if sanitized and call == "execve":
        pytest.skip("a sanitizer's runtime executes a symbolizer")
    job = own_agent.client("alice").start("sleep", "600")
    with Takeover(own_agent.hoistd_pid) as taken, pytest.raises(Killed) as killed:
        taken.call(call, *arguments)
    assert killed.value.args == (signal.SIGSYS,)
    own_agent.wait_log("was killed by SIGSYS")
    assert word("JobState", own_agent.client("alice").jobs.GetJob(name=job.name).state) == "RUNNING"
