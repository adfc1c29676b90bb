# SPDX-License-Identifier: Apache-2.0
"""Limits of disk input and output hold behind every kind of mount that a job sees, and no other is said to."""

import contextlib

import pytest

from guest_agent import BINDS, TREE, WRITER
from harness.api import amounts, ending, refused

MIB = 1 << 20
BLOCK = MIB // 16
LIMIT = MIB // 4
SIZE = 4 * MIB  # much more than five seconds of it
# How it is written, and by how many at once, so that some wait at the limit while another is busy elsewhere.
WAYS = {"oflag=direct": 4, "conv=fsync": 8}
TRIES = 3
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
    "raid": """export MDADM_NO_UDEV=1
               mdadm --build /dev/md0 --level 1 --raid-devices 2 --assume-clean --quiet /dev/vdb3 /dev/vdc3
               mke2fs /dev/md0 >/dev/null && mount -t ext4 /dev/md0 $at""",
    # A member that the mount calls by a name of device mapper, a link as udev makes it, and one that is a partition.
    "btrfs": f"""{DM} create member --table "0 $(cat /sys/class/block/vdb4/size) linear /dev/vdb4 0"
                 ln -sfn ../dm-2 /dev/mapper/member
                 mkfs.btrfs -q -f --mixed -d raid1 -m raid1 /dev/mapper/member /dev/vdc4
                 mount -t btrfs -o device=/dev/mapper/member,device=/dev/vdc4 /dev/mapper/member $at""",
}
UNDO = {"linear": f"{DM} remove linear", "crypt": f"{DM} remove crypt", "raid": "mdadm --stop --quiet /dev/md0",
        "btrfs": f"rm /dev/mapper/member; {DM} remove member"}
DISKS = {"partition": ["vdb"], "linear": ["dm-0"], "crypt": ["dm-1"], "overlay": ["vdb"], "raid": ["md0"],
         "btrfs": ["dm-2", "vdc"]}

# What the jobs of other profiles write and read by themselves, each on a disk that no other profile shows.
PART = SIZE // 2 // BLOCK // 4
COPY = f"for i in 1 2 3 4; do eval dd $files bs={BLOCK} count={PART} conv=notrunc status=none & done; wait"
OWN = {
    "rw": ("bound", "if=/dev/zero oflag=direct of=/shared/file$i", "io_write_bps"),
    "ro": ("bound", "if=/kept/file$i iflag=direct of=/dev/null", "io_read_bps"),
    "rooted": ("rooted", "if=/dev/zero oflag=direct of=/data/file$i", "io_write_bps"),
}


@contextlib.contextmanager
def mounted(machine, at, commands, undo="true"):
    machine.sh(f"set -e; PATH=$PATH:/opt/hoist; at={at}; mkdir -p $at; {commands}")
    try:
        yield
    finally:
        machine.sh(f"umount {at}; PATH=$PATH:/opt/hoist; {undo}")


def number(machine, disk):
    return machine.read(f"/sys/block/{disk}/dev").strip()


@pytest.fixture
def places(agent, machine, how):
    """Mounted while the agent runs: it has to see them come. Made of several disks are those of direct writing only."""
    names = [name for name in PLACES if "direct" in how or name not in ("raid", "btrfs")]
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(mounted(machine, f"/srv/{name}", PLACES[name], UNDO.get(name, "true")))
        yield {name: [number(machine, disk) for disk in DISKS[name]] for name in names}


@pytest.fixture
def shown(agent, machine):
    """Disks that are seen in other profiles only. What is written is there already: a new block would be the journal's
    to wait for."""
    make = f"""mke2fs $disk >/dev/null && mount -t ext4 $disk $at
               for i in 1 2 3 4; do
                   dd if=/srv/data of=$at/file$i bs={BLOCK} count={PART} status=none; chown {WRITER} $at/file$i
               done"""
    with contextlib.ExitStack() as stack:
        for at, disk in ((BINDS["rw"][1], "vdb3"), (BINDS["ro"][1], "vdc1"), (f"{TREE}/data", "vdb4")):
            stack.enter_context(mounted(machine, at, f"disk=/dev/{disk}; {make}; sync"))
        yield


def writing(name, cgroup, how):
    """A job has no place on a disk to write to, so writers are put into its cgroup by hand.

    Tells what the kernel has counted by two times: when it begins to count, and when all has ended. Each time is such
    that a late look makes the rate less, never more.
    """
    size = f"bs={BLOCK} count={SIZE // BLOCK // WAYS[how]}"
    return f"""
        sh -c 'echo $$ >{cgroup}/cgroup.procs
            for i in $(seq {WAYS[how]}); do
                dd if=/dev/zero of=/srv/{name}/written$i {size} {how} status=none &
            done
            wait' &
        writers=$!
        while read time rest </proc/uptime; counts=$(cat {cgroup}/io.stat); do
            case $counts in *" wbytes="[1-9]*) break ;; esac
            usleep 100000
        done
        echo "$counts" | sed "s/^/{name} $time /"
        wait $writers
        read time rest </proc/uptime
        sed "s/^/{name} $time /" {cgroup}/io.stat"""


def looks(lines, name, disk):
    """[(time, bytes written)] of a disk in a place."""
    words = [line.split() for line in lines]
    return [(float(time), int(dict(value.split("=") for value in values).get("wbytes", 0)))
            for place, time, device, *values in words if (place, device) == (name, disk)]


def rate(first, last):
    return (last[1] - first[1]) / (last[0] - first[0])


