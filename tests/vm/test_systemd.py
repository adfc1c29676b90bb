# SPDX-License-Identifier: Apache-2.0
"""The units, under systemd: the agent is restarted, killed, frozen and replaced while a job runs."""

import json
import os
import platform
import tempfile

import pytest

import guest_agent
from harness import BUILD
from harness.api import amounts, ending, refused, word
from machine import GUEST, Machine, libraries

# systemd as this host has it, with what it needs and nothing that it would start by itself.
PROGRAMS = ["/lib/systemd/systemd", "/usr/bin/systemctl", "/usr/bin/systemd-sysusers", "/usr/bin/systemd-tmpfiles"]
UNITS = {name: "[Unit]\nDefaultDependencies=no\n"
         for name in ("sysinit.target", "basic.target", "shutdown.target", "network-online.target")}
UNITS["guest.target"] = "[Unit]\nDefaultDependencies=no\nRequires=guest.service basic.target\n"
# It stays what PID 1 of the other machine is: the hand of the tests.
UNITS["guest.service"] = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sh /run/guest-loop\n"
UNITS["hoist.service.d/test.conf"] = f"[Service]\nStandardError=append:{guest_agent.LOG}\nWatchdogSec=8s\n"

BOOT = f"""#!/bin/sh
cat >/run/guest-loop <<'END'
{GUEST}
END
exec /lib/systemd/systemd --unit=guest.target
"""

JOBS = "/sys/fs/cgroup/system.slice/hoist-jobs.service/jobs"

pytestmark = pytest.mark.skipif(not os.path.exists(PROGRAMS[0]), reason="this host has no systemd to try it with")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def installed():
    """What `make install` puts into the places that the units name."""
    unit = read(f"{BUILD}/packaging/hoist.service").decode()
    sbin = os.path.dirname(unit.partition("ExecStart=")[2].split()[0])
    places = {f"{sbin}/hoist-launcher": "hoist-launcher", f"{sbin}/hoistd": "hoistd",
              f"{os.path.dirname(sbin)}/libexec/hoist/hoist-init": "hoist-init"}
    files = {path: (0o755, read(os.path.realpath(f"{BUILD}/{name}"))) for path, name in places.items()}
    source = os.path.join(os.path.dirname(__file__), "../../packaging/systemd")
    files["/usr/lib/sysusers.d/hoist.conf"] = (0o644, read(f"{source}/sysusers.conf"))
    files["/usr/lib/tmpfiles.d/hoist.conf"] = (0o644, read(f"{source}/tmpfiles.conf"))
    for name in ("hoist.service", "hoist-jobs.service"):
        files[f"/etc/systemd/system/{name}"] = (0o644, read(f"{BUILD}/packaging/{name}"))
    files["/etc/systemd/system/hoist.slice"] = (0o644, read(f"{source}/hoist.slice"))
    return files


def files(pki):
    found = {**guest_agent.files(pki), **installed()}
    found[f"{guest_agent.ETC}/launcher.conf"] = (0o644, f"hide = {guest_agent.STATE}\n".encode())
    hoistd = {**guest_agent.HOISTD, "classes": {"kept": guest_agent.KEPT}}
    found[f"{guest_agent.ETC}/hoistd.yaml"] = (0o644, json.dumps(hoistd).encode())
    found |= {f"/etc/systemd/system/{name}": (0o644, text.encode()) for name, text in UNITS.items()}
    found["/etc/machine-id"] = (0o444, b"0123456789abcdef0123456789abcdef\n")
    found["/etc/passwd"] = (0o644, b"root:x:0:0:root:/:/bin/sh\n")
    found["/etc/group"] = (0o644, b"root:x:0:\n")
    for program in PROGRAMS:
        found[program.replace("/usr/bin/", "/bin/")] = (0o755, read(program))
        found |= {library: (0o755, read(library)) for library in libraries(program)}
    return found


class Host:
    """An agent under systemd; the same to its clients as harness.agent.Agent."""

    environment = guest_agent.GuestAgent.environment
    client = guest_agent.GuestAgent.client

    def __init__(self, machine, pki):
        self.machine, self.pki = machine, pki
        machine.sh("systemd-sysusers /usr/lib/sysusers.d/hoist.conf; "
                   "systemd-tmpfiles --create /usr/lib/tmpfiles.d/hoist.conf")
        machine.sh(f"chown hoist {guest_agent.ETC}/server.key")
        self.systemctl("start", "hoist.service")

    def systemctl(self, *words):
        code, output = self.machine.try_sh(f"systemctl {' '.join(words)}")
        assert code == 0, f"{output}\n{self.machine.try_sh(f'cat {guest_agent.LOG}')[1]}\n{self.machine.console()}"
        return output

    def show(self, unit, name):
        return self.systemctl("show", "--value", "-p", name, unit).strip()

    def until_active(self, other_than):
        """Returns when hoist.service is active with another main process."""
        self.machine.sh(f"""
            until [ "$(systemctl show --value -p ActiveState hoist.service)" = active ] &&
                  [ "$(systemctl show --value -p MainPID hoist.service)" != {other_than} ]; do usleep 200000; done""")

    @property
    def pid(self):
        return int(self.show("hoist.service", "MainPID"))


@pytest.fixture(scope="module")
def host(pki):
    if platform.machine() != "x86_64":
        pytest.skip("the virtual machine's kernel is one for x86_64 only")
    with tempfile.TemporaryDirectory(prefix="hoist-vm-") as work:
        machine = Machine(work, files(pki), BOOT)
        try:
            machine.boot()
            yield Host(machine, pki)
        finally:
            machine.cut_power()


