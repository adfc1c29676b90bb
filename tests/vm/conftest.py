# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the suite of the virtual machine.

Each process of pytest boots one for all the files that it gets, which test_survival.py boots anew after a power cut;
test_power.py and test_systemd.py have machines of another kind, and boot those themselves.

    machine              the virtual machine (machine.py)
    agent                the agent in it (guest_agent.py); alice, bob, admin, hoist as everywhere
    probe                path of the job under test, in the guest
"""

import os
import platform
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import guest_agent  # noqa: E402
from machine import Machine  # noqa: E402


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("pki") / "pki")
    guest_agent.make_certificates(path)
    return path


@pytest.fixture(scope="session")
def machine(pki):
    if platform.machine() != "x86_64":
        pytest.skip("the virtual machine's kernel is one for x86_64 only")
    with tempfile.TemporaryDirectory(prefix="hoist-vm-") as work:
        machine = Machine(work, guest_agent.files(pki))
        try:
            machine.boot()
            yield machine
        finally:
            machine.cut_power()


@pytest.fixture(scope="session")
def agent(machine, pki, messages):
    """Its end leaves the machine as it was before its start."""
    before = machine.things()
    agent = guest_agent.GuestAgent(machine, pki)
    yield agent
    assert not agent.new_reports()
    agent.stop()
    assert not machine.things() - before


@pytest.fixture(scope="session")
def idle(agent, machine):
    """What is there with an agent that has no jobs."""
    return machine.things()


@pytest.fixture(scope="session")
def probe():
    return "/opt/hoist/probe"


@pytest.fixture(autouse=True)
def no_reports(idle, machine):
    """No test leaves a process, a cgroup, a mount or a file behind."""
    yield
    assert not machine.things() - idle
