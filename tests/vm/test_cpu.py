# SPDX-License-Identifier: Apache-2.0
"""The share of CPU that a class gives is held."""

QUOTA = 10_000  # microseconds in each period: the class "small" gives 10 %
PERIOD = 100_000


def test_share_is_held(alice, agent, machine, probe):
    job = alice.start(probe, "burn", "0", job_class="small")
    path = f"{agent.cgroup(job)}/cpu.stat"
    assert machine.read(f"{agent.cgroup(job)}/cpu.max") == f"{QUOTA} {PERIOD}\n"

    before = machine.figures(path)
    samples = [alice.jobs.GetJob(name=job.name, sample_usage=True).usage for _ in range(5)]
    after = machine.figures(path)
    alice.stop(job, grace=0)

    used, periods, throttled = (after[name] - before[name] for name in ("usage_usec", "nr_periods", "nr_throttled"))
    assert throttled > 0
    assert after["throttled_usec"] > before["throttled_usec"]
    # The kernel looks at ticks, which come late in this machine; what was used too much is taken from later periods.
    assert used < 1.5 * QUOTA * periods + PERIOD
    assert used > 0.5 * QUOTA * throttled
    assert 0 < sum(usage.cpu_percent for usage in samples) / len(samples) < 50
    assert samples[-1].cpu_throttled_usec > 0


def test_share_is_for_the_whole_job(alice, agent, machine, probe):
    """Three processes have no more than one."""
    job = alice.start(probe, "child", "burn", "0", ",", "child", "burn", "0", ",", "burn", "0", job_class="small")
    before = machine.figures(f"{agent.cgroup(job)}/cpu.stat")
    alice.jobs.GetJob(name=job.name, sample_usage=True)
    alice.jobs.GetJob(name=job.name, sample_usage=True)
    after = machine.figures(f"{agent.cgroup(job)}/cpu.stat")
    alice.stop(job, grace=0)
    assert after["usage_usec"] - before["usage_usec"] < \
        1.5 * QUOTA * (after["nr_periods"] - before["nr_periods"]) + 2 * PERIOD