def shares(alice, agent, machine, probe, places, how):
    """All at once, each in a job of its own: how much of its limit each disk had."""
    jobs = {name: alice.start(probe, "forever", limits=amounts(io_write_bps=LIMIT)) for name in places}
    cgroups = {name: agent.cgroup(job) for name, job in jobs.items()}
    standing = machine.read(f"{cgroups['partition']}/io.max").splitlines()
    assert {line.split()[0] for line in standing if f" wbps={LIMIT} " in line} >= set(sum(places.values(), []))
    told = machine.sh("".join(f"({writing(name, cgroup, how)}) &\n" for name, cgroup in cgroups.items())
                      + "wait; rm /srv/*/written*").splitlines()
    for job in jobs.values():
        alice.end(job, grace=0)
    return {(name, disk): round(rate(*looks(told, name, disk)) / LIMIT, 2)
            for name, disks in places.items() for disk in disks}


def keep_to_their_limits(find_shares):
    """Never more than a tenth above it. Whether as much is reached hangs on what this host leaves to the machine."""
    best = {}
    for _ in range(TRIES):
        found = find_shares()
        assert {name: share for name, share in found.items() if share > 1.1} == {}
        best = {name: max(share, best.get(name, 0)) for name, share in found.items()}
        if min(best.values()) >= FLOOR:
            return
    raise AssertionError(f"less than the limit allows: {best}")


@pytest.mark.parametrize("how", WAYS)
def test_writing_keeps_to_its_limit_on_each_kind_of_disk(alice, agent, machine, probe, places, how):
    keep_to_their_limits(lambda: shares(alice, agent, machine, probe, places, how))


def shares_of_own(alice):
    jobs = {name: alice.start("/bin/sh", "-c", f"files='{files}'; {COPY}", job_class=profile,
                              limits=amounts(**{limit: LIMIT}))
            for name, (profile, files, limit) in OWN.items()}
    found = {}
    for name, job in jobs.items():
        ended = alice.wait(job)
        assert ending(ended) == ("SUCCEEDED", "EXITED", 0, 0), alice.output(ended).data
        count = ended.usage.io_read_bytes if name == "ro" else ended.usage.io_write_bytes
        found[name] = round(count / (ended.run_time.seconds + ended.run_time.nanos / 1e9) / LIMIT, 2)
    return found


def test_what_another_profile_shows_has_limits_in_that_profile(alice, agent, machine, probe, shown):
    job = alice.start(probe, "forever", limits=amounts(io_write_bps=LIMIT))
    assert machine.read(f"{agent.cgroup(job)}/io.max").split()[0] == number(machine, "vda")
    assert len(machine.read(f"{agent.cgroup(job)}/io.max").splitlines()) == 1
    alice.end(job, grace=0)
    keep_to_their_limits(lambda: shares_of_own(alice))


IO_LIMITS = ("io_read_bps", "io_write_bps", "io_read_iops", "io_write_iops", "io_weight")
UNREACHED = "limits of disk input and output are not enforceable here: "


def until_told(alice, degradations):
    """The agent hears of mounts as they come and go; the watchdog of the suite ends this."""
    while list(alice.agent.GetInfo().degradations) != degradations:
        pass


# Kinds of places whose disk nothing limits: how they are mounted at $at, and what is left to do after their end.
IMAGE = "mke2fs -q -F /run/image"
UNLIMITED = {"loop": (f"{IMAGE} && mount -o loop -t ext4 /run/image $at", "true"),
             "fuse": (f"{IMAGE} && fuse2fs /run/image $at", "for pid in $(pidof fuse2fs); do probe ended $pid; done")}
SEEN = [("loop", "default", "/srv/loop"), ("fuse", "default", "/srv/fuse"), ("loop", "bound", BINDS["rw"][1]),
        ("loop", "rooted", f"{TREE}/data")]


def unenforceable(alice):
    return {limit.name: limit.detail for limit in alice.agent.GetInfo().limits if not limit.enforceable}


def test_place_whose_input_and_output_nothing_limits_is_named_where_it_is_seen(alice, machine, probe):
    """By the name that it has on the host; and where it is not seen nobody is refused for it."""
    limits = amounts(io_read_bps=MIB)
    machine.sh("dd if=/dev/zero of=/run/image bs=1M count=4 status=none")
    for kind, seen_in, place in SEEN:
        with mounted(machine, place, *UNLIMITED[kind]):
            until_told(alice, [f"{UNREACHED}{place}" + (f", which is seen in the profile {seen_in}"
                                                        if seen_in != "default" else "")])
            lacking = IO_LIMITS if seen_in == "default" else ()
            assert unenforceable(alice) == {name: f"not enforceable here: {place}" for name in lacking}
            with refused("FAILED_PRECONDITION", "LIMIT_NOT_ENFORCEABLE") as refusal:
                alice.start(probe, "exit", "0", job_class=seen_in, limits=limits)
            assert f"not enforceable here: {place}" in refusal.message
            assert refusal.metadata == {"limit": "io_read_bps", "controller": "io"}
            if seen_in != "default":
                assert ending(alice.run(probe, "exit", "3", limits=limits)) == ("FAILED", "EXITED", 3, 0)
    until_told(alice, [])
    assert unenforceable(alice) == {}
    machine.sh("rm /run/image")
    assert ending(alice.run(probe, "exit", "3", limits=limits)) == ("FAILED", "EXITED", 3, 0)
