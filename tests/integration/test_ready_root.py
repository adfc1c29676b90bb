# SPDX-License-Identifier: Apache-2.0
"""The root that is made ahead of jobs: it shows what a root shows that each job makes for itself, whatever the host does.

The agent runs in a mount namespace with a root directory of the test's own, in which the host's directories are mounted:
there the test may mount, unmount and rename what it likes.
"""

import concurrent.futures
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time

import pytest

from harness import PATIENCE, traces
from harness.agent import Agent
from harness.api import ending

INITIAL_USER_NAMESPACE = 0xEFFFFFFD  # linux/proc_ns.h

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or os.stat("/proc/self/ns/user").st_ino != INITIAL_USER_NAMESPACE,
                                reason="needs root of the initial user namespace: elsewhere no root is made ahead")

# A root with directories of its own where the test changes something, and the host's.
OWN_ROOT = """set -e
mount -t tmpfs -o mode=755 root /mnt
for each in /*; do
    case $each in
    /mnt|/opt|/srv) mkdir "/mnt$each";;
    *)  if [ -L "$each" ]; then cp -P "$each" /mnt; elif [ -d "$each" ]; then
            mkdir "/mnt$each"; mount --rbind "$each" "/mnt$each"
        fi;;
    esac
done
cd /mnt
mkdir old opt/seen opt/seen/disk opt/place
pivot_root . old
umount -l old
rmdir old
mount --make-rshared /
exec "$@"
"""


class Host:
    def __init__(self, agent):
        self.agent = agent
        self.enter(OWN_ROOT)

    def enter(self, script):
        """Starts the agent anew, from a script that executes its arguments."""
        self.agent.restart(within=("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"))
        self.alice = self.agent.client("alice")

    def do(self, script):
        subprocess.run(["nsenter", f"--mount=/proc/{self.agent.launcher_pid}/ns/mnt", "sh", "-ec", script], check=True,
                       timeout=PATIENCE)

    def mounts(self):
        with open(f"/proc/{self.agent.launcher_pid}/mountinfo") as file:
            return file.read()

    def roots(self):
        """The mount namespaces that the launcher holds: of at most one root."""
        return [each for each in traces.descriptors(self.agent.launcher_pid) if each.startswith("mnt:")]

    def see(self, script, **spec):
        """What a job prints."""
        done = self.alice.run("sh", "-c", script, **spec)
        output = self.alice.output(done).data.decode()
        assert ending(done)[:2] == ("SUCCEEDED", "EXITED"), (ending(done), output)
        return output

    def ready(self):
        """Starts jobs until there is a root; returns which one it is, as jobs in it see it."""
        deadline = time.monotonic() + PATIENCE
        while not self.roots():
            assert time.monotonic() < deadline
            self.see(":")
        return self.see("stat -c %d /")

    def sees(self, script, wanted, root=None):
        """So it is for the next job, and for those in the next root. `root`: the next job is in this one."""
        got = self.see(f"stat -c %d /; {script}").split("\n", 1)
        assert got[1] == wanted and (root is None or got[0] + "\n" == root), got
        self.ready()
        assert self.see(script) == wanted


@pytest.fixture(scope="module")
def host(messages):
    with Agent({"classes": "{net: {profile: net, profile_for_all: true}}"},
               {"hide": "/opt/place/secret", "profile": "net network=host"}) as agent:
        yield Host(agent)


VIEW = "cut -d' ' -f 4-6 /proc/self/mountinfo | sort; cd /; stat -c '%A %N %t:%T' * dev/*"


def test_a_job_sees_the_same_in_it_as_without_it(host):
    root = host.ready()
    assert host.see("stat -c %d /", job_class="net") == root, "profiles with the same mounts share it"
    host.sees(VIEW, host.see(VIEW), root)
    inside = host.see(VIEW)
    for change in ("mount -t tmpfs none /mnt", "umount /mnt"):  # a hidden place: what jobs see stays as it is
        host.do(change)
        host.sees(VIEW, inside)


def test_mounts_that_come_change_and_go(host):
    host.ready()
    host.do("mount -t tmpfs none /opt/seen/disk; echo there >/opt/seen/disk/file")
    host.sees("cat /opt/seen/disk/file", "there\n")
    options = "grep ' /opt/seen/disk ' /proc/self/mountinfo | cut -d' ' -f6"
    host.sees(options, "ro,nosuid,nodev,relatime\n")
    host.do("mount -o remount,bind,noexec,ro /opt/seen/disk")
    host.sees(options, "ro,nosuid,nodev,noexec,relatime\n")
    host.do("mount -t tmpfs none /opt/seen/disk; echo over >/opt/seen/disk/file")
    host.sees("cat /opt/seen/disk/file", "over\n")
    host.do("umount /opt/seen/disk")
    host.sees("cat /opt/seen/disk/file", "there\n")
    host.do("umount /opt/seen/disk")
    host.sees("ls -A /opt/seen/disk; grep -c ' /opt/seen/disk ' /proc/self/mountinfo || :", "0\n")


