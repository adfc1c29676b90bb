# SPDX-License-Identifier: Apache-2.0
"""What a job uses is known where the kernel gives every controller, to programs and to people."""

import re

import pytest

from harness.api import amounts

MIB = 1 << 20
READ = "dd if=/srv/data of=/dev/null bs=64k iflag=direct status=none"


@pytest.fixture
def busy(alice, probe):
    """Uses some of everything: 20 MiB of memory, CPU, the disk, three processes at least."""
    script = f"{probe} fill /tmp/x:{20 * MIB}; while :; do {READ}; done & exec {probe} burn 0"
    job = alice.start("/bin/sh", "-c", script, limits=amounts(cpu_millis=400, io_read_iops=50))
    alice.await_output(job, b"filled")
    yield job
    alice.end(job, grace=0)


def test_running_job_tells_all_figures(alice, busy):
    usage = alice.jobs.GetJob(name=busy.name, sample_usage=True).usage
    assert list(usage.missing) == []
    assert usage.cpu_usec > 0 and usage.cpu_user_usec + usage.cpu_system_usec > 0
    assert 0 < usage.cpu_percent < 100
    assert 20 * MIB <= usage.memory_current <= usage.memory_peak
    assert 20 * MIB <= usage.memory_file  # a tmpfs is files
    assert usage.memory_anon > 0 and usage.memory_kernel > 0
    assert usage.pids_current >= 2
    assert usage.io_read_bytes > 0 and usage.io_read_ops > 0
    assert usage.HasField("cpu_pressure") and usage.HasField("memory_pressure") and usage.HasField("io_pressure")
    assert 0 < usage.io_ops_per_second
    assert usage.interval.seconds >= 1


def test_ended_job_keeps_its_last_figures(alice, probe):
    job = alice.run("/bin/sh", "-c", f"{probe} burn 100 fill /tmp/x:{4 * MIB}; {READ} count=16")
    usage = alice.jobs.GetJob(name=job.name).usage
    assert list(usage.missing) == []
    assert usage.cpu_usec >= 100_000
    assert usage.memory_peak >= 4 * MIB
    assert usage.io_read_bytes >= MIB and usage.io_read_ops >= 16


def test_statistics_hold_every_file(alice, busy):
    usage = alice.jobs.GetJob(name=busy.name, sample_usage=True, statistics=True).usage
    told = {statistic.name: statistic.value for statistic in usage.statistics}
    assert {"cpu.stat.nr_throttled", "memory.current", "memory.stat.anon", "memory.events.high", "pids.current",
            "io.pressure.full.avg10"} <= set(told)
    assert any(re.fullmatch(r"io\.stat\.\d+:\d+\.rbytes", name) for name in told)


def test_people_see_percent_memory_and_iops(hoist, busy):
    shown = hoist("status", busy.name, check=0).stdout
    assert re.search(r"^CPU +\d+%$", shown, re.MULTILINE)
    assert re.search(r"^memory +[\d.]+ ?[KMG]i?B$", shown, re.MULTILINE)
    assert re.search(r"^disk +[\d.]+[kM]? iops$", shown, re.MULTILINE)
