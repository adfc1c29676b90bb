# SPDX-License-Identifier: Apache-2.0
"""Every limit is enforceable here, and stands in the kernel as it was asked for."""

import pytest

from guest_agent import CGROUP, PROFILES
from harness.api import amounts, ending, refused

MIB = 1 << 20

# What is asked for: name, value, the control file and what stands there. io.max has one line for all four.
LIMITS = {
    "cpu_period_usec": (500_000, "cpu.max", "500000"),
    "cpu_millis": (250, "cpu.max", "125000"),
    "cpu_time_usec": (60_000_000, "cpu.stat", None),
    "cpu_weight": (50, "cpu.weight", "50"),
    "memory_max": (64 * MIB, "memory.max", str(64 * MIB)),
    "memory_high": (48 * MIB, "memory.high", str(48 * MIB)),
    "swap_max": (0, "memory.swap.max", "0"),
    "oom_group": (0, "memory.oom.group", "0"),
    "pids_max": (32, "pids.max", "32"),
    "io_read_bps": (3 * MIB, "io.max", f"rbps={3 * MIB}"),
    "io_write_bps": (2 * MIB, "io.max", f"wbps={2 * MIB}"),
    "io_read_iops": (300, "io.max", "riops=300"),
    "io_write_iops": (200, "io.max", "wiops=200"),
    "open_files": (128, None, None),
    "core_size": (0, None, None),
}


def asked():
    return amounts(**{name: value for name, (value, _, _) in LIMITS.items()})


def test_agent_says_that_all_are_enforceable(alice):
    info = alice.agent.GetInfo()
    assert info.unenforced_limits == "refuse"
    kept = {"memory_low", "memory_reserved", "cpu_reserved_millis"}  # test_reserve.py
    assert {limit.name for limit in info.limits} == set(LIMITS) | kept | {"io_weight"}
    assert {limit.name: limit.detail for limit in info.limits if not limit.enforceable} == {}
    assert list(info.degradations) == []


def test_jobs_of_every_class_start_though_unenforced_limits_are_refused(alice, probe):
    classes = {"default", "small", "medium", "large", "telehandler", "kept"}
    assert {each.name for each in alice.agent.GetInfo().classes} == classes | set(PROFILES)
    for name in classes:
        job = alice.run(probe, "exit", "0", job_class=name)
        assert ending(job) == ("SUCCEEDED", "EXITED", 0, 0)
        assert job.limits and all(limit.enforced for limit in job.limits)


@pytest.fixture
def limited(alice, probe):
    job = alice.start(probe, "forever", limits=asked())
    yield job
    alice.end(job, grace=0)


def test_job_tells_each_limit_with_its_control_file(alice, limited):
    told = {limit.name: limit for limit in alice.jobs.GetJob(name=limited.name).limits}
    assert set(told) == set(LIMITS)
    for name, (value, file, _) in LIMITS.items():
        assert told[name].enforced and told[name].value == value
        assert told[name].detail.startswith(f"{file or name} ")


def test_limits_stand_in_the_kernel(limited, agent, machine):
    for name, (_, file, wanted) in LIMITS.items():
        if wanted is not None:
            text = machine.read(f"{agent.cgroup(limited)}/{file}").strip()
            assert text == wanted or wanted in text.split(), name


def test_rlimits_are_those_of_the_command(alice):
    job = alice.run("/bin/sh", "-c", "ulimit -n; ulimit -c", limits=asked())
    assert alice.output(job).stdout == b"128\n0\n"


def test_weight_that_no_disk_heeds_is_refused_and_one_that_it_does_stands(alice, agent, machine, probe):
    disk = machine.sh("cat /sys/block/vda/dev").strip()
    with refused("FAILED_PRECONDITION", "LIMIT_NOT_ENFORCEABLE") as refusal:
        alice.start(probe, "forever", limits=amounts(io_weight=50))
    assert f"disk {disk} heeds no weights" in refusal.message
    machine.sh(f"echo '{disk} enable=1' >/sys/fs/cgroup/io.cost.qos")
    try:
        job = alice.start(probe, "forever", limits=amounts(io_weight=50))
        assert machine.read(f"{agent.cgroup(job)}/io.weight").splitlines()[0] == "default 50"
        assert machine.read(f"{agent.cgroup(job)}/../io.weight").splitlines()[0] == "default 50"
        alice.end(job, grace=0)
    finally:
        machine.sh(f"echo '{disk} enable=0' >/sys/fs/cgroup/io.cost.qos")


def test_more_than_the_class_gives_is_refused(alice, probe):
    with refused("INVALID_ARGUMENT", "OVER_CEILING") as refusal:
        alice.start(probe, "exit", "0", job_class="small", limits=amounts(memory_max=200 * MIB))
    assert refusal.metadata["limit"] == "memory_max"


def test_limits_are_shown_as_in_force(hoist, limited):
    shown = hoist("status", limited.name, check=0).stdout
    lines = [line.removeprefix("limits").strip() for line in shown.splitlines()]
    assert f"memory          64MiB         in force (memory.max {64 * MIB})" in lines
    assert "cpu             25%           in force (cpu.max 125000 500000)" in lines
    assert "NOT in force" not in shown


def test_all_jobs_together_leave_some_of_the_host(agent, machine):
    total = int(machine.sh("awk '/^MemTotal/ { print $2 }' /proc/meminfo")) * 1024
    assert int(machine.read(f"{CGROUP}/memory.max")) == total - 256 * MIB
    tasks = min(int(machine.read(f"/proc/sys/kernel/{name}")) for name in ("pid_max", "threads-max"))
    assert int(machine.read(f"{CGROUP}/pids.max")) == tasks - 1024


def test_oom_killer_spares_the_agent_and_not_its_jobs(alice, agent, machine, probe):
    job = alice.start(probe, "forever")
    for pid in (agent.launcher_pid, agent.hoistd_pid, job.pid):
        assert machine.read(f"/proc/{pid}/oom_score_adj") == "-900\n"
    command = machine.read(f"{agent.cgroup(job)}/cgroup.procs").split()[0]
    assert machine.read(f"/proc/{command}/oom_score_adj") == "0\n"
    alice.end(job, grace=0)
