# SPDX-License-Identifier: Apache-2.0
"""hoist doctor: what it finds, that what it says mends it, and that each start of the agent says the same."""

import json
import os
import shutil
import socket
import subprocess
import tempfile

import pytest
import yaml

from harness import BUILD, PATIENCE

CHECKS = ["kernel", "cgroup-mount", "cgroup-controllers", "delegation", "namespaces", "user-namespaces", "seccomp",
          "landlock", "pids", "inotify", "state-directory", "state-disk", "hole-punching", "sockets", "certificate",
          "client-ca", "revocations"]
COMMANDS = ("apt-get ", "sed ", "mount ", "mkdir ", "echo ", "install ", "chmod ", "chown ", "printf ", "mkfs",
            "hoist-pki ", "cp ")


# Most of a host is none of a test's: a doctor walks through each file that jobs can see, which takes a busy machine long.
LITTLE = "".join(f"hide = /{name}\n" for name in sorted(os.listdir("/")) if name != "opt")


class Host:
    """A configuration of its own, which a doctor looks at, and no more of the file system to walk through than /opt."""

    def __init__(self, place):
        self.place = place
        self.state = f"{place}/state"
        os.mkdir(self.state, 0o700)
        pki = [f"{BUILD}/hoist-pki", "init", f"{place}/pki"]
        issue = [f"{BUILD}/hoist-pki", "issue", f"{place}/pki", "server", "--server", "--host", "localhost"]
        for command in (pki, issue):
            subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
        self.write("hoistd.yaml", f"state_dir: {self.state}\ntls:\n  cert: {place}/pki/server.pem\n"
                                  f"  key: {place}/pki/server.key\n  client_ca: {place}/pki/client-ca.pem\n")
        self.write("launcher.conf", f"cgroup_root = hoist-test-doctor\n{LITTLE}")

    def write(self, name, text):
        with open(f"{self.place}/{name}", "w") as file:
            file.write(text)

    def doctor(self, *flags, within=(), config=None):
        command = [f"{BUILD}/hoist", "doctor", *flags, "--", "--config", config or f"{self.place}/hoistd.yaml"]
        return subprocess.run([*within, *command], text=True, capture_output=True, timeout=PATIENCE,
                              env={**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}",
                                   "HOIST_LAUNCHER": f"{BUILD}/hoist-launcher",
                                   "HOIST_LAUNCHER_CONFIG": f"{self.place}/launcher.conf"})

    def checks(self, within=(), config=None):
        told = json.loads(self.doctor("-o", "json", within=within, config=config).stdout)
        return {check["name"]: check for check in told["checks"]}


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


