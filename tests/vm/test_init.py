# SPDX-License-Identifier: Apache-2.0
"""hoist-init is neither slowed nor killed with its job: at each limit output, timeout and exit record are as ever."""

from harness.api import amounts, ending, seconds

KIB, MIB = 1 << 10, 1 << 20
TIMEOUT = 3
# What the machine's slowness may add to a timeout. Held to its job's limits hoist-init would need longer.
LATE = 5

LINES = 3000
PRINTED = b"".join(b"line %d\n" % i for i in range(LINES))
TICK = b"tick\n"
READ = f"dd if=/srv/data of=/dev/null bs={64 * KIB} iflag=direct status=none"


def run_into_timeout(alice, command, *args, **limits):
    """Runs a job that never ends by itself: it must end on time, and all that it said be there."""
    job = alice.run(command, *args, limits=amounts(**limits), timeout=seconds(TIMEOUT), grace=seconds(0.2))
    assert ending(job)[:2] == ("FAILED", "TIMED_OUT")
    assert TIMEOUT <= job.run_time.seconds < TIMEOUT + LATE
    output = alice.output(job)
    assert output.summary.complete
    assert output.data.startswith(b"begun\n")
    return job, output.data.removeprefix(b"begun\n")


def test_it_is_outside_of_the_limits(alice, agent, machine, probe):
    job = alice.start(probe, "forever", job_class="small")
    command, init = agent.cgroup(job), agent.cgroup(job).removesuffix("cmd") + "init"
    assert machine.read(f"{init}/cgroup.procs").split() == [str(job.pid)]
    assert str(job.pid) not in machine.read(f"{command}/cgroup.procs").split()
    files = ("cpu.max", "memory.max", "memory.high", "pids.max", "io.max")
    assert [machine.read(f"{init}/{name}").strip() for name in files] == ["max 100000", "max", "max", "max", ""]
    alice.end(job, grace=0)


def test_cpu_used_up(alice, probe):
    """By four processes with 5 % of one CPU together, one of which prints as fast as it can."""
    burners = ["child", "burn", "0", ","] * 3
    job, said = run_into_timeout(alice, probe, "out", "begun", *burners, "flood", "tick", cpu_millis=50)
    assert job.usage.cpu_throttled_usec > 0
    assert said == TICK * (len(said) // len(TICK))


def test_disk_used_up(alice, probe):
    """By two readers, while the command prints more than it may write."""
    script = f"echo begun; {READ} & {READ} & exec {probe} flood tick"
    job, said = run_into_timeout(alice, "/bin/sh", "-c", script, cpu_millis=500, io_read_bps=512 * KIB,
                                 io_write_bps=512 * KIB)
    assert 0 < job.usage.io_read_bytes < (TIMEOUT + LATE) * 512 * KIB
    assert said == TICK * (len(said) // len(TICK))


def test_disk_used_up_by_the_command_itself(alice):
    run_into_timeout(alice, "/bin/sh", "-c", f"echo begun; exec {READ}", io_read_bps=512 * KIB)


def test_everything_used_up(alice, probe):
    script = f"echo begun; {probe} fill /tmp/x:{20 * MIB}; {READ} & {probe} forkbomb & exec {probe} burn 0"
    run_into_timeout(alice, "/bin/sh", "-c", script, memory_max=24 * MIB, cpu_millis=300, io_read_bps=256 * KIB,
                     pids_max=16)


def test_memory_filled_to_its_limit(alice, probe):
    """32 MiB of which 31 are files of a tmpfs, which nothing can reclaim."""
    job = alice.start(probe, "fill", f"/tmp/x:{31 * MIB}", "lines", str(LINES), "forever",
                      limits=amounts(memory_max=32 * MIB))
    alice.await_output(job, b"line %d\n" % (LINES - 1))
    stopped = alice.end(job, grace=0)
    assert ending(stopped) == ("STOPPED", "STOPPED_BY_USER", None, 9)
    assert stopped.usage.memory_peak > 30 * MIB
    assert alice.output(job).data == b"filled %d: all\n" % (31 * MIB) + PRINTED


def test_memory_filled_beyond_its_limit(alice, probe):
    """Everything in the job's cgroup is killed; what it had said is kept, and how it ended."""
    job = alice.run(probe, "lines", str(LINES), "fill", f"/tmp/x:{33 * MIB}", "fill", f"/job/x:{33 * MIB}",
                    limits=amounts(memory_max=32 * MIB))
    assert ending(job) == ("FAILED", "OOM_KILLED", None, 9)
    output = alice.output(job)
    assert output.data.startswith(PRINTED) and output.summary.complete
