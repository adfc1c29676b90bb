# SPDX-License-Identifier: Apache-2.0
"""docs/test-plan.md names tests that are there, and each test file of these suites is named."""

import glob
import os
import re

from harness import TOP


def plan():
    with open(f"{TOP}/docs/test-plan.md") as file:
        return file.read()


def find(name):
    """The file that a name of the plan means, or None."""
    for path in (name, f"tests/integration/{name}", f"tests/vm/{name}"):
        if os.path.exists(f"{TOP}/{path}"):
            return f"{TOP}/{path}"
    return None


def test_what_the_plan_names_is_there():
    names = re.findall(r"`((?:tests/|examples/|tools/|test_)[\w./-]+(?:::\w+)?)`", plan())
    assert len(names) > 100
    for name in names:
        path, _, test = name.partition("::")
        assert find(path), f"there is no {path}"
        if test:
            with open(find(path)) as file:
                assert f"def {test}(" in file.read(), f"there is no {name}"


def test_every_suite_is_in_the_plan():
    for path in glob.glob(f"{TOP}/tests/integration/test_*.py") + glob.glob(f"{TOP}/tests/vm/test_*.py"):
        name = os.path.basename(path)
        if name not in ("test_plan.py", "test_soak.py", "test_machine.py"):
            assert f"`{name}" in plan(), f"docs/test-plan.md does not say what {name} shows"
