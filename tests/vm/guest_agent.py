# SPDX-License-Identifier: Apache-2.0
"""An agent in the virtual machine, installed and started as on any host, and its clients outside."""

import contextlib
import json
import os
import subprocess

from harness import PATIENCE, TOP
from harness.agent import REPORT
from harness.api import Client
from harness.cli import Cli
from machine import AGENT_PORT

CLIENTS = {"admin": "admin", "alice": "user", "bob": "user"}
UID = 900
ETC = "/etc/hoist"
STATE = "/var/lib/hoist"
LOG = "/var/log/hoist"
CGROUP = "/sys/fs/cgroup/hoist"

# A class that keeps something for its jobs, in the units of hoist.v1.Limits.
KEPT = {"memory_low": 48 << 20, "reserve": {"memory": 32 << 20, "cpu": 500}}

# What other surroundings have on disks that no other job sees: directories of the host, and a root of its own.
WRITER = 950
BINDS = {"ro": ("/mnt/kept", "/mnt/kept", "/kept"), "rw": ("/srv/link", "/mnt/shared", "/shared")}  # named, is, seen
TREE = "/mnt/tree"
PROFILES = {
    "bound": " ".join(f"bind={mode}:{named}:{seen}" for mode, (named, _, seen) in BINDS.items()),
    "rooted": f"rootfs={TREE} writable=yes",
}

HOISTD = {
    "listen": f"0.0.0.0:{AGENT_PORT}",
    "state_dir": STATE,
    "unenforced_limits": "refuse",
    "classes": {"kept": KEPT, **{name: {"profile": name, "profile_for_all": True} for name in PROFILES}},
    "tls": {"cert": f"{ETC}/server.pem", "key": f"{ETC}/server.key", "client_ca": f"{ETC}/client-ca.pem"},
}
LAUNCHER = f"""agent_user = {UID}
agent_group = {UID}
hide = {STATE}
""" + "".join(f"profile = {name} {rule} user={WRITER}\n" for name, rule in PROFILES.items())

START = f"""
[ -d {STATE} ] || {{ mkdir -m 0700 {STATE}; chown {UID}:{UID} {STATE}; }}
mkdir -p {TREE}/bin {TREE}/data {" ".join(place for _, place, _ in BINDS.values())}
cp /bin/busybox {TREE}/bin/sh; ln -sfn sh {TREE}/bin/dd; ln -sfn sh {TREE}/bin/seq
{"; ".join(f"ln -sfn {place} {named}" for named, place, _ in BINDS.values() if named != place)}
chown {UID}:{UID} {ETC}/server.key
setsid /opt/hoist/hoist-launcher --config {ETC}/launcher.conf --hoistd /opt/hoist/hoistd --init /opt/hoist/hoist-init \\
    -- --config {ETC}/hoistd.yaml </dev/null >>{LOG} 2>&1 &
echo $!
"""


def make_certificates(pki):
    issue = [[f"{TOP}/tools/hoist-pki", "issue", pki, name, "--client", "--role", role]
             for name, role in CLIENTS.items()]
    issue.append([f"{TOP}/tools/hoist-pki", "issue", pki, "server", "--server", "--ip", "127.0.0.1"])
    for command in [[f"{TOP}/tools/hoist-pki", "init", pki], *issue]:
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


def files(pki):
    """What it needs on the machine's disk."""
    found = {f"{ETC}/launcher.conf": (0o644, LAUNCHER.encode()),
             f"{ETC}/hoistd.yaml": (0o644, json.dumps(HOISTD).encode())}
    for name, mode in (("server.pem", 0o644), ("server.key", 0o600), ("client-ca.pem", 0o644)):
        with open(f"{pki}/{name}", "rb") as file:
            found[f"{ETC}/{name}"] = (mode, file.read())
    return found


class GuestAgent:
    """The same to its clients as harness.agent.Agent."""

    def __init__(self, machine, pki):
        self.machine = machine
        self.pki = pki
        self.reports_seen = 0
        self.start()

    # --- clients

    def environment(self, name):
        return {"HOIST_HOST": "127.0.0.1", "HOIST_PORT": str(self.machine.port),
                "HOIST_CA": f"{self.pki}/server-ca.pem", "HOIST_CERT": f"{self.pki}/{name}.pem",
                "HOIST_KEY": f"{self.pki}/{name}.key"}

    def client(self, name):
        """Connected: qemu takes a connection before anybody listens in the guest, so a first one may be cut."""
        client = Client(self.environment(name), options=[("grpc.initial_reconnect_backoff_ms", 100),
                                                         ("grpc.max_reconnect_backoff_ms", 1000)])
        client.connected()
        return client

    def cli(self, name):
        return Cli({**os.environ, **self.environment(name)})

    def is_served(self):
        """Returns when it is."""
        self.client("admin").close()

    # --- what it is made of

    @property
    def hoistd_pid(self):
        return int(self.machine.sh("pidof hoistd"))

    def log(self):
        return self.machine.read(LOG)

    def new_reports(self):
        """What sanitizers have found since the last call."""
        found = [line for line in self.log().splitlines() if REPORT.search(line)]
        fresh, self.reports_seen = found[self.reports_seen:], len(found)
        return fresh

    def cgroup(self, job):
        """Of a job of alice's: that of the command, and beside it that of hoist-init."""
        return f"{CGROUP}/p-{job.created_by}/{job.name.removeprefix('jobs/')}/cmd"

    # --- what may happen to it

    def start(self):
        self.launcher_pid = int(self.machine.sh(START))
        self.is_served()

    def kill_hoistd(self):
        self.machine.sh(f"kill -9 {self.hoistd_pid}")
        self.is_served()

    def kill_launcher(self):
        """hoistd ends with it; afterwards there is no agent."""
        self.machine.sh(f"kill -9 {self.launcher_pid}")
        self.machine.process_end(self.launcher_pid)
        for pid in self.machine.try_sh("pidof hoistd")[1].split():
            self.machine.process_end(pid)

    @contextlib.contextmanager
    def jobs_on(self, device):
        """While the block runs the jobs' directories lie on this device, made an ext4 file system anew; the records don't.
        Times of access are not kept: they would be written when something is read."""
        self.stop()
        self.machine.sh(f"""set -e; /opt/hoist/mke2fs -q -t ext4 -m 0 -E lazy_itable_init=0,root_owner={UID}:{UID} {device}
                            mkdir -p {STATE}/jobs; chown {UID}:{UID} {STATE}/jobs
                            mount -t ext4 -o noatime {device.split()[0]} {STATE}/jobs
                            rmdir {STATE}/jobs/lost+found; chmod 0700 {STATE}/jobs""")
        self.start()
        try:
            yield f"{STATE}/jobs"
        finally:
            self.stop()
            self.machine.sh(f"umount {STATE}/jobs")
            self.start()

    def stop(self):
        self.machine.sh(f"kill {self.launcher_pid}")
        self.machine.process_end(self.launcher_pid)
