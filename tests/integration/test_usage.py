# SPDX-License-Identifier: Apache-2.0
"""What a job uses: the figures that every host gives (tests/vm shows those that need controllers)."""

import re

import pytest

from harness.api import ending


@pytest.fixture
def busy(alice, probe):
    job = alice.start(probe, "out", "warm", ",", "burn", "0")
    alice.await_output(job, b"warm\n")
    yield job
    alice.stop(job, grace=0)


def lines_of(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines())


def test_statistics_have_the_kernels_names(alice, busy):
    usage = alice.jobs.GetJob(name=busy.name, statistics=True).usage
    told = {statistic.name: statistic.value for statistic in usage.statistics}
    assert int(told["cpu.stat.usage_usec"]) >= int(told["cpu.stat.user_usec"]) > 0
    assert not alice.jobs.GetJob(name=busy.name).usage.statistics


def test_status_shows_statistics_line_by_line(hoist, busy):
    shown = hoist("status", "--stats", busy.name, check=0).stdout
    assert all(re.fullmatch(r"[a-z][\w.:]+ [\d.]+", line) for line in shown.splitlines())
    assert int(lines_of(shown)["cpu.stat.usage_usec"]) > 0
    assert hoist.json("status", "--stats", busy.name)["usage"]["statistics"]


def test_status_shows_what_was_kept_of_a_job_that_has_ended(alice, hoist, probe):
    job = alice.run(probe, "burn", "50")
    assert ending(job)[0] == "SUCCEEDED"
    kept = lines_of(hoist("status", "--stats", job.name, check=0).stdout)
    assert int(kept["cpu.stat.usage_usec"]) == job.usage.cpu_usec >= 50_000


def test_pressure_is_told_where_the_kernel_does(alice, busy):
    usage = alice.jobs.GetJob(name=busy.name, statistics=True).usage
    names = {statistic.name for statistic in usage.statistics}
    assert usage.HasField("cpu_pressure") == ("cpu.pressure.some.total" in names)
    assert 0 <= usage.cpu_pressure.some_percent <= 100
