# SPDX-License-Identifier: Apache-2.0
"""Fixtures of all suites that drive the real programs.

    alice, bob, admin    gRPC clients of the shared agent (harness/api.py)
    hoist                the command line as alice; hoist_as("bob") as another
    probe                path of the job under test, as jobs see it (tests/probe/probe.c)
    agent                the shared agent; make_agent(**settings) starts one of the test's own (harness/agent.py)
"""

import os
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from harness import BUILD, api  # noqa: E402
from harness.agent import Agent  # noqa: E402

# Where a job finds nothing of the host's (the default profile).
HIDDEN = ("/tmp/", "/run/", "/var/run/", "/var/tmp/", "/var/spool/", "/var/log/", "/mnt/", "/media/", "/root/",
          "/home/", "/boot/", "/dev/")


@pytest.fixture(scope="session", autouse=True)
def messages(tmp_path_factory):
    """hoist.v1.*_pb2 and the others, generated and importable."""
    api.generate(str(tmp_path_factory.mktemp("messages")))


@pytest.fixture(scope="session")
def build():
    return BUILD


@pytest.fixture(scope="session")
def probe():
    path = os.path.realpath(f"{BUILD}/tests/probe/probe")
    if not path.startswith(HIDDEN):
        yield path
        return
    if os.geteuid() != 0:
        pytest.skip("the build directory is hidden from jobs, and only root can put the probe elsewhere")
    directory = tempfile.mkdtemp(prefix="hoist-test-", dir="/opt")
    os.chmod(directory, 0o755)
    yield shutil.copy(path, directory)
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def agent(messages):
    agent = Agent()
    yield agent
    agent.down()


@pytest.fixture
def make_agent(messages):
    agents = []

    def make(launcher=None, **settings):
        agents.append(Agent({key.replace("__", "."): value for key, value in settings.items()}, launcher))
        return agents[-1]

    yield make
    failures = []
    for each in agents:
        failures += each.new_reports()
        try:
            each.down()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture(autouse=True)
def no_reports(request):
    """No sanitizer has complained about the shared agent during the test, and it is the same process as before."""
    shared = request.getfixturevalue("agent") if "agent" in request.fixturenames else None
    before = shared and (shared.launcher_pid, shared.hoistd_pid)
    yield
    if shared:
        assert not shared.new_reports()
        assert (shared.launcher_pid, shared.hoistd_pid) == before, "the shared agent was restarted"


def client_fixture(name):
    def fixture(agent):
        client = agent.client(name)
        yield client
        client.close()

    return pytest.fixture(fixture, name=name)


alice = client_fixture("alice")
bob = client_fixture("bob")
admin = client_fixture("admin")


@pytest.fixture
def hoist_as(agent):
    return agent.cli


@pytest.fixture
def hoist(agent):
    return agent.cli("alice")
