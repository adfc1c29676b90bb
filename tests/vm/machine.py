# SPDX-License-Identifier: Apache-2.0
"""A virtual machine that the tests drive from outside.

Its root is a disk: a small ext4 file system with busybox and the programs under test, made anew for each run. So limits
of IO can hold on it, nothing of the host is mounted there, and its state is still there after a power cut. Inside runs
only what is tested; everything slow (Python, gRPC's other implementation) stays on the host. The guest's port 7443 is
reached through a port on the host's loopback, and from inside it no network is reached.
"""

import base64
import collections
import os
import re
import shutil
import socket
import struct
import subprocess

import recipe
from harness import BUILD, PATIENCE

MODULES = ["virtio_pci", "virtio_blk", "virtio_console", "virtio_net", "virtio_rng", "dm_mod", "dm_crypt", "ecb", "xts",
           "loop", "overlay", "raid1", "btrfs", "fuse"]
AGENT_PORT = 7443
PROGRAMS = ("hoist-launcher", "hoistd", "hoist-init", "probe")
TOOLS = ("crun", "dmsetup", "fuse2fs", "mdadm", "mke2fs", "mkfs.btrfs", "strace")
PARTITIONS = [size << 20 for size in (48, 48, 48, 128)]  # what mkfs.btrfs needs is more than the others do
DIRECTORIES = ("dev", "proc", "sys", "run", "tmp", "mnt", "bin", "etc", "opt/hoist", "srv", "var/lib", "var/log",
               "var/tmp")
DATA_SIZE = 16 << 20

# PID 1: runs what comes on the port `control`, one line of base64 each, and answers with exit code, size and output.
# It ends when the port is closed outside. A disk that was made by an ordinary user has that user's files.
GUEST = """#!/bin/sh
export PATH=/bin HOME=/
mount --make-rshared / # as with systemd
chown -hR 0:0 /bin /etc /lib* /opt /srv
chown 0:0 /* /var/*
for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" != control ] || exec 3<>"/dev/${port##*/}"
done
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
echo ready >&3
while read -r line <&3; do
    echo "$line" | base64 -d >/run/command
    sh /run/command >/run/output 2>&1 </dev/null 3>&-
    echo "$? $(wc -c </run/output)" >&3
    cat /run/output >&3
done
exec poweroff -f
"""


def libraries(program):
    """What the dynamic linker loads for it, and the linker itself; nothing for a static program."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(?:=> |^\s+)(/\S+) \(", listed, re.MULTILINE)


def fill_root(root, files):
    """The guest's root below `root`; `files` is {path: (mode, bytes)} of what a suite wants there besides."""
    for name in DIRECTORIES:
        os.makedirs(f"{root}/{name}")
    for name in ("tmp", "var/tmp"):
        os.chmod(f"{root}/{name}", 0o1777)
    shutil.copy(recipe.find_busybox(), f"{root}/bin/busybox")
    for name in subprocess.run([recipe.find_busybox(), "--list"], capture_output=True, text=True).stdout.split():
        if name != "busybox":
            os.symlink("busybox", f"{root}/bin/{name}")
    for program in [f"{BUILD}/{name}" for name in PROGRAMS] + [shutil.which(name) for name in TOOLS]:
        shutil.copy(os.path.realpath(program), f"{root}/opt/hoist/{os.path.basename(program)}")
        for library in libraries(program):
            os.makedirs(os.path.dirname(f"{root}{library}"), exist_ok=True)
            shutil.copy(library, f"{root}{library}")
    for path, (mode, data) in {"/srv/data": (0o644, os.urandom(DATA_SIZE)), **files}.items():
        os.makedirs(os.path.dirname(f"{root}{path}"), exist_ok=True)
        with open(f"{root}{path}", "wb") as file:
            file.write(data)
        os.chmod(f"{root}{path}", mode)


def mkfs():
    return shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def make_data_disk(work, name):
    """A disk with four partitions by a table of MS-DOS; the first holds an ext4 file system."""
    start = 1 << 20
    entries = [struct.pack("<B3sB3sII", 0, bytes(3), 0x83, bytes(3), start + sum(PARTITIONS[:i]) >> 9, size >> 9)
               for i, size in enumerate(PARTITIONS)]
    with open(f"{work}/partition", "wb") as file:
        file.truncate(PARTITIONS[0])
    subprocess.run([mkfs(), "-q", "-E", "lazy_itable_init=1,root_owner=0:0", f"{work}/partition"], check=True)
    with open(f"{work}/{name}", "wb") as disk, open(f"{work}/partition", "rb") as partition:
        disk.truncate(start + sum(PARTITIONS))
        disk.write(bytes(446) + b"".join(entries) + b"\x55\xaa")
        disk.seek(start)
        shutil.copyfileobj(partition, disk)
    os.unlink(f"{work}/partition")
    return f"{work}/{name}"


