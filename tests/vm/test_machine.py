# SPDX-License-Identifier: Apache-2.0
"""The machine itself: what the suites beside this one rely on."""


def test_cgroup_v2_alone_is_mounted_with_all_controllers(machine):
    mounts = [line.split() for line in machine.read("/proc/self/mountinfo").splitlines()]
    kinds = [fields[fields.index("-") + 1] for fields in mounts]
    assert "cgroup2" in kinds and "cgroup" not in kinds
    assert {"cpu", "io", "memory", "pids"} <= set(machine.read("/sys/fs/cgroup/cgroup.controllers").split())


def test_root_is_a_disk(machine):
    assert machine.sh("stat -c %D /").strip() == machine.sh("stat -c %t%02T /dev/vda").strip()


def test_process_end_is_waited_for(machine, probe):
    pid = machine.sh(f"{probe} sleep 300 >/dev/null 2>&1 & echo $!").strip()
    machine.process_end(pid)
    assert machine.try_sh(f"[ -e /proc/{pid}/exe ]")[0] == 1
    machine.process_end(pid)


def test_agent_is_started_in_the_root_of_the_hierarchy(machine, agent):
    assert machine.read(f"/proc/{agent.launcher_pid}/cgroup").strip() == "0::/"
    assert machine.read(f"/proc/{agent.hoistd_pid}/cgroup").strip() == "0::/"
