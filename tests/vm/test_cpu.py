# SPDX-License-Identifier: Apache-2.0
"""The share of CPU that a class gives is held: within a tenth, over five seconds and more."""

import pytest

from harness.api import amounts

SECONDS = 5
PATIENCE = 90  # of the guest's seconds
TREE = ("child", "burn", "0", ",", "child", "burn", "0", ",", "burn", "0")


def since_boot(machine):
    return float(machine.read("/proc/uptime").split()[0])


def held_share(machine, cgroup):
    """The part of its quota that a job has had in the periods that have passed, once that tells.

    The kernel looks at ticks. One that comes late lets the job run on meanwhile, which it pays for in the next periods:
    so at any moment there may be one such debt, however slow this machine is, and it is the smaller part the longer one
    looks. A period in which the job was not throttled is one in which the machine had no CPU for it.
    """
    quota = int(machine.read(f"{cgroup}/cpu.max").split()[0])
    begin, before = since_boot(machine), machine.figures(f"{cgroup}/cpu.stat")
    while True:
        now = machine.figures(f"{cgroup}/cpu.stat")
        seconds = since_boot(machine) - begin
        used, periods, throttled = (now[name] - before[name] for name in ("usage_usec", "nr_periods", "nr_throttled"))
        if seconds >= SECONDS and throttled and 0.9 <= used / (quota * throttled) and used / (quota * periods) <= 1.1:
            return used / (quota * periods), seconds, now
        assert seconds < PATIENCE, f"used {used} us in {periods} periods of {quota} us, throttled in {throttled}"


def test_share_is_held(alice, agent, machine, probe, record_property):
    job = alice.start(probe, "burn", "0", job_class="small")
    assert machine.read(f"{agent.cgroup(job)}/cpu.max") == "10000 100000\n"
    share, seconds, counted = held_share(machine, agent.cgroup(job))
    record_property("share", f"{share:.3f} of 10 % over {seconds:.1f} s")
    usage = alice.end(job, grace=0).usage
    assert usage.cpu_usec >= counted["usage_usec"]
    assert usage.cpu_throttled_usec >= counted["throttled_usec"] > 0
    assert list(usage.throttled) == ["cpu"]


def test_share_is_for_the_whole_job(alice, agent, machine, probe):
    """Three processes have no more than one."""
    job = alice.start(probe, *TREE, job_class="small")
    held_share(machine, agent.cgroup(job))
    alice.end(job, grace=0)


@pytest.mark.soak
@pytest.mark.parametrize("millis,period", [(50, 100), (100, 1000), (250, 100), (500, 100)])
@pytest.mark.parametrize("words", [("burn", "0"), TREE], ids=["one", "tree"])
def test_shares_are_held(alice, agent, machine, probe, record_property, millis, period, words):
    limits = amounts(cpu_millis=millis, cpu_period_usec=1000 * period)
    job = alice.start(probe, *words, limits=limits)
    share, seconds, _ = held_share(machine, agent.cgroup(job))
    record_property("share", f"{share:.3f} over {seconds:.1f} s")
    alice.end(job, grace=0)
