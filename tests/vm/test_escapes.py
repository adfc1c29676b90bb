# SPDX-License-Identifier: Apache-2.0
"""The table of escapes as a job beside the same as a container of crun, as `crun spec` makes it. `-s` prints it."""

import json
import subprocess
import time

import pytest

from harness import PATIENCE, escapes

HOST, BUNDLE = "/run/planted", "/run/bundle"


def container(probe, *arguments, environment=()):
    """crun's own default but for what is run and where it is."""
    text = subprocess.run(["crun", "spec", "-f", "/dev/stdout"], capture_output=True, text=True, check=True).stdout
    spec = json.loads(text[text.index("{"):])
    spec["process"].update(args=["/probe", *arguments], terminal=False)
    spec["process"]["env"] += [f"{name}={value}" for name, value in environment]
    return json.dumps(spec)


def run_container(machine, name, spec):
    machine.sh(f"cat >{BUNDLE}/{name}/config.json <<'END'\n{spec}\nEND")
    return f"/opt/hoist/crun --root /run/crun run -b {BUNDLE}/{name} {name}"


@pytest.fixture
def host(machine, probe):
    """What should not be found of the machine, and two bundles with a root each."""
    machine.sh(f"""
        mkdir -m 0777 {HOST}
        for name in other tried; do
            mkdir -p {BUNDLE}/$name/rootfs/tmp
            chmod 1777 {BUNDLE}/$name/rootfs/tmp
            cp {probe} {BUNDLE}/$name/rootfs/probe
        done
        cp {probe} /srv/setuid
        chmod 4755 /srv/setuid
        cp /srv/setuid {BUNDLE}/tried/rootfs/setuid
        (umask 077; echo secret >/srv/secret)
        setsid {probe} plant {HOST} , forever </dev/null >/run/planted.out 2>&1 &
        until grep -q planted /run/planted.out; do usleep 50000; done
    """)
    pid, port = escapes.planted(machine.read("/run/planted.out"))
    yield {"host": HOST, "host_pid": pid, "host_port": port, "secret": "/srv/secret", "state": "/var/lib/hoist"}
    machine.sh(f"kill -9 {pid}; rm -rf {HOST} {BUNDLE} /run/planted.out /srv/setuid /srv/secret /dev/shm/probe*")


def as_container(machine, probe, host):
    other = run_container(machine, "other", container(probe, "plant", "/dev/shm", ",", "plant-ipc", ",", "forever"))
    machine.sh(f"{other} </dev/null >/run/other.out 2>&1 &\n"
               "until grep -q planted /run/other.out; do usleep 50000; done")
    _, port = escapes.planted(machine.read("/run/other.out"))
    pid = json.loads(machine.sh("/opt/hoist/crun --root /run/crun state other"))["pid"]
    aims = escapes.aims(job="/dev/shm", job_pid=pid, job_port=port, setuid="/setuid", as_root=1, **host)
    code, said = machine.try_sh(run_container(machine, "tried", container(probe, "try", "all",
                                                                        environment=aims.items())))
    machine.sh("/opt/hoist/crun --root /run/crun delete -f other; rm -rf /run/other.out /run/crun")
    assert code == 0, said
    return escapes.table(said)


def await_ready_root(alice, machine):
    """Starts jobs until the launcher holds a root that was made ahead (a mount namespace): the next one is in it."""
    deadline = time.monotonic() + PATIENCE
    while machine.try_sh("ls -l /proc/$(pidof hoist-launcher)/fd | grep -q mnt:")[0] != 0:
        assert time.monotonic() < deadline
        alice.run("true")


def as_job(alice, machine, probe, host):
    await_ready_root(alice, machine)
    other = alice.start(probe, "plant", "/tmp", ",", "plant-ipc", ",", "forever")
    alice.await_output(other, b"\n")
    _, port = escapes.planted(alice.output(other, follow=False).stdout.decode())
    aims = escapes.aims(job="/tmp", job_port=port, job_pid=other.pid, setuid="/srv/setuid", **host)
    job = alice.run(probe, "try", "all", env=[{"name": name, "value": value.encode()} for name, value in aims.items()])
    alice.end(other, grace=0)
    return escapes.table(alice.output(job).stdout.decode())


def test_no_weaker_than_crun_in_any_row(alice, machine, probe, host):
    ours, theirs = as_job(alice, machine, probe, host), as_container(machine, probe, host)
    print(escapes.side_by_side(ours, theirs))
    escapes.assert_denied(ours)
    assert ours.keys() == theirs.keys() and escapes.weaker(ours, theirs) == []
    assert escapes.WORKED in theirs.values(), "a table in which nothing works shows nothing"
