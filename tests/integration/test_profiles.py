# SPDX-License-Identifier: Apache-2.0
"""Other surroundings than the default ones: profiles that launcher.conf defines and classes name."""

import os
import shutil
import stat
import subprocess
import tempfile

import pytest

from harness import BUILD, PATIENCE, escapes, traces
from harness.agent import DevAgentFailed
from harness.api import ending, refused
from harness.hostile import HostileHoistd

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: without it there are no uids to give to jobs")

USER = 61990  # of nobody


@pytest.fixture
def place(probe):
    """A root of its own with the probe in it, and a directory to write into."""
    place = tempfile.mkdtemp(prefix="hoist-test-", dir="/opt")
    os.chmod(place, 0o755)
    for name in ("tree/bin", "tree/srv", "shared", "data"):
        os.makedirs(f"{place}/{name}")
    shutil.copy(probe, f"{place}/tree/bin/probe")
    for name in ("tree/srv/file", "data/file"):
        with open(f"{place}/{name}", "w") as file:
            file.write(name)
    os.symlink("bin", f"{place}/tree/usr")
    os.chown(f"{place}/shared", USER, USER)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def agent_with(make_agent):
    """An agent with one profile, which the class "other" names."""
    def make(rule, for_all=True, **launcher):
        text = f"{{other: {{profile: it, profile_for_all: {str(for_all).lower()}}}}}"
        return make_agent(launcher={"profile": f"it {rule}", **launcher}, classes=text)
    return make


def run(client, *command, **spec):
    done = client.run(*command, job_class="other", **spec)
    output = client.output(done)
    assert ending(done)[:2] == ("SUCCEEDED", "EXITED"), (ending(done), output.data)
    return output.data.decode().splitlines()


def test_network_host(agent_with, probe):
    agent = agent_with("network=host")
    alice = agent.client("alice")
    assert run(alice, probe, "connect", f"127.0.0.1:{agent.port}") == [f"connect 127.0.0.1:{agent.port}: ok"]
    assert run(alice, probe, "ls", "/sys") == []
    default = alice.run(probe, "connect", f"127.0.0.1:{agent.port}")
    assert alice.output(default).data.endswith(b"Connection refused\n")


def test_root_of_its_own_is_all_that_a_job_sees(agent_with, place):
    alice = agent_with(f"rootfs={place}/tree").client("alice")
    assert sorted(run(alice, "/bin/probe", "ls", "/")) == sorted(
        ["bin", "dev", "job", "proc", "run", "srv", "sys", "tmp", "usr"])
    assert run(alice, "probe", "cat", "/srv/file", env=[{"name": "PATH", "value": b"/usr"}]) == ["tree/srv/file"]
    for path in ("/srv/new", "/new", "/bin/new"):
        done = alice.run("/bin/probe", "fill", f"{path}:65536", job_class="other")
        assert alice.output(done).data == b"filled 0: Read-only file system\n"
    assert run(alice, "/bin/probe", "fill", "/tmp/x:65536") == ["filled 65536: all"]


def test_root_that_may_be_written_needs_a_user_and_keeps_what_is_written(agent_with, place):
    with pytest.raises(DevAgentFailed, match="the profile needs a user of its own"):
        agent_with(f"rootfs={place}/tree writable=yes")
    os.chown(f"{place}/tree/srv", USER, USER)
    alice = agent_with(f"rootfs={place}/tree writable=yes user={USER}").client("alice")
    run(alice, "/bin/probe", "fill", "/srv/kept:65536")
    assert os.stat(f"{place}/tree/srv/kept").st_uid == USER
    assert run(alice, "/bin/probe", "ls", "/srv") == sorted(["file", "kept"])


