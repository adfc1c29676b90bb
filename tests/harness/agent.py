# SPDX-License-Identifier: Apache-2.0
"""An agent of a test's own, by tools/dev-agent."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from harness import BUILD, PATIENCE, TOP, waiting
from harness.api import Client
from harness.cli import Cli

# What a sanitizer says when it has found something.
REPORT = re.compile(r"(AddressSanitizer|ThreadSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:)")


# LeakSanitizer traces its own process, which hoistd doesn't allow.
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}

# Certificates are made once for a run: most of the time of `dev-agent up` goes into them.
CERTIFICATES = tempfile.TemporaryDirectory(prefix="hoist-test-pki-")


class DevAgentFailed(AssertionError):
    pass


class Agent:
    def __init__(self, settings=None, launcher=None, build=BUILD):
        """`settings` are keys of hoistd.yaml, `launcher` keys of launcher.conf."""
        self.build = build
        self.dir = tempfile.mkdtemp(prefix="hoist-test-")
        os.chmod(self.dir, 0o711)
        self.clients = []
        self.environments = {}  # a restart keeps the port
        self.reports_seen = 0
        arguments = [part for key, value in (settings or {}).items() for part in ("--set", f"{key}={value}")]
        arguments += [part for key, value in (launcher or {}).items() for part in ("--launcher", f"{key}={value}")]
        made = f"{CERTIFICATES.name}/pki"
        try:
            if os.path.exists(made):
                shutil.copytree(made, f"{self.dir}/pki")
            self._dev_agent("up", *arguments)
            if not os.path.exists(made):
                shutil.copytree(f"{self.dir}/pki", made)
        except BaseException:
            shutil.rmtree(self.dir)
            raise

    def _dev_agent(self, command, *arguments, within=()):
        done = subprocess.run([*within, f"{TOP}/tools/dev-agent", command, self.dir, *arguments], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=5 * PATIENCE,
                              env={**NO_LEAKS, **os.environ, "HOIST_BUILD": self.build})
        if done.returncode != 0:
            raise DevAgentFailed(done.stderr)
        return done.stdout

    # --- clients

    def environment(self, name):
        """HOIST_HOST and so on of a client, as a dictionary."""
        if name not in self.environments:
            exports = self._dev_agent("env", name)
            self.environments[name] = dict(re.findall(r"^export (HOIST_\w+)='?([^'\n]*)'?$", exports, re.MULTILINE))
        return dict(self.environments[name])

    def client(self, name, **options):
        """A gRPC client; closed with the agent."""
        client = Client(self.environment(name), **options)
        self.clients.append(client)
        return client

    def cli(self, name):
        return Cli({**os.environ, **self.environment(name)})

    # --- what it is made of

    @property
    def record(self):
        with open(f"{self.dir}/agent.json") as file:
            return json.load(file)

    @property
    def port(self):
        return self.record["port"]

    @property
    def launcher_pid(self):
        return self.record["pid"]

    @property
    def hoistd_pid(self):
        """The launcher's child of that name."""
        listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(self.launcher_pid)], text=True,
                                capture_output=True, timeout=PATIENCE).stdout
        found = [int(line.split()[0]) for line in listed.splitlines() if line.split()[1].startswith("hoistd")]
        assert len(found) == 1, f"the launcher's children are: {listed!r}"
        return found[0]

    @property
    def log_path(self):
        return f"{self.dir}/log"

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def wait_log(self, wanted, seconds=PATIENCE, start=0):
        return waiting.log_line(self.log_path, wanted, seconds, start)

    def new_reports(self):
        """What sanitizers have found since the last call."""
        found = [line for line in self.log().splitlines() if REPORT.search(line)]
        fresh, self.reports_seen = found[self.reports_seen:], len(found)
        return fresh

    # --- what may happen to it

    def kill_hoistd(self, number=signal.SIGKILL):
        """Kills hoistd and returns when that one has ended; the launcher starts another."""
        pid = self.hoistd_pid
        os.kill(pid, number)
        waiting.process_end(pid)

    def reload(self, said="configuration and certificates reloaded"):
        """SIGHUP; returns what was logged up to what hoistd has said last."""
        start = os.path.getsize(self.log_path)
        os.kill(self.launcher_pid, signal.SIGHUP)
        return self.wait_log(said, start=start)

    def restart(self, within=()):
        """`within`: a command that runs the one behind it."""
        self._dev_agent("restart", within=within)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        """Down, and no sanitizer has complained."""
        reports = self.new_reports()
        self.down()
        assert not reports

    def down(self):
        """Stops it and removes its directory; raises when something is left."""
        for client in self.clients:
            client.close()
        try:
            self._dev_agent("down")
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)
