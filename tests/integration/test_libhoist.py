# SPDX-License-Identifier: Apache-2.0
"""libhoist in a program of its own (examples/run.c): no agent, no network."""

import concurrent.futures
import os
import subprocess

import pytest

from harness import BUILD, PATIENCE

pytestmark = pytest.mark.tsan


@pytest.fixture
def run(tmp_path):
    """run(NAME, ARGV…): runs the example with a state directory of this name; its result, in bytes."""
    def run_example(name, *argv):
        return subprocess.run([f"{BUILD}/examples/example-run", str(tmp_path / name), *argv], capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=4 * PATIENCE,
                              env={**os.environ, "HOIST_INIT": os.path.realpath(f"{BUILD}/hoist-init")})

    return run_example


def test_example_runs_a_job_and_tells_its_end(run):
    done = run("state", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, b"out\n")
    told = done.stderr.decode().splitlines()
    assert "err" in told and told[-1] == "FAILED: EXITED"


def test_example_follows_output_while_it_is_written(run):
    done = run("state", "seq", "1", "300000")
    assert (done.returncode, done.stdout) == (0, b"".join(b"%d\n" % i for i in range(1, 300001)))


def test_examples_side_by_side(run):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda i: run(f"state-{i}", "sh", "-c", f"seq 1 20000; kill -{1 + i % 2} $$"), range(8)))
    assert [each.returncode for each in done] == [129, 130] * 4
    assert len({each.stdout for each in done}) == 1


def test_state_directory_is_one_programs(run, tmp_path):
    (tmp_path / "state").write_text("a file where a directory should be")
    done = run("state", "true")
    assert done.returncode == 125 and b"open: " in done.stderr
