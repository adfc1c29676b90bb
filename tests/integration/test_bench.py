# SPDX-License-Identifier: Apache-2.0
"""What `make bench` says, and when it fails; what it measures is not for a busy machine."""

import importlib.machinery
import importlib.util
import json
import sys

import pytest

from harness import TOP

BENCH = f"{TOP}/tools/bench"


class Measured:
    """A contender with the same figure in each round; it stands for the machine, too."""

    def __init__(self, rate):
        self.rate = rate

    def measure(self):
        return {"MB/s": self.rate}

    def close(self):
        pass


@pytest.fixture
def bench(monkeypatch, capsys):
    """bench("--rounds", "2", hoist=95): its exit code, stdout and stderr, with a peer that isn't there if `missing`."""
    loader = importlib.machinery.SourceFileLoader("bench", BENCH)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
    loader.exec_module(module)

    def run(*words, hoist, missing=True):
        rows = [("limit", lambda: Measured(100.0), []), ("hoist", lambda: Measured(hoist), [("MB/s", ">=", 0.9)])]
        rows += [("ssh", lambda: module.need("no-such-program"), [])] if missing else []
        monkeypatch.setattr(module, "Machine", Measured)
        monkeypatch.setattr(module, "groups", lambda machine: {"stream": ("One stream", rows)})
        monkeypatch.setattr(sys, "argv", [BENCH, "--rounds", "2", *words])
        return module.main(), *capsys.readouterr()

    return run


def test_a_missing_peer_is_a_row_and_a_failure(bench):
    code, out, err = bench(hoist=95.0)
    assert code == 1 and "bench: not installed: ssh" in err
    assert [line for line in out.splitlines() if line.startswith("| ssh |")][0].count("not installed (no-such-program)") == 1
    assert "MB/s ≥ 0.9 × limit: 0.95" in out and "missed" not in out


def test_results_as_json(bench):
    code, out, _ = bench("-o", "json", hoist=95.0)
    limit, hoist, ssh = json.loads(out)["groups"][0]["rows"]
    assert code == 1 and limit["rounds"] == [{"MB/s": 100.0}] * 2
    assert hoist["goals"] == [{"text": "MB/s ≥ 0.9 × limit: 0.95", "reached": True}]
    assert (ssh["note"], ssh["rounds"]) == ("not installed (no-such-program)", [None, None])


@pytest.mark.parametrize("words, code", [([], 0), (["--strict"], 1)])
def test_a_missed_goal_fails_when_that_is_asked_for(bench, words, code):
    found, out, err = bench(*words, hoist=80.0, missing=False)
    assert found == code and "0.80 — missed" in out and "not installed" not in err
