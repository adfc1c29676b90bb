# SPDX-License-Identifier: Apache-2.0
"""The machine itself: what the suites beside this one rely on."""

import os
import subprocess

from harness import BUILD, waiting


def read(path):
    with open(path) as file:
        return file.read()


def run_in(cgroup, *argv):
    """Runs the probe inside a cgroup: it is moved there before its exec."""
    def enter():
        with open(f"{cgroup}/cgroup.procs", "w") as file:
            file.write("0")

    return subprocess.run([f"{BUILD}/tests/probe/probe", *argv], preexec_fn=enter, capture_output=True, text=True,
                          timeout=300)


def events(path):
    return dict(line.split() for line in read(path).splitlines())


def test_cgroup_v2_alone_is_mounted_with_all_controllers():
    mounts = [line.split() for line in read("/proc/self/mountinfo").splitlines()]
    kinds = [fields[fields.index("-") + 1] for fields in mounts]
    assert "cgroup2" in kinds and "cgroup" not in kinds
    assert {"cpu", "io", "memory", "pids"} <= set(read("/sys/fs/cgroup/cgroup.controllers").split())


def test_root_is_writable_without_touching_the_host():
    with open("/usr/written-in-the-guest", "w") as file:
        file.write("x")
    os.unlink("/usr/written-in-the-guest")


def test_memory_max_kills_and_says_so(cgroup):
    with open(f"{cgroup}/memory.max", "w") as file:
        file.write(str(32 << 20))
    assert run_in(cgroup, "memory", str(64 << 20)).returncode == -9
    assert int(events(f"{cgroup}/memory.events")["oom_kill"]) >= 1


def test_pids_max_refuses_forks_and_kill_empties(cgroup):
    with open(f"{cgroup}/pids.max", "w") as file:
        file.write("16")

    def enter():
        with open(f"{cgroup}/cgroup.procs", "w") as file:
            file.write("0")

    with subprocess.Popen([f"{BUILD}/tests/probe/probe", "forkbomb"], preexec_fn=enter, stdout=subprocess.PIPE) as bomb:
        waiting.read_until(bomb.stdout, b"fork refused")
        assert int(read(f"{cgroup}/pids.current")) <= 16
        with open(f"{cgroup}/cgroup.kill", "w") as file:
            file.write("1")
        waiting.cgroup_empty(cgroup)


def test_cpu_max_throttles(cgroup):
    with open(f"{cgroup}/cpu.max", "w") as file:
        file.write("10000 100000")
    assert run_in(cgroup, "burn", "300").returncode == 0
    assert int(events(f"{cgroup}/cpu.stat")["nr_throttled"]) > 5


def test_io_max_holds_on_the_disk(cgroup, disk):
    device = os.stat("/dev/vda").st_rdev
    limit = f"{os.major(device)}:{os.minor(device)} wbps=1048576"
    with open(f"{cgroup}/io.max", "w") as file:
        file.write(limit)
    assert limit.split()[1] in read(f"{cgroup}/io.max")
    done = run_in(cgroup, "fill", f"{disk}/file:{2 << 20}")
    assert done.stdout == f"filled {2 << 20}: all\n"
    os.unlink(f"{disk}/file")
