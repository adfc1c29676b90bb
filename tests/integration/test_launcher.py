# SPDX-License-Identifier: Apache-2.0
"""hoist-launcher by itself, with a shell script in hoistd's place: how it may be started, what it hands on, when it
starts hoistd again and when it ends."""

import ctypes
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import uuid

import pytest

from harness import BUILD, PATIENCE
from harness.waiting import read_until

ROOT = os.geteuid() == 0
AGENT_UID = 61999  # of nobody; only for these scripts
LIBC = ctypes.CDLL(None)
RT_SIGACTION = {"x86_64": 13, "aarch64": 134}[platform.machine()]


@pytest.fixture
def place():
    """A directory in which the script may write, whoever it runs as."""
    path = tempfile.mkdtemp(prefix="hoist-test-launcher-", dir="/var/tmp")
    os.chmod(path, 0o777)
    os.mkfifo(f"{path}/block")  # reading it takes until a signal comes
    os.chmod(f"{path}/block", 0o666)
    yield path
    shutil.rmtree(path)


def command(script, *flags):
    argv = [f"{BUILD}/hoist-launcher", "--hoistd", "/bin/sh", "--init",
            os.path.realpath(f"{BUILD}/hoist-init"), "--cgroup-root", f"hoist-test-{uuid.uuid4().hex[:8]}"]
    if ROOT:
        argv += ["--agent-user", str(AGENT_UID)]
    return [*argv, *flags, "--", "-c", script]


def start(script, *flags):
    """The script's stderr is the launcher's, as hoistd's is."""
    return subprocess.Popen(command(script, *flags), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)


def end(launcher, code):
    """What it has said since; it has to end by itself."""
    try:
        _, log = launcher.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        launcher.kill()
        raise
    assert launcher.returncode == code, log.decode()
    return log.decode()


def lines(path):
    with open(path) as file:
        return file.read().splitlines()


def test_a_configuration_error_of_hoistd_is_final():
    log = end(start("exit 78"), 78)
    assert log.count("hoistd started") == 1
    assert "not restarted" in log


def test_hoistd_is_started_again_and_again():
    launcher = start("echo NOW=$(date +%s%N) >&2; exit 1")
    log = b"".join(read_until(launcher.stderr, b"exited with 1") for _ in range(4))
    launcher.send_signal(signal.SIGTERM)
    end(launcher, 0)
    times = [int(nanoseconds) / 1e9 for nanoseconds in re.findall(rb"NOW=(\d+)", log)]
    assert times[1] - times[0] >= 0.1 and times[2] - times[1] >= 0.2 and times[3] - times[2] >= 0.4


def test_sigterm_ends_hoistd_and_the_launcher(place):
    launcher = start(f"trap 'echo had TERM >&2; exit 0' TERM; echo trapped >&2; read end <>{place}/block")
    read_until(launcher.stderr, b"trapped")
    launcher.send_signal(signal.SIGTERM)
    assert "had TERM" in end(launcher, 0)


def test_a_hoistd_that_ignores_sigterm_is_killed(place):
    launcher = start(f"trap '' TERM; echo trapped >&2; read end <>{place}/block", "--stop-timeout", "200ms")
    read_until(launcher.stderr, b"trapped")
    launcher.send_signal(signal.SIGTERM)
    assert "was killed by SIGKILL" in end(launcher, 0)


def test_sighup_is_handed_on(place):
    launcher = start(f"trap 'echo had HUP >&2; exit 78' HUP; echo trapped >&2; read end <>{place}/block")
    read_until(launcher.stderr, b"trapped")
    launcher.send_signal(signal.SIGHUP)
    assert "had HUP" in end(launcher, 78)


def test_a_broken_protocol_ends_hoistd_not_the_launcher(place):
    launcher = start(f"printf nonsense >&3; read end <>{place}/block")
    for _ in range(2):
        assert b"broke the protocol" in read_until(launcher.stderr, b"was killed by SIGKILL")
    launcher.send_signal(signal.SIGTERM)
    end(launcher, 0)


