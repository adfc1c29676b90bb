# SPDX-License-Identifier: Apache-2.0
"""The table of escapes: what tests/probe/attempt.h tries from inside a sandbox, and what came of it."""

import re

WORKED, NOT_TRIED = "ok", "not tried"


def planted(text):
    """(pid, port) of a `plant`."""
    return re.search(r"planted (\d+) (\d+)", text).groups()


def aims(**values):
    """The environment that tells what to aim at: host="/run/x", host_port="1"."""
    return {f"TRY_{name.upper()}": str(value) for name, value in values.items()}


def table(text):
    """{attempt: result}."""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def assert_denied(results):
    """Each was tried, and refused by an errno or by the end of the process."""
    assert len(results) >= 100, results
    assert {name: result for name, result in results.items() if result in (WORKED, NOT_TRIED)} == {}
    deaths = {result for result in results.values() if result.startswith("killed")}
    assert deaths <= {"killed by SIGSYS"}, results


def weaker(ours, theirs):
    """Attempts that work with ours and not with theirs."""
    return [name for name, result in ours.items() if result == WORKED and theirs[name] != WORKED]


def side_by_side(ours, theirs):
    """The table to print."""
    return "\n".join(f"{name:24}{ours[name]:20}{theirs[name]}" for name in ours)
