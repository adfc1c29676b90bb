# SPDX-License-Identifier: Apache-2.0
"""Jobs that try to get out, or to take from others. What each process holds and sees is in test_privileges.py."""

import errno
import os
import textwrap

import pytest

from harness.api import amounts, refused

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: without it a job has our own uid")

PYTHON = "/usr/bin/python3"


def in_job(client, script, **spec):
    """What a Python script prints as a job."""
    job = client.run(PYTHON, "-c", textwrap.dedent(script), **spec)
    output = client.output(job)
    assert job.exit_code == 0, output.stderr.decode()
    return output.stdout.decode().split()


@pytest.mark.parametrize("number", range(3, 24))
def test_no_directory_by_a_descriptor(alice, number):
    """Of hoist-init's descriptors none is left when the working directory is entered (CVE-2024-21626)."""
    with refused("FAILED_PRECONDITION", "CWD_INVALID") as refusal:
        alice.run("true", cwd=f"/proc/self/fd/{number}")
    assert refusal.message.endswith("No such file or directory" if number > 3 else "Not a directory")


@pytest.mark.parametrize("directory", ["/proc/1/root", "/proc/1/cwd", "/proc/self/task/1/cwd"])
def test_no_directory_by_a_process(alice, directory):
    with refused("FAILED_PRECONDITION", "CWD_INVALID"):
        alice.run("true", cwd=directory)


def test_no_socket_that_loads_a_module_or_tells_of_the_host(alice):
    """Named by numbers: Python doesn't know them all."""
    script = """
        import errno, socket
        for family, kind, protocol in (
                (2, 1, 132), (2, 5, 132), (2, 6, 0), (10, 6, 33), (2, 2, 136), (2, 3, 255),
                (16, 3, 9), (16, 3, 12), (16, 3, 15), (16, 3, 21), (40, 1, 0), (17, 3, 0), (38, 5, 0), (1, 1, 0)):
            try:
                socket.socket(family, kind, protocol)
                print("made")
            except OSError as error:
                print(errno.errorcode[error.errno])
        """
    protocols, families = 10 * ["EPROTONOSUPPORT"], 3 * ["EAFNOSUPPORT"]
    assert in_job(alice, script) == protocols + families + ["made"]


def test_nothing_is_left_for_the_next_job(alice):
    script = """
        import os
        for place in ("/tmp", "/var/tmp", "/dev/shm", "/job"):
            print(len(os.listdir(place)))
            open(place + "/left", "w").close()
        """
    assert in_job(alice, script) == in_job(alice, script) == 4 * ["0"]


def test_a_fork_bomb_is_bounded_with_and_without_the_controller(alice):
    script = """
        import errno, os, signal
        made = 0
        try:
            while made < 100:
                if os.fork() == 0:
                    signal.pause()
                made += 1
        except OSError as error:
            print(errno.errorcode[error.errno], made)
        """
    assert in_job(alice, script, limits=amounts(pids_max=8)) == ["EAGAIN", "7"]


def test_ptys_are_left_for_others(alice):
    script = """
        import errno, os
        made = []
        try:
            while True:
                made.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
        except OSError as error:
            print(errno.errorcode[error.errno], len(made))
        """
    assert in_job(alice, script) == [errno.errorcode[errno.ENOSPC], "64"]


def test_pid_1_takes_no_orders_from_its_job(alice):
    """Stop is a queued signal, which anybody might queue."""
    script = """
        import ctypes, errno, signal
        libc = ctypes.CDLL(None, use_errno=True)
        for number in (signal.SIGTERM, signal.SIGRTMIN, signal.SIGRTMIN + 2, 0):
            libc.sigqueue(1, number, ctypes.c_void_p(15))
            print(errno.errorcode[ctypes.get_errno()])
        """
    assert in_job(alice, script) == 4 * ["EPERM"]