def test_binds_of_the_list_and_of_no_other(agent_with, place, probe):
    os.symlink("data", f"{place}/link")  # followed when the agent starts, and not again
    rule = f"bind=ro:{place}/link:/data bind=rw:{place}/shared:/shared user={USER}"
    alice = agent_with(rule).client("alice")
    os.unlink(f"{place}/link")
    assert run(alice, probe, "cat", "/data/file") == ["data/file"]
    assert run(alice, probe, "fill", "/data/new:65536") == ["filled 0: Read-only file system"]
    assert run(alice, probe, "fill", "/shared/new:65536") == ["filled 65536: all"]
    assert stat.S_ISREG(os.stat(f"{place}/shared/new").st_mode)
    lines = run(alice, "cat", "/proc/self/mountinfo")
    options = {line.split()[4]: line.split()[5].split(",") for line in lines}
    assert {"ro", "nosuid", "nodev"} <= set(options["/data"]) and {"rw", "nosuid", "nodev"} <= set(options["/shared"])


def test_user_that_all_jobs_of_a_profile_have(agent_with, probe):
    alice = agent_with(f"user={USER}").client("alice")
    for _ in range(2):
        job = alice.run(probe, "id", job_class="other")
        assert job.job_uid == USER and f"uid {USER} gid {USER}" in alice.output(job).data.decode()
    assert alice.run(probe, "id").job_uid != USER


def test_root_of_a_user_namespace_is_nobody_outside(agent_with, probe):
    agent = agent_with("userns=yes")
    alice = agent.client("alice")
    job = alice.start(probe, "id", "forever", job_class="other")
    alice.await_output(job, b"uid 0 gid 0 groups 0")
    [pid] = [pid for pid in traces.processes_of(job.job_uid)]
    status = traces.status_of(pid)
    assert [int(word) for word in status["Uid"].split()] == [job.job_uid] * 4
    assert not any(int(status[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb"))
    assert os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")
    with open(f"/proc/{pid}/uid_map") as file:
        assert file.read().split() == ["0", str(job.job_uid), "1"]
    assert ending(alice.stop(job, grace=0))[0] == "STOPPED"
    tried = run(alice, probe, "try", "all", env=[{"name": "TRY_AS_ROOT", "value": b"1"}])
    results = {name: result for name, result in escapes.table("\n".join(tried)).items() if result != escapes.NOT_TRIED}
    # That it may change ids to what they are, and make a program of its own "setuid root", is no way out.
    assert {name for name, result in results.items() if result == escapes.WORKED} <= {"setuid", "setregid", "setuid-file"}


def test_profile_is_for_admins_unless_its_class_says_more(agent_with, probe):
    agent = agent_with("network=host", for_all=False)
    with refused("PERMISSION_DENIED", "NO_ROLE"):
        agent.client("alice").run(probe, "id", job_class="other")
    run(agent.client("admin"), probe, "id")


def test_profile_that_launcher_conf_has_not(make_agent):
    with pytest.raises(DevAgentFailed, match='launcher.conf has no profile "missing"'):
        make_agent(classes="{other: {profile: missing}}")


@pytest.mark.parametrize("rule, words", [
    ("x rootfs=relative", "isn't an absolute path"),
    ("x rootfs=/", "isn't an absolute path"),
    ("x rootfs=/srv/../etc", "with a dot"),
    ("x bind=/srv:/data", "ro:/SOURCE:/TARGET"),
    ("x bind=rw:/srv/data:/data", "needs a user"),
    ("x network=bridge", "neither none nor host"),
    ("x writable=yes user=1", "never for the host's root"),
    ("x speed=fast", 'has no "speed"'),
    ("x user=root", "neither as root"),
    ("x user=1900000001", "lies in job_uids"),
])
def test_rule_that_is_wrong(rule, words):
    done = subprocess.run([f"{BUILD}/hoist-launcher", "--agent-user", "61998", "--profile", rule,
                           "--hoistd", "/bin/false"], text=True, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 78 and words in done.stderr


@pytest.mark.parametrize("fields, words", [
    ({"profile": b"missing"}, 'no profile "missing"'),
    ({"profile": b"it"}, f"not the {USER}"),
    ({}, "job_uids"),
])
def test_taken_over_hoistd_has_no_other_profile_and_no_other_user(fields, words):
    hoistd = HostileHoistd("--profile", f"it user={USER}")
    try:
        uid = hoistd.serve().job_uid_min
        answer = hoistd.spawn(USER if not fields else uid, **fields)
        assert words in answer.failure.sentence.decode()
        assert hoistd.spawn(USER, profile=b"it").WhichOneof("answer") == "spawn"
    finally:
        hoistd.close()
