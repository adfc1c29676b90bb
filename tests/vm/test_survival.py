# SPDX-License-Identifier: Apache-2.0
"""What survives what: a killed hoistd, a killed launcher, a power cut."""

import pytest

from harness.api import amounts, ending, word

LINES = b"".join(b"line %d\n" % i for i in range(100))


@pytest.mark.parametrize("kill", ["hoistd", "launcher"])
def test_jobs_run_on_while_the_agent_is_killed(alice, agent, machine, probe, kill):
    job = alice.start(probe, "out", "begun", "await", "10", "lines", "100", "exit", "6", limits=amounts(pids_max=8))
    alice.await_output(job, b"begun")
    if kill == "hoistd":
        agent.kill_hoistd()
    else:
        agent.kill_launcher()
        assert machine.read(f"{agent.cgroup(job)}/pids.max") == "8\n"
        assert machine.try_sh(f"[ -e /proc/{job.pid}/exe ]")[0] == 0
        agent.start()

    client = agent.client("alice")
    found = client.jobs.GetJob(name=job.name)
    assert (word("JobState", found.state), found.pid) == ("RUNNING", job.pid)
    assert all(limit.enforced for limit in found.limits) and found.limits
    client.jobs.SignalJob(name=job.name, signal="USR1")
    assert ending(client.wait(job)) == ("FAILED", "EXITED", 6, 0)
    assert client.output(job).data == b"begun\ngot signal 10\n" + LINES
    client.close()


def test_job_that_ends_while_the_launcher_is_away_is_found_as_it_ended(alice, agent, machine, probe):
    job = alice.start(probe, "out", "begun", "await", "10", "memory", str(256 << 20),
                      limits=amounts(memory_max=32 << 20))
    alice.await_output(job, b"begun")
    agent.kill_launcher()
    machine.sh(f"kill -USR1 $(cat {agent.cgroup(job)}/cgroup.procs)")
    machine.process_end(job.pid)
    agent.start()
    client = agent.client("alice")
    assert ending(client.wait(job)) == ("FAILED", "OOM_KILLED", None, 9)
    assert client.output(job).stdout == b"begun\ngot signal 10\n"
    client.close()


def test_power_cut_loses_running_jobs_and_no_other(alice, agent, machine, probe):
    running = alice.start(probe, "out", "on the disk", "await", "10", "out", "never seen")
    alice.await_output(running, b"on the disk")
    machine.sh("sync")
    flooding = alice.start(probe, "flood", "0123456789abcde")
    alice.await_output(flooding, b"0123456789abcde\n")
    ended = alice.run(probe, "lines", "100", "exit", "7")
    machine.cut_power()

    machine.boot()
    agent.start()
    client = agent.client("alice")
    for job in (running, flooding):
        lost = client.jobs.GetJob(name=job.name)
        assert ending(lost) == ("LOST", "LOST", None, 0)
        assert word("Reason", lost.reason) == "HOST_REBOOTED"
        assert lost.HasField("start_time") and lost.pid == 0
    assert client.output(running).data == b"on the disk\n"
    kept = client.output(flooding).data
    assert kept == (b"0123456789abcde\n" * (len(kept) // 16 + 1))[:len(kept)]

    # Its end was told, so it is on the disk.
    assert ending(client.jobs.GetJob(name=ended.name)) == ("FAILED", "EXITED", 7, 0)
    assert client.output(ended).data == LINES
    assert ending(client.run(probe, "exit", "0")) == ("SUCCEEDED", "EXITED", 0, 0)
    client.close()
