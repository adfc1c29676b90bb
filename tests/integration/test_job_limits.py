# SPDX-License-Identifier: Apache-2.0
"""Limits that need no controller, and what is said of those that do (tests/vm shows them at work)."""

import re
import signal
import subprocess

import pytest
import yaml

from harness import BUILD
from harness.api import amounts, ending, refused

MINUTE = 60 * 10**6


@pytest.mark.parametrize("words", [("burn", "0"), ("child", "burn", "0", ",", "child", "burn", "0", ",", "forever")])
def test_cpu_time_is_that_of_the_whole_tree(alice, probe, words):
    job = alice.run(probe, *words, limits=amounts(cpu_time_usec=300_000))
    assert ending(job) == ("FAILED", "CPU_TIME_LIMIT", None, signal.SIGTERM)
    assert job.error == "stopped at its limit of CPU time, 300ms"
    assert 300_000 <= job.usage.cpu_usec < 1_500_000
    limit, = (limit for limit in job.limits if limit.name == "cpu_time_usec")
    assert limit.enforced and limit.detail == "cpu.stat usage_usec 300000"


def test_cpu_time_that_is_not_used_ends_nothing(alice, probe):
    job = alice.run(probe, "sleep", "100", "exit", "3", limits=amounts(cpu_time_usec=MINUTE))
    assert ending(job) == ("FAILED", "EXITED", 3, 0)


def test_cpu_time_of_a_tree_that_ignores_the_signal(hoist, probe):
    done = hoist("run", "--cpu-time", "100ms", "--grace", "10ms", "--", probe, "ignore", "15", "burn", "0", check=124)
    assert "limit of CPU time" in done.stderr


@pytest.mark.parametrize("name,value", [("cpu_period_usec", 999), ("cpu_period_usec", 1_000_001), ("io_weight", 0),
                                        ("io_weight", 10_001), ("oom_group", 2)])
def test_value_out_of_bounds(alice, probe, name, value):
    with refused("INVALID_ARGUMENT", "INVALID_FIELD") as refusal:
        alice.start(probe, "exit", "0", limits=amounts(**{name: value}))
    assert refusal.metadata["field.0"] == f"spec.limits.{name}"


def test_limits_by_name_on_the_command_line(hoist, probe):
    job = hoist("start", "-q", "--limit", "open_files=77", "--limit=cpu_time_usec=1m", "--", probe, "exit", "0")
    shown = hoist("status", job.stdout.strip()).stdout
    assert re.search(r"^ *(?:limits)? +open files +77 +in force \(open_files 77\)$", shown, re.MULTILINE)
    assert re.search(r"^ *(?:limits)? +cpu time +1m00s +in force \(cpu.stat usage_usec 60000000\)$", shown, re.MULTILINE)


@pytest.mark.parametrize("text,words", [("memory_mix=1", "hoist(1) lists"), ("memory_max", "NAME=VALUE"),
                                        ("memory_max=lots", "--limit memory_max"),
                                        ("cpu_time_usec=soon", "--limit cpu_time_usec")])
def test_limit_on_the_command_line_that_is_none(hoist, probe, text, words):
    done = hoist("start", "--limit", text, "--", probe, "exit", "0", check=2)
    assert words in done.stderr


MB, MIB = 10**6, 1 << 20
SHIPPED = {
    "default": {"cpu_millis": 1000, "memory_max": 512 * MB, "io_read_iops": 400000, "io_write_iops": 400000,
                "pids_max": 4096},
    "small": {"cpu_millis": 100, "memory_max": 100 * MB, "io_read_bps": 10 * MB, "io_write_bps": 10 * MB,
              "pids_max": 512},
    "medium": {"cpu_millis": 250, "memory_max": 1000 * MB, "io_read_bps": 50 * MB, "io_write_bps": 50 * MB,
               "pids_max": 2048},
    "large": {"cpu_millis": 500, "memory_max": 8000 * MB, "io_read_bps": 100 * MB, "io_write_bps": 100 * MB,
              "pids_max": 4096},
    "telehandler": {"cpu_millis": 100, "cpu_period_usec": 1000000, "memory_max": 512 * MIB, "memory_high": 384 * MIB,
                    "io_read_bps": 10 * MIB, "io_write_bps": 5 * MIB, "io_read_iops": 1000, "io_write_iops": 1000,
                    "pids_max": 512},
}


def test_shipped_classes_are_what_they_are_said_to_be(alice):
    told = {each.name: {field.name: amount.value for field, amount in each.limits.ListFields()}
            for each in alice.agent.GetInfo().classes}
    assert {name: told[name] for name in SHIPPED} == {name: {**limits, "swap_max": 0} for name, limits in SHIPPED.items()}


def test_flags_change_the_default_class_alone(tmp_path):
    (tmp_path / "hoistd.yaml").write_text("default_cpu: 30%\ndefault_iops: 5\n")
    flags = ["--default-cpu", "50%", "--default-memory", "300MB", "--default-iops=777"]
    plain, told = (yaml.safe_load(subprocess.run(
        [f"{BUILD}/hoistd", "--print-config", "--config", str(tmp_path / "hoistd.yaml"), *more],
        check=True, capture_output=True, text=True).stdout)["classes"] for more in ([], flags))
    assert plain["default"]["cpu"] == 300 and plain["default"]["io_write_iops"] == 5
    assert told == {**plain, "default": {**plain["default"], "cpu": 500, "memory_max": 300 * MB,
                                         "io_read_iops": 777, "io_write_iops": 777}}


def test_ceiling_of_the_launcher_is_named_also_where_nothing_is_asked_for(make_agent, probe):
    alice = make_agent(launcher={"max_open_files": "100"}).client("alice")
    with refused("INVALID_ARGUMENT", "OVER_CEILING") as refusal:
        alice.start(probe, "exit", "0")
    assert refusal.metadata == {"limit": "open_files", "asked": "none", "ceiling": "100", "set_by": "the launcher"}
    assert ending(alice.run(probe, "exit", "3", limits=amounts(open_files=100))) == ("FAILED", "EXITED", 3, 0)
