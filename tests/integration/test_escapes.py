# SPDX-License-Identifier: Apache-2.0
"""A job that tries to get out by every way we know, at the host and at another job. Beside crun: tests/vm."""

import os
import shutil
import subprocess
import tempfile

import pytest

from harness import PATIENCE, escapes, waiting

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: without it a job has our own uid")


@pytest.fixture
def host(probe):
    """What should not be found of the host, planted in a hidden place: its directory, pid and port."""
    place = tempfile.mkdtemp(prefix="hoist-test-", dir="/var/tmp")
    os.chmod(place, 0o777)
    with subprocess.Popen([probe, "plant", place, ",", "forever"], stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            pid, port = escapes.planted(waiting.read_until(process.stdout, b"\n").decode())
            yield {"host": place, "host_pid": pid, "host_port": port}
        finally:
            process.kill()
            shutil.rmtree(place)
            os.unlink(f"/dev/shm/probe{place.replace('/', '-')}")


@pytest.fixture
def visible(probe):
    """In a place that jobs see: a setuid program, and a file that root alone may read."""
    place = tempfile.mkdtemp(prefix="hoist-test-", dir="/opt")
    os.chmod(place, 0o755)
    shutil.copy(probe, f"{place}/setuid")
    os.chmod(f"{place}/setuid", 0o4755)
    with open(f"{place}/secret", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write("secret")
    yield {"setuid": f"{place}/setuid", "secret": f"{place}/secret"}
    shutil.rmtree(place)


def test_no_way_out_works(agent, alice, probe, host, visible):
    other = alice.start(probe, "plant", "/tmp", ",", "plant-ipc", ",", "forever")
    alice.await_output(other, b"\n")
    _, port = escapes.planted(alice.output(other, follow=False).stdout.decode())
    aims = escapes.aims(job="/tmp", job_port=port, job_pid=other.pid, state=f"{agent.dir}/state", **host, **visible)
    job = alice.run(probe, "try", "all", env=[{"name": name, "value": value.encode()} for name, value in aims.items()])
    escapes.assert_denied(escapes.table(alice.output(job).stdout.decode()))
    alice.stop(other, grace=0)


def test_the_attempts_are_real(probe, host, visible):
    """Where nothing is in its way the same program finds what was planted."""
    names = [f"host-{what}" for what in ("abstract", "fifo", "file", "loopback", "process", "secret", "shm", "socket")]
    done = subprocess.run([probe, *(word for name in names for word in ("try", name, ","))], text=True,
                          capture_output=True, timeout=PATIENCE,
                          env={**escapes.aims(**host, **visible), "TRY_AS_ROOT": "1"})
    assert escapes.table(done.stdout) == dict.fromkeys(names, escapes.WORKED)
