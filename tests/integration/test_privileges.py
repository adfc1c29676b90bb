# SPDX-License-Identifier: Apache-2.0
"""What each process holds, seen from the host, and what a job sees of the host, seen by the job."""

import os
import re
import socket
import subprocess

import pytest

from harness import BUILD, traces
from harness.api import ending

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: without it jobs run in user namespaces as us")

CAP_KILL = 1 << 5
NAMESPACES = ("pid", "mnt", "net", "ipc", "uts", "cgroup")


@pytest.fixture
def job(alice, probe):
    """A job that waits, with a child and a grandchild of its own."""
    job = alice.start(probe, "child", "forever", ",", "daemon", "forever", ",", "out", "ready", ",", "forever")
    alice.await_output(job, b"ready")
    yield job
    alice.stop(job, grace=0)


def words(status, key):
    return [int(word) for word in status[key].split()]


def capabilities(status):
    return {name: int(status[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}


def namespace(pid, kind):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def run(alice, *command, **spec):
    """The lines of a job's output."""
    done = alice.run(*command, **spec)
    output = alice.output(done)
    assert ending(done)[:2] == ("SUCCEEDED", "EXITED"), (ending(done), output.data)
    return output.data.decode().splitlines()


# --- from the host


def test_hoistd_is_nobody_of_importance(agent):
    status = traces.status_of(agent.hoistd_pid)
    uid = os.stat(f"{agent.dir}/state").st_uid
    assert uid != 0 and words(status, "Uid") == [uid] * 4 and words(status, "Gid") == [uid] * 4
    assert status["Groups"] == ""
    assert not any(capabilities(status).values()) and status["NoNewPrivs"] == "1"
    assert os.stat(f"/proc/{agent.hoistd_pid}/mem").st_uid == 0, "it can be dumped"


def test_hoistd_has_neither_children_nor_a_parent_but_the_launcher(agent, job):
    status = traces.status_of(agent.hoistd_pid)
    assert int(status["PPid"]) == agent.launcher_pid
    with open(f"/proc/{agent.hoistd_pid}/task/{agent.hoistd_pid}/children") as file:
        assert file.read() == ""
    assert int(traces.status_of(job.pid)["PPid"]) == agent.launcher_pid


def test_the_launcher_has_no_key_no_database_and_no_connection(agent, alice):
    alice.agent.Ping()
    descriptors = traces.descriptors(agent.launcher_pid)
    open_now = " ".join(descriptors)
    assert "server.key" not in open_now and "jobs.db" not in open_now
    assert {path for path in descriptors if path.startswith(agent.dir + "/state")} == {f"{agent.dir}/state/lifeline"}
    with open(f"/proc/{agent.launcher_pid}/maps") as file:
        libraries = file.read()
    for library in ("libssl", "libcrypto", "libnghttp2", "libsqlite3", "libyaml", "libjansson"):
        assert library not in libraries
    listening = [inode for inode in re.findall(r"socket:\[(\d+)\]", open_now)]
    with open("/proc/net/tcp") as file:
        established = [line.split()[9] for line in file if line.split()[3] == "01"]
    assert not set(listening) & set(established)


def test_hoist_init_holds_cap_kill_alone(agent, job):
    status = traces.status_of(job.pid)
    uid = os.stat(f"{agent.dir}/state").st_uid
    assert words(status, "Uid") == [uid] * 4 and words(status, "Gid") == [uid] * 4 and status["Groups"] == ""
    assert capabilities(status) == {"Inh": 0, "Prm": CAP_KILL, "Eff": CAP_KILL, "Bnd": 0, "Amb": 0}
    assert status["NoNewPrivs"] == "1"
    assert os.stat(f"/proc/{job.pid}/mem").st_uid == 0, "it can be dumped"
    assert words(status, "NSpid")[1:] == [1]


def test_hoist_init_keeps_only_what_it_needs(agent, job):
    directory = traces.directory_of(agent, job)
    files = [name for name in traces.descriptors(job.pid) if name.startswith("/") and name != "/dev/null"]
    assert set(files) <= {f"{directory}/output", f"{directory}/index", f"{directory}/state"}, files
    assert not any("memfd" in name or name.startswith("socket") for name in traces.descriptors(job.pid))


def test_hoist_init_binary_needs_no_interpreter():
    binary = os.path.realpath(f"{BUILD}/hoist-init")
    headers = subprocess.run(["readelf", "-lW", binary], capture_output=True, text=True, check=True).stdout
    assert "LOAD" in headers and "INTERP" not in headers and "DYNAMIC" not in headers


def test_hoist_init_runs_from_memory_that_nobody_can_change(job):
    assert os.readlink(f"/proc/{job.pid}/exe").startswith("/memfd:hoist-init")


def test_each_process_of_a_job_holds_nothing(job):
    pids = traces.processes_of(job.job_uid)
    assert len(pids) == 3
    for pid in pids:
        status = traces.status_of(pid)
        assert words(status, "Uid") == [job.job_uid] * 4 and words(status, "Gid") == [job.job_uid] * 4
        assert status["Groups"] == "" and not any(capabilities(status).values())
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert [int(fd) for fd in sorted(os.listdir(f"/proc/{pid}/fd"), key=int)] == [0, 1, 2]
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        assert all(os.readlink(f"/proc/{pid}/fd/{fd}").startswith("pipe:") for fd in (1, 2))
        assert all(namespace(pid, kind) != namespace("self", kind) for kind in NAMESPACES)
        assert os.getsid(pid) != os.getsid(0)


def test_the_command_starts_with_no_signal_blocked_or_ignored(alice):
    status = dict(line.split(":\t") for line in run(alice, "cat", "/proc/self/status") if ":\t" in line)
    assert all(int(status[key], 16) == 0 for key in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"))


def test_the_command_can_gain_no_capability_by_becoming_root(alice):
    """Securebits: uid 0 means nothing, a change of ids keeps nothing, and none of that can be changed back."""
    noroot, no_fixup, keep_caps, no_ambient = 0x1, 0x4, 0x10, 0x40
    locked = (noroot | no_fixup | keep_caps | no_ambient) << 1
    pr_get_securebits = 27
    python = f"import ctypes; print(ctypes.CDLL(None).prctl({pr_get_securebits}, 0, 0, 0, 0))"
    assert run(alice, "/usr/bin/python3", "-c", python) == [str(noroot | no_ambient | locked)]


def test_the_command_is_in_the_cgroup_of_its_limits_and_hoist_init_is_not(agent, job):
    cgroup = traces.cgroup_of(agent, job)
    with open(f"{cgroup}/init/cgroup.procs") as file:
        assert [int(line) for line in file] == [job.pid]
    with open(f"{cgroup}/cmd/cgroup.procs") as file:
        assert sorted(int(line) for line in file) == sorted(traces.processes_of(job.job_uid))


def test_two_jobs_of_one_owner_share_nothing(alice, probe, job):
    other = alice.start(probe, "forever")
    assert other.job_uid != job.job_uid
    mine, its = traces.processes_of(job.job_uid)[0], traces.processes_of(other.job_uid)[0]
    assert all(namespace(mine, kind) != namespace(its, kind) for kind in NAMESPACES)
    alice.stop(other, grace=0)


# --- from inside


def test_hostname_is_sandbox_and_home_is_writable(alice, probe):
    assert re.fullmatch(r"pid 2 uid (\d+) gid \1 groups 0 host sandbox cwd /job", run(alice, probe, "id")[0])
    for place in ("/job", "/tmp", "/var/tmp", "/dev/shm"):
        assert run(alice, "sh", "-c", f"echo x > {place}/x && cat {place}/x") == ["x"]


def test_nothing_of_the_hosts_file_system_can_be_written(alice):
    script = r"""
        awk '{ print $5, $6, $(NF - 2) }' /proc/self/mountinfo | while read -r place options type; do
            case $options,$place in *rw,*|rw*) echo "$place" ;; esac
        done | sort"""
    writable = set(run(alice, "sh", "-c", script))
    assert writable - {place for place in writable if place.startswith(("/dev/", "/proc"))} == \
        {"/job", "/tmp", "/var/tmp"}
    for path in ("/etc/x", "/usr/x", "/x", "/dev/x", "/proc/sys/kernel/hostname", "/sys/x", "/var/lib/x", "/run/x"):
        assert run(alice, "sh", "-c", f"(: > {path}) 2>/dev/null && echo written || echo refused") == ["refused"], path


def test_no_mount_allows_setuid_programs_or_devices(alice):
    for line in run(alice, "cat", "/proc/self/mountinfo"):
        fields = line.split()
        assert "nosuid" in fields[5], line
        assert "nodev" in fields[5] or fields[4].startswith("/dev") or "nr_inodes=1" in line or "devtmpfs" in line, line


@pytest.mark.parametrize("place", ["/run", "/mnt", "/media", "/root", "/home", "/boot", "/tmp", "/var/tmp", "/var/log",
                                   "/var/spool"])
def test_hidden_places_are_empty(alice, place):
    assert run(alice, "sh", "-c", f"ls -A {place} 2>/dev/null; true") == []


def test_the_agents_own_files_are_hidden(agent, alice):
    for name in ("pki", "etc", "state"):
        assert run(alice, "sh", "-c", f"ls -A {agent.dir}/{name} 2>/dev/null; true") == []
    assert run(alice, "sh", "-c", f"cat {agent.dir}/pki/* {agent.dir}/etc/* /etc/hoist/* 2>/dev/null; true") == []


def test_other_processes_cannot_be_seen_not_even_hoist_init(alice, probe):
    assert sorted(name for name in run(alice, probe, "ls", "/proc") if name.isdigit()) == ["2"]
    assert run(alice, "sh", "-c", "ls -d /proc/1 2>&1; true") == \
        ["ls: cannot access '/proc/1': No such file or directory"]
    refusals = dict(line.split(": ") for line in run(alice, probe, "try", "kill-init", ",", "try", "ptrace-init", ",",
                                                     "try", "prlimit-init"))
    assert "ok" not in refusals.values() and len(refusals) == 3


def test_hidden_parts_of_proc(alice):
    for path in ("/proc/kallsyms", "/proc/keys", "/proc/timer_list"):
        assert run(alice, "cat", path) == []
    assert run(alice, "sh", "-c", "cat /proc/kcore 2>/dev/null | head -c 10; ls -A /proc/acpi /sys/firmware") == \
        ["/proc/acpi:", "", "/sys/firmware:"]


def test_the_network_is_loopback_of_its_own(alice, agent, probe):
    lines = run(alice, "cat", "/proc/net/dev")
    assert [line.split(":")[0].strip() for line in lines[2:]] == ["lo"]
    assert run(alice, probe, "connect", f"127.0.0.1:{agent.port}") == \
        [f"connect 127.0.0.1:{agent.port}: Connection refused"]
    assert run(alice, probe, "connect", "192.0.2.1:80") == ["connect 192.0.2.1:80: Network is unreachable"]


def test_abstract_sockets_of_the_host_are_out_of_reach(alice):
    """They belong to the network namespace; a path on a read-only mount would not keep a job from connecting."""
    name = f"hoist-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0" + name)
        listener.listen()
        with open("/proc/net/unix") as file:
            assert name in file.read()
        assert not any(name in line for line in run(alice, "cat", "/proc/net/unix"))


def test_a_cgroup_file_system_is_not_there_and_its_own_cgroup_is_the_root(alice):
    assert not any(" - cgroup" in line for line in run(alice, "cat", "/proc/self/mountinfo"))
    assert "0::/" in run(alice, "cat", "/proc/self/cgroup")


def test_shared_memory_of_the_host_is_out_of_reach(alice):
    assert run(alice, "sh", "-c", "ls -A /dev/shm; tail -n +2 /proc/sysvipc/shm; tail -n +2 /proc/sysvipc/msg") == []


def test_a_job_has_no_terminal(alice):
    assert run(alice, "sh", "-c", "(: < /dev/tty) 2>&1 | grep -c 'No such device'") == ["1"]
    stat = run(alice, "cat", "/proc/self/stat")[0].rpartition(")")[2].split()
    assert int(stat[4]) == 0  # tty_nr
