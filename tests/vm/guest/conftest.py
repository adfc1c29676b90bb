# SPDX-License-Identifier: Apache-2.0
"""What the guest's suites share. They run as root in the machine that tests/vm/boot starts, and nowhere else."""

import os
import subprocess

import pytest

CGROUPS = "/sys/fs/cgroup"


def pytest_collection_modifyitems(items):
    if not os.environ.get("HOIST_IN_VM"):
        raise pytest.UsageError("these tests change the machine that they run on: tests/vm/run-suite runs them")


@pytest.fixture(scope="session")
def disk():
    """A directory on the virtual disk, which is a whole ext4 block device: limits of IO can hold there."""
    mounted = "/mnt"
    subprocess.run(["modprobe", "ext4"], check=True)
    subprocess.run(["mount", "/dev/vda", mounted], check=True)
    yield mounted
    subprocess.run(["umount", mounted], check=True)


@pytest.fixture
def cgroup(request):
    """A fresh cgroup with every controller that limits need."""
    with open(f"{CGROUPS}/cgroup.subtree_control", "w") as file:
        file.write("+cpu +memory +pids +io")
    path = f"{CGROUPS}/{request.node.name}"
    os.mkdir(path)
    yield path
    os.rmdir(path)