def make_disk(work, files):
    fill_root(f"{work}/root", files)
    os.truncate(os.open(f"{work}/disk", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC), 512 << 20)
    subprocess.run([mkfs(), "-q", "-d", f"{work}/root", "-E", "lazy_itable_init=1,root_owner=0:0", f"{work}/disk"],
                   check=True)
    shutil.rmtree(f"{work}/root")
    return f"{work}/disk"


class CommandFailed(AssertionError):
    pass


class Machine:
    def __init__(self, work, files, guest=GUEST):
        """`work` is a directory of its own, `guest` the script that becomes PID 1. It is not running yet: boot()."""
        self.work = work
        self.disk = make_disk(work, files)
        self.data_disks = [make_data_disk(work, name) for name in ("vdb", "vdc")]
        self.kernel, tree = recipe.find_kernel()
        # Without a file `needed` the initramfs has nothing of the host's to show.
        self.initrd = recipe.make_initramfs(work, recipe.find_modules(tree, MODULES),
                                            {"root-is-disk": "", "needed": "", "run-guest": guest})
        self.qemu = self.control = self.port = None

    # --- power

    def boot(self):
        listening = recipe.listen(f"{self.work}/control.sock")
        try:
            self.port = self._start_qemu()
            listening.settimeout(PATIENCE)
            connection, _ = listening.accept()
        finally:
            listening.close()
            os.unlink(f"{self.work}/control.sock")
        connection.settimeout(PATIENCE)
        self.control = connection.makefile("rwb")
        connection.close()  # the file keeps it open
        if self.control.readline() != b"ready\n":
            raise recipe.Trouble(f"the machine did not start: {self.console()}")

    def _start_qemu(self):
        port = free_port()
        argv = recipe.qemu_arguments(self.kernel, self.initrd, f"{self.work}/console")
        argv += recipe.port_arguments(control=f"{self.work}/control.sock")
        argv += self._disk_arguments()
        argv += ["-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{AGENT_PORT}",
                 "-device", "virtio-net-pci,netdev=net,romfile="]
        for disk in self.data_disks:
            argv += ["-drive", f"file={disk},if=virtio,format=raw,cache=unsafe"]
        with open(f"{self.work}/log", "ab") as log:
            self.qemu = recipe.start(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return port

    def _disk_arguments(self):
        """What the guest wrote survives qemu's end in this host's page cache: what it did not is lost."""
        return ["-drive", f"file={self.disk},if=virtio,format=raw,cache=unsafe"]

    def cut_power(self):
        """What the guest had not written to its disk is lost."""
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()
            self.control.close()
            self.qemu = self.control = None

    def console(self):
        with open(f"{self.work}/console", errors="replace") as file, open(f"{self.work}/log", errors="replace") as log:
            return (file.read() + log.read())[-4000:]

    # --- what goes on in it

    def try_sh(self, command):
        """Runs shell commands as root: (exit code, output of both streams)."""
        self.control.write(base64.b64encode(command.encode()) + b"\n")
        self.control.flush()
        answer = self.control.readline().split()
        if len(answer) != 2:
            raise recipe.Trouble(f"the machine is gone: {self.console()}")
        return int(answer[0]), self.control.read(int(answer[1])).decode(errors="replace")

    def sh(self, command):
        """The output of shell commands that must succeed."""
        code, output = self.try_sh(command)
        if code != 0:
            raise CommandFailed(f"{command!r} exited with {code}: {output}")
        return output

    def read(self, path):
        return self.sh(f"cat {path}")

    def process_end(self, pid):
        """Returns when the process has ended; its parent may have yet to reap it."""
        self.sh(f"/opt/hoist/probe ended {pid}")

    def figures(self, path):
        """A file of lines "name number" as a dictionary."""
        return {name: int(number) for name, number in (line.split() for line in self.read(path).splitlines())}

    def things(self):
        """What must not be left behind: processes, cgroups, mounts, temporary files; how many of each there are.

        Neither kernel threads nor zombies have an executable.
        """
        _, listed = self.try_sh("""
            find /sys/fs/cgroup -mindepth 1 -type d | sed 's/^/cgroup /'
            cut -d ' ' -f 5 /proc/self/mountinfo | sed 's/^/mount /'
            find /tmp /var/tmp /dev/shm -mindepth 1 | sed 's/^/file /'
            echo "itself $$"
            exec ls -l /proc/[0-9]*/exe 2>/dev/null
        """)
        things = re.findall(r"^(?:cgroup|mount|file) .*$", listed, re.MULTILINE)
        itself = re.search(r"^itself (\d+)$", listed, re.MULTILINE).group(1)
        processes = re.findall(r"/proc/(\d+)/exe -> (.*)$", listed, re.MULTILINE)
        things += [f"process {program}" for pid, program in processes if pid not in ("1", itself)]
        return collections.Counter(things)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
