# SPDX-License-Identifier: Apache-2.0
"""Faults put into the real programs from outside: system calls that fail, disks that are full."""

import contextlib
import os
import signal
import subprocess
import uuid

from harness import waiting
from harness.records import hoistd_away


@contextlib.contextmanager
def injected(pid, *inject, path=None, children=True, end=signal.SIGINT):
    """While the block runs, system calls of the process (and of what it starts) fail as strace(1) -e inject= says.

    injected(launcher, "clone3:error=EAGAIN"); `path`: only calls about this file. `end`: how the tracer is told to end.
    With `children`, SIGINT may hang for ever if one is born just then: it waits for the parent to stop, which waits in
    clone3 (CLONE_VFORK) for the child, which the tracer holds. SIGKILL makes the kernel let go of all of them.
    """
    calls = ",".join(expression.partition(":")[0] for expression in inject)
    command = ["strace", "-o", "/dev/null", "-e", f"trace={calls}", "-p", str(pid)]
    command += ["-f"] if children else []
    command += ["-P", path] if path else []
    command += [part for expression in inject for part in ("-e", f"inject={expression}")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as tracer:
        try:
            waiting.read_until(tracer.stderr, b" attached")
            yield
        finally:
            tracer.send_signal(end)
            tracer.stderr.read()


@contextlib.contextmanager
def small_disk(agent, size, kind="tmpfs", place="state/jobs"):
    """The jobs' directories, or `state` with the records too, lie on a file system of so many bytes; yields its path."""
    path = f"{agent.dir}/{place}"
    owner = os.stat(f"{agent.dir}/state").st_uid
    with hoistd_away(agent):
        subprocess.run(["mount", "-t", kind, "-o", f"size={size},mode=0700", "small", path], check=True)
        os.chown(path, owner, owner)
    try:
        agent.client("admin").agent.Ping()
        yield path
    finally:
        with hoistd_away(agent):
            subprocess.run(["umount", "-l", path], check=True)
        agent.client("admin").agent.Ping()


def reboot(agent, directory, *pids):
    """As if the host had been restarted: the agent and these processes are killed, and the boot id is another one when
    the agent comes back. `directory` is for a file."""
    hoistd = agent.hoistd_pid
    os.kill(agent.launcher_pid, signal.SIGKILL)
    waiting.process_end(hoistd)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        waiting.process_end(pid)
    with open(f"{directory}/boot_id", "w") as file:
        file.write(f"{uuid.uuid4()}\n")
    agent.restart(within=["unshare", "--mount", "sh", "-ec", 'mount --bind "$0" /proc/sys/kernel/random/boot_id; '
                          'exec "$@"', f"{directory}/boot_id"])


def fill(path, leave=0):
    """Fills the file system with the file `ballast` up to the last byte but `leave`; returns the file's path."""
    ballast = f"{path}/ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(ballast, max(0, os.path.getsize(ballast) - leave))
    return ballast
