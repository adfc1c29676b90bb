# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the suite of the virtual machine, which is booted once for all its tests and once more by the power cut.

    machine              the virtual machine (machine.py)
    agent                the agent in it (guest_agent.py); alice, bob, admin, hoist as everywhere
    probe                path of the job under test, in the guest
    cgroup_of            path of a running job's cgroup in the guest: where its limits are
"""

import os
import sys

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
def machine(pki, tmp_path_factory):
    machine = Machine(str(tmp_path_factory.mktemp("machine")), guest_agent.files(pki))
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
    agent.stop()
    assert machine.things() - before == set()


@pytest.fixture(scope="session")
def probe():
    return "/opt/hoist/probe"


@pytest.fixture
def cgroup_of(agent):
    return agent.cgroup


@pytest.fixture(autouse=True)
def no_reports(agent, machine):
    """No test leaves a process, a cgroup or a mount behind, and no sanitizer has complained."""
    before = machine.things()
    yield
    assert machine.things() - before == set()
    assert not agent.new_reports()