def test_hidden_place_that_appears_is_hidden_from_the_next_job(host):
    """No mount changes, so these jobs are in the very root that was made before there was such a place."""
    root, look = host.ready(), "cd /opt/place; ls; ls -A secret; cat secret/key secret 2>&1 | grep -c password || :"
    host.sees(look.replace("ls -A secret;", ""), "0\n", root)
    host.do("mkdir /opt/place/secret; echo password >/opt/place/secret/key")
    host.sees(look, "secret\n0\n", root)
    host.do("cd /opt/place; mv secret gone; rm -r gone; mkdir secret; echo password >secret/key")
    host.sees(look, "secret\n0\n", root)
    host.do("cd /opt/place; rm -r secret; echo password >secret")
    host.sees(look.replace("ls -A secret;", ""), "secret\n0\n", root)
    host.do("cd /opt/place; rm secret; mkdir /opt/place/other; echo password >other/key; ln -s other secret")
    host.sees("cd /opt/place; cat secret/key other/key 2>/dev/null | grep -c password || :", "0\n", root)


def test_directory_of_the_host_root_that_is_another(host):
    root = host.ready()
    host.do("echo old >/srv/file")
    host.sees("cat /srv/file", "old\n", root)
    host.do("mv /srv /srv.old; mkdir /srv; echo new >/srv/file")
    host.sees("cat /srv/file", "new\n")
    host.do("rm -r /srv /srv.old; mkdir /srv; echo newer >/srv/file")
    host.sees("cat /srv/file", "newer\n")
    host.do("rm -r /srv")
    host.sees("ls -d /srv 2>/dev/null || echo none", "none\n")
    host.do("mkdir /srv; echo back >/srv/file")
    host.sees("cat /srv/file", "back\n")


@contextlib.contextmanager
def unmount_seen(path):
    """Yields a function that returns when nobody has the file system of this file mounted any more."""
    libc, written, unmounted = ctypes.CDLL(None, use_errno=True), 0x2, 0x2000
    watch = libc.inotify_init1(os.O_CLOEXEC)
    assert libc.inotify_add_watch(watch, os.fsencode(path), written) >= 0, os.strerror(ctypes.get_errno())

    def wait():
        assert select.select([watch], [], [], PATIENCE)[0]
        assert int.from_bytes(os.read(watch, 4096)[4:8], "little") & unmounted

    yield wait
    os.close(watch)


@pytest.mark.parametrize("kind", ["shared", "private"])
def test_file_system_that_the_host_unmounts_is_not_kept(host, kind):
    """With shared mounts in the very moment, even while the launcher is stopped; otherwise once it has heard of it."""
    launcher = host.agent.launcher_pid
    host.do(f"cd /opt/seen; mount --bind . .; mount --make-{kind} /opt/seen; "
            "mount -t tmpfs none /opt/seen/disk; echo there >/opt/seen/disk/file")
    host.ready()
    with unmount_seen(f"/proc/{launcher}/cwd/opt/seen/disk/file") as wait:
        if kind == "shared":
            os.kill(launcher, signal.SIGSTOP)
        try:
            host.do("umount /opt/seen/disk")
            wait()
        finally:
            os.kill(launcher, signal.SIGCONT)
    host.do("umount /opt/seen")


@pytest.mark.parametrize("starts", [60, pytest.param(1000, marks=pytest.mark.soak)])
def test_starts_leave_no_mount_and_no_descriptor(host, starts):
    root = host.ready()
    mounts, descriptors = host.mounts(), traces.descriptors(host.agent.launcher_pid)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: host.see("stat -c %d /"), range(starts))) == {root}
    assert host.mounts() == mounts
    assert traces.descriptors(host.agent.launcher_pid) == descriptors


def test_root_that_is_not_one_to_who_enters_its_namespace_is_refused(host):
    """In a chroot(2) the namespace's root is still the host's: each job makes its root, as it can there."""
    host.enter(OWN_ROOT.replace("pivot_root . old\numount -l old\nrmdir old\nmount --make-rshared /\nexec", "exec chroot ."))
    host.agent.wait_log("no root can be made ahead: each job makes its own")
    for _ in range(3):
        assert host.see("ls -A /mnt; echo runs") == "runs\n"
    assert host.roots() == []
