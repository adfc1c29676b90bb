# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: what is edited in hoistd.yaml and launcher.conf holds from then on, for all that is started, or is named."""

import os
import re
import subprocess

import pytest

from harness import BUILD, PATIENCE, traces, waiting
from harness.agent import Agent
from harness.api import Output, ending, message, refused

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the configuration is hoistd's")

# Each key of hoistd.yaml with another value than `own` has. One that is in neither list fails a test.
AT_START = {
    "listen": "127.0.0.1:1", "state_dir": "/var/tmp/another", "threads": "7", "peers.connections": "77",
    "peers.connections_per_address": "77", "peers.connections_per_principal": "77", "peers.streams_per_principal": "77",
}
AT_ONCE = {
    "default_class": "small", "default_cpu": "50%", "default_memory": "100MB", "default_iops": "777",
    "unenforced_limits": "refuse", "on_agent_exit": "stop", "adopt_wait": "45s", "jobs_max": "1",
    "output.cap": "3MiB", "output.policy": "stop_job", "output.keep_head": "1MiB", "output.rate": "5MiB",
    "output.read_buffer": "64KiB", "output.retain": "7d", "output.total": "90%", "output.reserve": "1%",
    "log.format": "json", "log.level": "debug", "tls.strict": "true",
}
# Each key of launcher.conf, likewise; hoistd's program and user are the agent's own.
ROOT_AT_START = {"agent_group": "61991", "agent_user": "61991", "cgroup_root": "/another", "init": "/bin/true",
                 "job_uids": "61000-61009"}
ROOT_AT_ONCE = {
    "environment": "A=b", "hide": "/opt", "hoistd": "/bin/false", "listen_allow": "127.0.0.1:*", "log_format": "json",
    "log_level": "debug", "max_core_size": "1MB", "max_cpu_millis": "5000", "max_cpu_reserved": "10",
    "max_cpu_time": "1h", "max_cpu_weight": "1000", "max_io_read_bps": "9MB", "max_io_read_iops": "999999",
    "max_io_weight": "1000", "max_io_write_bps": "9MB", "max_io_write_iops": "999999", "max_jobs": "77",
    "max_memory": "77MiB", "max_memory_high": "77MiB", "max_memory_low": "77MiB", "max_memory_reserved": "77MiB",
    "max_open_files": "777", "max_pids": "77", "max_swap": "0", "network_host": "yes", "profile": "it network=host",
    "reserve_memory": "300MiB", "reserve_pids": "2000", "stop_timeout": "20s",
}
FILES = {"tls.cert", "tls.key", "tls.key_passphrase_file", "tls.client_ca", "tls.crl"}


def as_yaml(values):
    """A file that says so; keys with a dot are in a section."""
    sections = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        sections.setdefault(section, []).append(f"{name}: {value}")
    lines = sections.pop("", [])
    for section, inside in sections.items():
        lines += [f"{section}:"] + [f"  {line}" for line in inside]
    return "\n".join(lines) + "\n"


def values_of(text):
    """The other way round, as far as dev-agent writes it."""
    values, section = {}, ""
    for indent, key, value in re.findall(r"^( *)(\w+):(.*)$", text, re.MULTILINE):
        section = section if indent else ""
        if value.strip():
            values[f"{section}{key}"] = value.strip()
        else:
            section = f"{key}."
    return values


class Edited:
    """An agent whose files are edited; each edit begins with what it was made with."""

    def __init__(self, agent):
        self.agent = agent
        self.yaml, self.conf = f"{agent.dir}/etc/hoistd.yaml", f"{agent.dir}/launcher.conf"
        with open(self.yaml) as yaml, open(self.conf) as conf:
            self.values, self.lines = values_of(yaml.read()), conf.read()

    def edit(self, more="", **changed):
        """As an editor does: another file in its place."""
        with open(f"{self.yaml}.new", "w") as file:
            file.write(as_yaml({**self.values, **changed}) + more)
        os.chmod(f"{self.yaml}.new", 0o644)
        os.rename(f"{self.yaml}.new", self.yaml)

    def allow(self, **lines):
        """Of launcher.conf."""
        with open(f"{self.conf}.new", "w") as file:
            file.write(self.lines + "".join(f"{key} = {value}\n" for key, value in lines.items()))
        os.rename(f"{self.conf}.new", self.conf)


@pytest.fixture(scope="module")
def own():
    with Agent() as agent:
        yield agent


@pytest.fixture
def edited(own):
    made = Edited(own)
    before = own.hoistd_pid
    yield made
    made.edit()
    made.allow()
    own.reload()
    assert own.hoistd_pid == before