@pytest.fixture
def visible():
    """A directory that jobs see."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory that jobs see")
    place = tempfile.mkdtemp(prefix="hoist-test-", dir="/opt")
    os.chmod(place, 0o755)
    yield place
    shutil.rmtree(place)


def test_doctor_tells_each_check_in_each_form(host):
    done = host.doctor("-o", "json")
    told = json.loads(done.stdout)
    assert [check["name"] for check in told["checks"]] == CHECKS and done.stderr == ""
    failed = [check for check in told["checks"] if check["result"] == "failed"]
    assert told["failed"] == len(failed) and done.returncode == (1 if failed else 0)
    assert yaml.safe_load(host.doctor("-o", "yaml").stdout) == told
    text = host.doctor().stdout
    for check in told["checks"]:
        assert f"{check['result']:8} {check['name']:19} {check['text']}" in text
        assert check["result"] in ("ok", "skipped") or check["mend"].startswith(COMMANDS)
        assert check["result"] not in ("ok", "skipped") or check["mend"] is None


def test_doctor_finds_nothing_wrong_with_what_is_in_order(host):
    checks = host.checks()
    for name in ("kernel", "namespaces", "seccomp", "state-directory", "hole-punching", "certificate", "client-ca"):
        assert checks[name]["result"] == "ok", checks[name]
    assert "364 days left" in checks["certificate"]["text"]


def test_what_it_says_mends_it(host):
    os.chmod(host.state, 0o755)
    before = host.checks()["state-directory"]
    assert before["result"] == "failed" and "mode 0755" in before["text"]
    subprocess.run(before["mend"], shell=True, check=True, timeout=PATIENCE)
    assert host.checks()["state-directory"]["result"] == "ok"


NUMBERS = {"user-namespaces": ("user/max_user_namespaces", 0), "namespaces": ("user/max_net_namespaces", 1),
           "pids": ("kernel/pid_max", 1000), "inotify": ("fs/inotify/max_user_instances", 1)}


@pytest.fixture
def other_kernel(tmp_path):
    """A command that runs the one behind it where the kernel has these numbers, and no cgroup v2."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount over /proc/sys")
    os.mkdir(tmp_path / "sysctl.d")
    script = [f"mount --bind {tmp_path}/sysctl.d /etc/sysctl.d"]
    for path, value in NUMBERS.values():
        file = tmp_path / path.replace("/", ".")
        file.write_text(f"{value}\n")
        script.append(f"mount --bind {file} /proc/sys/{path}")
    script += ["while read -r _ at _; do umount $at; done <$0", "echo there", "read _"]
    with open("/proc/mounts") as file:
        (tmp_path / "cgroups").write_text("".join(line for line in file if line.split()[2] == "cgroup2"))
    with subprocess.Popen(["unshare", "--mount", "sh", "-ec", "; ".join(script), f"{tmp_path}/cgroups"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"there\n"
        yield ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt"]
        holder.stdin.close()


def test_what_it_says_of_the_kernel_mends_it(host, other_kernel):
    before = host.checks(other_kernel)
    for name, (path, value) in NUMBERS.items():
        assert before[name]["result"] in ("warning", "failed")
        assert before[name]["text"].startswith(f"/proc/sys/{path} is {value}")
    assert before["cgroup-mount"]["result"] == "failed"
    for name in [*NUMBERS, "cgroup-mount"]:
        subprocess.run([*other_kernel, "sh", "-c", before[name]["mend"]], check=True, capture_output=True,
                       timeout=PATIENCE)
    after = host.checks(other_kernel)
    assert {name: after[name]["result"] for name in NUMBERS} == dict.fromkeys(NUMBERS, "ok")
    assert after["cgroup-mount"]["result"] != "failed"


def test_certificate_that_is_missing_or_about_to_end(host):
    subprocess.run([f"{BUILD}/hoist-pki", "issue", f"{host.place}/pki", "server", "--force", "--server", "--host",
                    "localhost", "--days", "5"], check=True, capture_output=True, timeout=PATIENCE)
    check = host.checks()["certificate"]
    assert (check["result"], "4 days left" in check["text"]) == ("warning", True)
    os.unlink(f"{host.place}/pki/server.pem")
    check = host.checks()["certificate"]
    assert check["result"] == "failed" and check["mend"].startswith("hoist-pki issue")


def test_sockets_and_fifos_that_jobs_could_use(host, visible):
    os.mkfifo(f"{visible}/fifo")
    os.chmod(f"{visible}/fifo", 0o666)
    check = host.checks()["sockets"]
    assert check["result"] == "warning" and check["mend"].startswith("echo 'hide = ")
    host.write("launcher.conf", f"hide = {visible}\n{LITTLE}")
    assert f"{visible}" not in host.checks()["sockets"]["text"]


def test_a_start_tells_what_is_not_in_order(make_agent, visible, host):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{visible}/socket")
        os.chmod(f"{visible}/socket", 0o666)
        listener.listen()
        agent = make_agent()
    assert "unix sockets of the host, the first is" in agent.log()
    for name, check in host.checks(config=f"{agent.dir}/etc/hoistd.yaml").items():
        if check["result"] in ("warning", "failed") and name not in ("sockets", "delegation"):
            assert f"check={name} " in agent.log(), check
