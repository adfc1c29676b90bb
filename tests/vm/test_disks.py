# SPDX-License-Identifier: Apache-2.0
"""Limits of disk input and output hold behind every kind of mount that a job sees, and no other is said to."""

import contextlib

import pytest

from harness.api import amounts, ending, refused

MIB = 1 << 20
BLOCK = MIB // 8
WRITERS = 2  # the machine has no instructions for AES: one encrypts while the other waits
LIMIT = MIB // 2
SIZE = 8 * MIB  # much more than five seconds of it
TRIES = 2
FLOOR = 0.9

DM = "/opt/hoist/dmsetup --noudevsync --noudevrules"
OVER = "/srv/partition"
# Where a file system is, and the shell commands that mount it at $at. The first partition was made with one.
PLACES = {
    "partition": "mount -t ext4 /dev/vdb1 $at",
    "linear": f"""{DM} create linear --table "0 $(cat /sys/class/block/vdc1/size) linear /dev/vdc1 0"
                  mke2fs /dev/dm-0 >/dev/null && mount -t ext4 /dev/dm-0 $at""",
    "crypt": f"""table="0 $(cat /sys/class/block/vdc2/size) crypt aes-xts-plain64 $(printf %064d 7) 0 /dev/vdc2 0"
                 {DM} create crypt --table "$table"
                 mke2fs /dev/dm-1 >/dev/null && mount -t ext4 /dev/dm-1 $at""",
    "overlay": f"""mkdir -p {OVER}/low {OVER}/up {OVER}/work
                   mount -t overlay -o lowerdir={OVER}/low,upperdir={OVER}/up,workdir={OVER}/work over $at""",
}
DISKS = {"partition": "/sys/block/vdb", "linear": "/sys/block/dm-0", "crypt": "/sys/block/dm-1",
         "overlay": "/sys/block/vdb"}


@contextlib.contextmanager
def mounted(machine, name, commands):
    machine.sh(f"set -e; at=/srv/{name}; mkdir -p $at; {commands}")
    try:
        yield
    finally:
        machine.sh(f"umount /srv/{name}; rmdir /srv/{name}; "
                   f"{DM} remove {name} 2>/dev/null; true")


@pytest.fixture
def places(agent, machine):
    """Mounted while the agent runs: it has to see them come."""
    with contextlib.ExitStack() as stack:
        for name, commands in PLACES.items():
            stack.enter_context(mounted(machine, name, commands))
        yield {name: machine.read(f"{DISKS[name]}/dev").strip() for name in PLACES}


def writing(cgroups, how):
    """A job has no place on a disk to write to, so writers are put into their cgroups by hand.

    Tells the kernel's counts ten times a second: lines of time, place, and its io.stat.
    """
    writers = "".join(f"""sh -c 'echo $$ >{cgroup}/cgroup.procs
        exec dd if=/dev/zero of=/srv/{name}/written{i} bs={BLOCK} count={SIZE // BLOCK // WRITERS} {how} status=none' &
        """ for name, cgroup in cgroups.items() for i in range(WRITERS))
    counts = " ".join(f"sed \"s/^/$1 {name} /\" {cgroup}/io.stat;" for name, cgroup in cgroups.items())
    return f"""{writers}
        until pidof dd >/dev/null; do usleep 10000; done
        while pidof dd >/dev/null; do set -- $(cat /proc/uptime); {counts} usleep 100000; done
        wait; rm /srv/*/written*"""


def rate(lines, name, disk):
    """Between the first and the last change of the count: (seconds, bytes a second)."""
    changes = []
    for line in lines:
        time, place, device, *values = line.split()
        count = int(dict(value.split("=") for value in values).get("wbytes", 0))
        if (place, device) == (name, disk) and count and (not changes or count > changes[-1][1]):
            changes.append((float(time), count))
    seconds = changes[-1][0] - changes[0][0]
    return seconds, (changes[-1][1] - changes[0][1]) / seconds


def shares(alice, agent, machine, probe, places, how):
    """All at once, each in a job of its own: how much of its limit each had."""
    jobs = {name: alice.start(probe, "forever", limits=amounts(io_write_bps=LIMIT)) for name in places}
    for name, job in jobs.items():
        told, = (limit.detail for limit in job.limits if limit.name == "io_write_bps")
        assert f"io.max {places[name]} wbps={LIMIT}" in told
    counted = machine.sh(writing({name: agent.cgroup(job) for name, job in jobs.items()}, how)).splitlines()
    for job in jobs.values():
        alice.end(job, grace=0)
    rates = {name: rate(counted, name, disk) for name, disk in places.items()}
    assert min(seconds for seconds, _ in rates.values()) >= 5
    return {name: round(bps / LIMIT, 2) for name, (_, bps) in rates.items()}


@pytest.mark.parametrize("how", ["oflag=direct", "conv=fsync"])
def test_writing_keeps_to_its_limit_on_each_kind_of_disk(alice, agent, machine, probe, places, how):
    """Never more than a tenth above it. Whether as much is reached hangs on what this host leaves to the machine."""
    best = dict.fromkeys(places, 0)
    for _ in range(TRIES):
        found = shares(alice, agent, machine, probe, places, how)
        assert {name: share for name, share in found.items() if share > 1.1} == {}
        best = {name: max(share, found[name]) for name, share in best.items()}
        if min(best.values()) >= FLOOR:
            return
    raise AssertionError(f"less than the limit allows: {best}")


def test_place_whose_input_and_output_nothing_limits_is_named(alice, machine, probe):
    loop = "dd if=/dev/zero of=/run/image bs=1M count=4 status=none; mke2fs -F /run/image >/dev/null; " \
        "mount -o loop -t ext4 /run/image $at"
    with mounted(machine, "loop", loop):
        with refused("FAILED_PRECONDITION", "LIMIT_NOT_ENFORCEABLE") as refusal:
            alice.start(probe, "exit", "0", limits=amounts(io_read_bps=MIB))
        assert "not enforceable here: /srv/loop" in refusal.message
        assert refusal.metadata == {"limit": "io_read_bps", "controller": "io"}
    machine.sh("rm /run/image")
    assert ending(alice.run(probe, "exit", "3", limits=amounts(io_read_bps=MIB))) == ("FAILED", "EXITED", 3, 0)