def hostile():
    """Run in the child, before the launcher is executed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for reserved in (32, 33):  # sigaction(3) refuses these two, the kernel doesn't
        LIBC.syscall(RT_SIGACTION, reserved, (ctypes.c_ulong * 4)(signal.SIG_IGN), None, 8)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD})
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    directory = tempfile.mkdtemp(dir="/var/tmp")
    os.chdir(directory)
    os.rmdir(directory)
    os.umask(0o777)
    for fd in (0, 1, 2):
        os.close(fd)


def test_nothing_depends_on_how_it_was_started(place):
    script = f"exec > {place}/state; umask; pwd; ulimit -c; ls /proc/$$/fd; env; grep ^Sig[BI] /proc/self/status; exit 78"
    launcher = subprocess.Popen(command(script), preexec_fn=hostile, env={"LC_ALL": "tr_TR", "SECRET": "1"},
                                pass_fds=[os.open("/dev/null", os.O_RDONLY)])
    assert launcher.wait(PATIENCE) == 78  # with SIGCHLD ignored it would never hear of hoistd's end
    state = lines(f"{place}/state")
    assert state[:3] == ["0077", "/", "0"]
    assert [line for line in state[3:] if line.isdigit()] == ["0", "1", "2", "3"]
    names = {line.split("=")[0] for line in state if "=" in line}
    assert names - {"OLDPWD", "_"} == {"HOIST_LAUNCHER_FD", "LANG", "PATH", "PWD"}
    assert [line for line in state if line.startswith("Sig")] == ["SigBlk:\t" + 16 * "0", "SigIgn:\t" + 16 * "0"]


@pytest.mark.skipif(not ROOT, reason="only root can run hoistd as another user")
def test_hoistd_has_no_privileges(place):
    script = f"{{ id -u; id -G; grep -E '^(Cap|NoNewPrivs)' /proc/self/status; }} > {place}/state; exit 78"
    end(start(script), 78)
    state = lines(f"{place}/state")
    assert state[:2] == [str(AGENT_UID), str(AGENT_UID)]
    assert [line.split()[1] for line in state[2:]] == 5 * [16 * "0"] + ["1"]


@pytest.mark.parametrize("flags, words", [
    (["--max-memroy", "1"], "there is no flag --max-memroy"),
    (["--job-uids", "0-10"], "--job-uids: the range 0-10"),
    (["--hoistd", "hoistd"], "isn't an absolute path"),
    (["--config", "/nonexistent"], "can't open /nonexistent"),
    (["--log-level"], "--log-level needs a value"),
])
def test_bad_usage_is_one_line(flags, words):
    done = subprocess.run([f"{BUILD}/hoist-launcher", *flags], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 78
    assert words in done.stderr
    assert done.stderr.startswith("hoist-launcher: ") and done.stderr.count("\n") == 1


def test_help_fits_a_terminal():
    done = subprocess.run([f"{BUILD}/hoist-launcher", "--help"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.skipif(not ROOT, reason="only root can give files away")
@pytest.mark.parametrize("uid, mode, words", [
    (AGENT_UID, 0o755, f"belongs to uid {AGENT_UID}, who could change it: chown root"),
    (0, 0o775, "has mode 0775, others may change it: chmod go-w"),
    (0, 0o757, "has mode 0757, others may change it: chmod go-w"),
    (0, 0o644, "is not an executable file"),
])
def test_a_hoist_init_that_others_may_change_is_refused(place, uid, mode, words):
    path = shutil.copy(f"{BUILD}/hoist-init", f"{place}/hoist-init")
    os.chown(path, uid, 0)
    os.chmod(path, mode)
    log = end(start("echo started >&2", "--init", path), 1)
    assert f"{path} {words}" in log and "started" not in log


def test_a_file_that_others_may_write_is_refused(place):
    path = f"{place}/launcher.conf"
    with open(path, "w") as file:
        file.write("max_pids = 5\n")
    os.chmod(path, 0o666)
    done = subprocess.run([f"{BUILD}/hoist-launcher", "--config", path], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 78
    assert f"chmod go-w {path}" in done.stderr