def test_each_key_is_reloaded_or_named(own, edited, probe):
    """What runs, and who follows it, notices nothing."""
    told = subprocess.run([f"{BUILD}/hoistd", "--help"], capture_output=True, text=True, timeout=PATIENCE).stdout
    assert set(re.findall(r" \(([a-z_.]+)\)$", told, re.MULTILINE)) == AT_START.keys() | AT_ONCE.keys() | FILES
    alice, admin = own.client("alice"), own.client("admin")
    job = alice.start(probe, "out", "ready", ",", "await", "10")
    alice.await_output(job, b"ready\n")
    stream = alice.jobs.StreamOutput(name=job.name, follow=True)
    first = next(stream)
    edited.edit("classes:\n  default:\n    pids_max: 77\n  fresh:\n    memory_max: 77MiB\n", **AT_START, **AT_ONCE)
    log = own.reload()
    assert re.search(r'"keys":"(.*?)"', log)[1].split(", ") == list(AT_START)
    info = admin.agent.GetInfo()
    classes = {each.name: each for each in info.classes}
    assert (info.default_class, info.unenforced_limits) == ("small", "refuse")
    assert classes["fresh"].limits.memory_max.value == 77 << 20
    assert [classes["default"].limits.pids_max.value, classes["default"].limits.memory_max.value] == [77, 100_000_000]
    assert classes["default"].output_cap.value == 3 << 20
    assert classes["default"].output_policy == message("OutputPolicy").Value("OUTPUT_POLICY_STOP_JOB")
    edited.edit(jobs_max="1")
    own.reload()
    with refused("RESOURCE_EXHAUSTED", "TOO_MANY_JOBS"):
        alice.start("true")
    alice.jobs.SignalJob(name=job.name, signal="USR1")
    assert Output([first, *stream]).data == b"ready\ngot signal 10\n"
    assert ending(alice.wait(job)) == ("SUCCEEDED", "EXITED", 0, 0)


def test_jobs_that_have_ended_go_after_another_time(own, edited):
    done = own.client("alice").run("true")
    edited.edit(**{"output.retain": "1s"})
    own.reload()
    waiting.path_gone(f"{own.dir}/state/jobs/{done.name.rpartition('/')[2]}")


@pytest.mark.parametrize("more, changed, words", [
    ("colour: blue\n", {}, ["hoistd.yaml:", "colour"]),
    ("", {"default_class": "none-such"}, ['default_class: there is no class "none-such"']),
    ("classes:\n  default:\n    profile: none-such\n", {}, ['launcher.conf has no profile "none-such"']),
    ("", {"tls.cert": "/etc/hostname"}, ["its files were in at its start; for others restart it", "/etc/hostname"]),
])
def test_what_is_not_in_order_changes_nothing(own, edited, more, changed, words):
    edited.edit(more, unenforced_limits="refuse", **changed)
    log = own.reload(words[-1])
    assert all(each in log for each in ["certificates were not reloaded, the old ones stay in force", *words])
    assert own.client("admin").agent.GetInfo().unenforced_limits == "warn"


def test_a_file_that_is_gone_is_not_its_defaults(own, edited):
    os.unlink(edited.yaml)
    assert "certificates were not reloaded" in own.reload("hoistd.yaml")


# --- launcher.conf


def cgroups_at_most(own):
    with open(f"{traces.cgroup_root(own)}/cgroup.max.descendants") as file:
        return int(file.read())


def test_each_key_of_roots_is_reloaded_or_named(own, edited):
    told = subprocess.run([f"{BUILD}/hoist-launcher", "--print-config"], capture_output=True, text=True, timeout=PATIENCE).stdout
    assert set(re.findall(r"^(?:# )?([a-z_]+) =", told, re.MULTILINE)) == ROOT_AT_START.keys() | ROOT_AT_ONCE.keys()
    launcher = own.launcher_pid
    edited.allow(**ROOT_AT_START, **ROOT_AT_ONCE)
    log = own.reload()
    assert "launcher.conf reloaded" in log and own.launcher_pid == launcher
    flags = {"init"}  # dev-agent names it on the command line, which wins again
    assert set(re.findall(r'"key":"(.*?)"', log)) == ROOT_AT_START.keys() - flags
    assert cgroups_at_most(own) == 4 * 77


def test_ceilings_and_profiles_hold_for_the_next_start(own, edited, probe):
    alice = own.client("alice")
    runs = alice.start(probe, "out", "ready", ",", "await", "10")
    alice.await_output(runs, b"ready\n")
    edited.allow(max_pids="77", profile="it network=host")
    edited.edit("classes: {other: {profile: it, profile_for_all: true, pids_max: 50}}\n")
    own.reload()
    with refused("INVALID_ARGUMENT", "OVER_CEILING") as refusal:
        alice.start("true")
    assert refusal.metadata["set_by"] == "the launcher"
    place = f"127.0.0.1:{own.port}"
    done = alice.run(probe, "connect", place, job_class="other")
    assert alice.output(done).data.decode() == f"connect {place}: ok\n"
    edited.allow(max_jobs="1", profile="it network=host")  # there is one: the root is full
    assert "launcher.conf reloaded" in own.reload()
    assert cgroups_at_most(own) == 4
    alice.jobs.SignalJob(name=runs.name, signal="USR1")
    assert ending(alice.wait(runs)) == ("SUCCEEDED", "EXITED", 0, 0)


@pytest.mark.parametrize("line, mode, words", [
    ({"colour": "blue"}, 0o644, 'there is no key "colour"'),
    ({"profile": "it user=0"}, 0o644, "a job runs neither as root nor as hoistd"),
    ({}, 0o666, "chmod go-w"),
])
def test_what_root_wrote_and_is_not_in_order_changes_nothing(own, edited, line, mode, words):
    edited.allow(max_pids="7", **line)
    os.chmod(edited.conf, mode)
    log = own.reload()
    assert "launcher.conf was not reloaded, the old one stays in force" in log and words in log
    own.client("alice").run("true")
