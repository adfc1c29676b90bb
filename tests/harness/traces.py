# SPDX-License-Identifier: Apache-2.0
"""What a job is on the host while it lives, and what must be gone afterwards: processes, cgroups, its directory."""

import contextlib
import os
import re

from harness import waiting


def uuid_of(job):
    return getattr(job, "name", job).removeprefix("jobs/")


def cgroup_mount():
    with open("/proc/self/mountinfo") as file:
        for line in file:
            fields = line.split()
            if fields[fields.index("-") + 1] == "cgroup2":
                return fields[4]
    raise AssertionError("no cgroup2 is mounted")


def mounts_of(place):
    """What the host has mounted below a place, or of it elsewhere: that of jobs is in namespaces of theirs."""
    with open("/proc/self/mountinfo") as file:
        return [line for line in file if place in line]


def cgroup_root(agent):
    """Where the agent's jobs have their cgroups; it may not exist."""
    with open(f"{agent.dir}/launcher.conf") as file:
        root = re.search(r"^cgroup_root = /(.*)$", file.read(), re.MULTILINE)[1]
    return f"{cgroup_mount()}/{root}"


def cgroup_of(agent, job):
    return f"{cgroup_root(agent)}/p-{job.created_by}/{uuid_of(job)}"


def directory_of(agent, job):
    return f"{agent.dir}/state/jobs/{uuid_of(job)}"


def directories(agent):
    """The ids of all jobs that have a directory."""
    return set(os.listdir(f"{agent.dir}/state/jobs"))


def status_of(pid):
    """/proc/PID/status as {"Uid": "0\\t0\\t0\\t0", …}."""
    with open(f"/proc/{pid}/status") as file:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in file)}


def statuses():
    """(pid, status_of(pid)) of all processes, zombies not among them."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            status = status_of(pid)
            if status["State"][0] not in "ZX":
                yield int(pid), status


def processes_of(uid):
    """The pids of all processes of a uid."""
    return [pid for pid, status in statuses() if str(uid) in status["Uid"].split()]


def descriptors(pid):
    """What a process has open, without the numbers: a sorted list."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sorted(found)


def watches(pid):
    """How many inotify watches a process has: proc(5), fdinfo."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/fdinfo/{name}") as file:
            count += sum(line.startswith("inotify ") for line in file)
    return count


def assert_gone(agent, job):
    """The job has ended: none of its processes and no cgroup of it is left."""
    waiting.path_gone(cgroup_of(agent, job))
    assert processes_of(job.job_uid) == []


def assert_all_gone(agent, jobs):
    """The same of many: one look at all processes."""
    uids = {str(job.job_uid) for job in jobs}
    for job in jobs:
        waiting.path_gone(cgroup_of(agent, job))
    assert [pid for pid, status in statuses() if uids & set(status["Uid"].split())] == []


def descriptors_return(client, pid, before):
    """The agent has no more descriptors open than `before`; a call of the client's lies between two looks."""
    for _ in range(1000):
        now = descriptors(pid)
        if len(now) <= len(before):
            return
        client.agent.Ping()
    assert now == before
