# SPDX-License-Identifier: Apache-2.0
"""The program hoist as one client."""

import contextlib
import json
import subprocess

from harness import BUILD, PATIENCE

HOIST = f"{BUILD}/hoist"


class Cli:
    def __init__(self, environment):
        self.environment = environment

    def __call__(self, *arguments, check=None, timeout=PATIENCE, **options):
        """Runs it to its end: .returncode, .stdout, .stderr (text). `check` is the exit code that is expected."""
        options.setdefault("text", True)
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("env", self.environment)
        done = subprocess.run([HOIST, *arguments], capture_output=True, timeout=timeout, **options)
        if check is not None:
            assert done.returncode == check, f"exit code {done.returncode}, stderr: {done.stderr}"
        return done

    def json(self, *arguments):
        return json.loads(self(*arguments, "-o", "json", check=0).stdout)

    @contextlib.contextmanager
    def running(self, *arguments, **options):
        """Runs it beside the test: a Popen with binary pipes, killed at the end of the block if it is still there."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("env", self.environment)
        with subprocess.Popen([HOIST, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
            try:
                yield process
            finally:
                process.kill()
