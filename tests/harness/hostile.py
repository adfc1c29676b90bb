# SPDX-License-Identifier: Apache-2.0
"""A hoistd that is an attacker's: the launcher starts it, and it hands its end of the socket to the test."""

import contextlib
import importlib
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import uuid

from harness import BUILD, PATIENCE, TOP
from harness.checksum import crc32c
from harness.traces import cgroup_mount
from harness.waiting import cgroup_empty, read_until

AGENT_UID = 61998  # of nobody
STATE_FILE_SIZE, SLOT_SIZE = 4096, 512  # wire/state-file.h

# Gives the socket away and waits until the test hangs up.
STUB = ("import socket, sys; line = socket.socket(socket.AF_UNIX); line.connect(sys.argv[1]); "
        "socket.send_fds(line, [b'x'], [3]); line.recv(1)")


def protocol():
    """The version that the launcher speaks (wire/launcher-messages.h)."""
    with open(f"{TOP}/src/wire/launcher-messages.h") as file:
        return int(re.search(r"define LAUNCHER_PROTOCOL_VERSION\s+\D*(\d+)", file.read())[1])


def messages():
    """hoist.internal.launcher_pb2."""
    name = "hoist.internal.launcher_pb2"
    if name not in sys.modules:
        with tempfile.TemporaryDirectory(prefix="hoist-test-") as directory:
            subprocess.run(["protoc", f"--proto_path={TOP}/proto", f"--python_out={directory}",
                            f"{TOP}/proto/hoist/internal/launcher.proto"], check=True, timeout=PATIENCE)
            sys.path.insert(0, directory)
            try:
                importlib.invalidate_caches()
                importlib.import_module(name)
            finally:
                sys.path.remove(directory)
    return sys.modules[name]


def state_file(job):
    """As hoistd makes it: only the first slot says something."""
    slot = struct.pack("<8s16s16sQ", b"hiostst\0", job, bytes(16), 0).ljust(SLOT_SIZE - 8, b"\0")
    slot += struct.pack("<I", 1)
    return (slot + struct.pack("<I", crc32c(slot))).ljust(STATE_FILE_SIZE, b"\0")


def index_file(job):
    """As hoistd makes it: a header, and nothing that was printed (docs/protocol/output-format.md)."""
    header = struct.pack("<8sQ16sQQQHH", b"hoistIX\n", 0, job, 0, 0, 0, 1, 0)
    return header + struct.pack("<I", crc32c(header))


class Ended(Exception):
    """The launcher has ended the connection."""


class HostileHoistd:
    def __init__(self, *flags):
        self.place = tempfile.mkdtemp(prefix="hoist-test-hostile-", dir="/var/tmp")
        os.chmod(self.place, 0o777)
        self.requests, self.cgroups = 0, None
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{self.place}/socket")
            os.chmod(f"{self.place}/socket", 0o777)
            listener.listen()
            self.launcher = subprocess.Popen(
                [f"{BUILD}/hoist-launcher", "--hoistd", "/usr/bin/python3", "--init",
                 os.path.realpath(f"{BUILD}/hoist-init"), "--cgroup-root", f"/hoist-test-{uuid.uuid4().hex[:8]}",
                 "--agent-user", str(AGENT_UID), *flags, "--", "-c", STUB, f"{self.place}/socket"],
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)
            assert select.select([listener], [], [], PATIENCE)[0], "the launcher started nothing"
            self.stub, _ = listener.accept()
        _, [fd], _, _ = socket.recv_fds(self.stub, 1, 1)
        self.line = socket.socket(fileno=fd)
        self.line.settimeout(PATIENCE)

    def close(self):
        self.line.close()
        self.stub.close()
        self.launcher.terminate()
        try:
            self.launcher.communicate(timeout=PATIENCE)
        finally:
            self.launcher.kill()
            shutil.rmtree(self.place)
            self.remove_cgroups()

    def remove_cgroups(self):
        """Of jobs that were started: no hoistd is left to ask for it."""
        if self.cgroups and os.path.exists(f"{self.cgroups}/cgroup.kill"):
            with open(f"{self.cgroups}/cgroup.kill", "w") as file:
                file.write("1")
            cgroup_empty(self.cgroups)
            for directory, _, _ in os.walk(self.cgroups, topdown=False):
                os.rmdir(directory)

    def log(self, wanted):
        return read_until(self.launcher.stderr, wanted)

    # --- requests

    def send(self, packet, fds=()):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self.line, [packet], list(fds))

    def ask(self, fds=(), **request):
        """The answer; Ended when the launcher has none for it."""
        self.requests += 1
        self.send(messages().Request(id=self.requests, **request).SerializeToString(), fds)
        return self.receive()

    def receive(self):
        try:
            packet, fds, _, _ = socket.recv_fds(self.line, 65536, 4)
        except ConnectionResetError:
            raise Ended from None
        for fd in fds:
            os.close(fd)
        if not packet:
            raise Ended
        return messages().Answer.FromString(packet)

    def hello(self):
        told = self.ask(hello={"protocol": protocol(), "version": b"0"}).hello
        self.cgroups = f"{cgroup_mount()}/{told.cgroup_root.decode()}"
        return told

    def serve(self):
        """Up to where jobs may be started; returns what the launcher has told of itself."""
        told = self.hello()
        fds = self.lifeline()
        try:
            self.ask(fds, ready={"address": b"127.0.0.1:1"})
        finally:
            for fd in fds:
                os.close(fd)
        return told

    def lifeline(self, uid=AGENT_UID):
        """Both ends of a FIFO that is gone already: to hold and to watch."""
        path = f"{self.place}/{uuid.uuid4()}"
        os.mkfifo(path)
        os.chown(path, uid, uid)
        ends = [os.open(path, flags | os.O_CLOEXEC) for flags in (os.O_RDWR, os.O_RDONLY | os.O_NONBLOCK)]
        os.unlink(path)
        return ends

    # --- jobs

    def file(self, flags, content=b"", uid=AGENT_UID, directory=None):
        """A descriptor of a file that is gone already."""
        path = f"{directory or self.place}/{uuid.uuid4()}"
        with open(path, "wb") as file:
            file.write(content)
        os.chown(path, uid, uid)
        fd = os.open(path, flags | os.O_CLOEXEC)
        os.unlink(path)
        return fd

    def files(self, job, **instead):
        """What a decent hoistd hands over, but for what is given instead."""
        made = {"data": lambda: self.file(os.O_RDWR | os.O_APPEND), "index": lambda: self.file(os.O_RDWR, index_file(job)),
                "state": lambda: self.file(os.O_RDWR, state_file(job))}
        return [instead.get(name, make)() for name, make in made.items()]

    def spawn(self, uid, files=None, **fields):
        """The answer to Spawn. `files` are functions that make descriptors: data=, index=, state=."""
        job = fields.get("job") or uuid.uuid4().bytes
        fds = self.files(job, **(files or {}))
        values = {"job": job, "group": b"p-alice", "argv": [b"/bin/true"], "uid": uid, "stop_signal": 15,
                  "warn_unenforced": True, **fields}
        try:
            return self.ask(fds, spawn=values)
        finally:
            for fd in fds:
                os.close(fd)
