# SPDX-License-Identifier: Apache-2.0
"""What a newcomer meets first: make, tools/setup and tools/dev-agent."""

import os
import re
import subprocess

import pytest

from harness import TOP
from harness.agent import Agent, DevAgentFailed


def run(*argv, code=0, **options):
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_make_help_names_every_target():
    with open(f"{TOP}/Makefile") as file:
        phony = re.search(r"^\.PHONY: (.*)$", file.read(), re.MULTILINE)[1].split()
    words = run("make", "help").stdout
    assert [target for target in phony if target not in ("all", "help", "setup") and target not in words] == []


def test_make_certs_verifies_what_it_made(tmp_path):
    assert run("make", "certs", f"DIR={tmp_path}/pki").stdout.count("good until") == 4


def test_make_certs_without_a_directory_says_so():
    assert "DIR=" in run("make", "certs", code=2).stderr


def test_setup_without_apt_names_what_is_missing(tmp_path):
    for program in ("sh", "tr", "sed", "cut", "id", "uname", "grep", "ls"):
        os.symlink(run("sh", "-c", f"command -v {program}").stdout.strip(), tmp_path / program)
    words = run("sh", "tools/setup", "build", code=1, env={"PATH": str(tmp_path)}).stderr
    assert "no apt" in words and "meson" in words and "libnghttp2-dev" in words
    assert len(words.splitlines()) == 1


def test_setup_with_everything_there_says_nothing():
    done = run("tools/setup", "build", "test")
    assert done.stdout + done.stderr == ""


def test_setup_refuses_an_unknown_group():
    assert "no group" in run("tools/setup", "everything", code=1).stderr


@pytest.mark.parametrize("tool", ["dev-agent", "lint", "run-tests", "soak"])
def test_tools_refuse_what_they_do_not_know(tool):
    done = run(f"tools/{tool}", "--no-such-thing", code=2)
    assert done.stderr and len(done.stderr.splitlines()) <= 3


def test_dev_agent_second_up_is_an_error_and_leaves_the_first_alone(make_agent):
    agent = make_agent()
    pids = (agent.launcher_pid, agent.hoistd_pid)
    with pytest.raises(DevAgentFailed, match="is up in"):
        agent._dev_agent("up")
    assert (agent.launcher_pid, agent.hoistd_pid) == pids
    assert agent.client("alice").agent.Ping().principal == "alice"


def test_dev_agent_restart_keeps_port_and_jobs(make_agent):
    agent = make_agent()
    port, launcher = agent.port, agent.launcher_pid
    job = agent.client("alice").start("sleep", "1000")
    agent.restart()
    assert agent.port == port and agent.launcher_pid != launcher
    assert agent.client("alice").jobs.GetJob(name=job.name).pid == job.pid


def test_dev_agent_down_ends_jobs_and_leaves_nothing(messages):
    agent = Agent()
    agent.client("alice").start("sleep", "1000")
    agent.down()  # raises when something is left
    assert not os.path.exists(agent.dir)


def test_dev_agent_prints_the_log_of_an_agent_that_does_not_start(messages):
    with pytest.raises(DevAgentFailed, match="no_such_key"):
        Agent({"no_such_key": "1"})


def test_dev_agent_env_of_an_unknown_client(agent):
    with pytest.raises(DevAgentFailed, match="admin, alice, bob"):
        agent._dev_agent("env", "mallory")


def test_dev_agent_clients_have_their_roles(agent):
    for name, role in (("admin", "admin"), ("alice", "user"), ("bob", "user")):
        answer = agent.client(name).agent.Ping()
        assert (answer.principal, answer.role) == (name, role)