@pytest.fixture(autouse=True)
def no_reports():
    """That of the other machine: nothing of this one concerns it."""


def kill(host):
    pid = host.pid
    host.machine.sh(f"kill -9 {pid}")
    host.until_active(other_than=pid)


def freeze(host):
    """Its watchdog ends what doesn't answer any more."""
    pid = host.pid
    host.machine.sh(f"kill -STOP {pid}")
    host.until_active(other_than=pid)


def reload_units(host):
    host.machine.sh("echo '# changed' >>/etc/systemd/system/hoist.service.d/test.conf")
    host.systemctl("daemon-reload")
    host.systemctl("daemon-reexec")


def reload_agent(host):
    """Both files, edited; what holds from then on is told to who asks."""
    pid = host.pid
    host.machine.sh(f"""cd {guest_agent.ETC}
        echo 'max_jobs = 77' >>launcher.conf
        sed -i 's/"refuse"/"warn"/' hoistd.yaml""")
    host.systemctl("reload", "hoist.service")
    client = host.client("alice")
    while client.agent.GetInfo().unenforced_limits != "warn":
        pass  # the suite's watchdog ends this
    client.close()
    assert host.pid == pid
    assert host.machine.read(f"{JOBS}/cgroup.max.descendants") == f"{4 * 77}\n"


def upgrade(host):
    """As a package manager does it: new files in the places of the old ones, then a restart."""
    for name in ("hoist-launcher", "hoistd", "hoist-init"):
        host.machine.sh(f"for f in $(find /usr -name {name}); do cp -p $f $f.new && mv $f.new $f; done")
    host.systemctl("restart", "hoist.service")


def test_memory_is_kept_for_the_agent_and_for_jobs_where_the_cgroups_above_have_it(host):
    for cgroup in ("hoist.slice", "hoist.slice/hoist.service"):
        assert host.machine.read(f"/sys/fs/cgroup/{cgroup}/memory.min") == f"{64 << 20}\n"
    client = host.client("alice")
    assert not [lack for lack in client.agent.GetInfo().degradations if "own memory" in lack]
    with refused("FAILED_PRECONDITION", "LIMIT_NOT_ENFORCEABLE") as refusal:
        client.start("/opt/hoist/probe", "forever", job_class="kept")
    assert "of system.slice is 0, less than the" in refusal.message
    for unit in ("system.slice", "hoist-jobs.service"):
        host.systemctl("set-property", "--runtime", unit, "MemoryMin=64M", "MemoryLow=64M")
    job = client.start("/opt/hoist/probe", "forever", job_class="kept")
    assert host.machine.read(f"{JOBS}/memory.min") == f"{guest_agent.KEPT['reserve']['memory']}\n"
    client.end(job, grace=0)
    for kept, told in (("0", ["the agent's own memory is not protected: memory.min of hoist.slice is 0, "
                              f"less than {64 << 20}"]), ("64M", [])):
        host.systemctl("set-property", "--runtime", "hoist.slice", f"MemoryMin={kept}")
        host.systemctl("reload", "hoist.service")
        while [lack for lack in client.agent.GetInfo().degradations if "own memory" in lack] != told:
            pass  # the suite's watchdog ends this
    client.close()


BLOWS = [reload_agent, lambda host: host.systemctl("restart", "hoist.service"), kill, freeze, reload_units, upgrade]


def test_a_job_outlives_restart_kill_freeze_reload_and_upgrade(host):
    """systemd 252 can't start a unit whose delegated cgroup has processes: 219/CGROUP. Jobs have a unit of their own."""
    client = host.client("alice")
    job = client.start("/opt/hoist/probe", "out", "begun", ",", "await", "10", ",", "lines", "100", ",", "exit", "6",
                       limits=amounts(pids_max=8))
    client.await_output(job, b"begun")
    cgroup = f"{JOBS}/p-alice/{job.name.removeprefix('jobs/')}/cmd"
    parked = host.show("hoist-jobs.service", "MainPID")
    assert host.machine.sh("stat -c '%U %a' /var/lib/hoist") == "hoist 700\n"
    for blow in BLOWS:
        client.close()
        blow(host)
        client = host.client("alice")
        found = client.jobs.GetJob(name=job.name)
        assert (word("JobState", found.state), found.pid) == ("RUNNING", job.pid)
        assert host.machine.read(f"{cgroup}/pids.max") == "8\n"
    assert host.show("hoist-jobs.service", "MainPID") == parked
    assert all(limit.enforced for limit in found.limits) and found.limits
    client.jobs.SignalJob(name=job.name, signal="USR1")
    assert ending(client.wait(job)) == ("FAILED", "EXITED", 6, 0)
    assert client.output(job).data.startswith(b"begun\ngot signal 10\nline 0\n")
    client.close()


def test_stopping_the_unit_of_the_jobs_ends_them_with_grace(host):
    client = host.client("alice")
    job = client.start("/opt/hoist/probe", "hold", "15", "out", "begun", ",", "await", "15", ",", "out", "bye", ",", "exit", "3")
    client.await_output(job, b"begun")
    client.close()
    host.systemctl("stop", "hoist-jobs.service")
    assert host.show("hoist.service", "ActiveState") == "inactive"
    assert host.machine.try_sh(f"[ -e /proc/{job.pid}/exe ]")[0] != 0
    host.systemctl("start", "hoist.service")
    client = host.client("alice")
    ended = client.jobs.GetJob(name=job.name)
    assert word("JobState", ended.state) == "STOPPED" and client.output(job).data == b"begun\ngot signal 15\nbye\n"
    client.close()
