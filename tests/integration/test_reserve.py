# SPDX-License-Identifier: Apache-2.0
"""What is kept for jobs: who may have it, and that no more is kept than there is (tests/vm shows it at work)."""

import subprocess

import pytest
import yaml

from harness import BUILD
from harness.api import amounts, ending, refused

KEPT = ("memory_low", "memory_reserved", "cpu_reserved_millis")
MIB = 1 << 20
CLASSES = """{half: {reserve: {memory: %d}},
              cpu: {reserve: {cpu: 100%%}},
              both: {memory_max: 64MiB, memory_low: 48MiB, reserve: {cpu: 10%%, memory: 32MiB}}}"""


@pytest.fixture
def own(make_agent):
    """An agent with a class that keeps half of the memory that all jobs may have."""
    room = make_agent().client("alice").agent.GetInfo().memory.total
    return make_agent(classes=(CLASSES % (room // 2)).replace("\n", ""))


def limits(job):
    return {limit.name: limit.value for limit in job.limits}


def test_class_keeps_something_for_each_of_its_jobs(own, probe):
    job = own.client("alice").run(probe, "exit", "0", job_class="both")
    assert ending(job) == ("SUCCEEDED", "EXITED", 0, 0)
    assert {name: limits(job)[name] for name in KEPT} == \
        {"memory_low": 48 * MIB, "memory_reserved": 32 * MIB, "cpu_reserved_millis": 100}


def test_job_may_have_less_than_its_class_keeps_and_not_more(own, probe):
    alice = own.client("alice")
    job = alice.run(probe, "exit", "0", job_class="both", limits=amounts(memory_reserved=MIB, cpu_reserved_millis=0))
    assert limits(job)["memory_reserved"] == MIB and limits(job)["cpu_reserved_millis"] == 0
    with refused("INVALID_ARGUMENT", "OVER_CEILING") as refusal:
        alice.start(probe, "exit", "0", job_class="both", limits=amounts(memory_reserved=33 * MIB))
    assert (refusal.metadata["limit"], refusal.metadata["ceiling"], refusal.metadata["asked"]) == \
        ("memory_reserved", str(32 * MIB), str(33 * MIB))


@pytest.mark.parametrize("name", KEPT)
def test_class_that_keeps_nothing_is_a_ceiling_of_nothing(alice, probe, name):
    with refused("INVALID_ARGUMENT", "OVER_CEILING") as refusal:
        alice.start(probe, "exit", "0", limits=amounts(**{name: 1}))
    assert (refusal.metadata["limit"], refusal.metadata["ceiling"]) == (name, "0")


@pytest.mark.parametrize("kept,most", [("memory_low", "memory_max"), ("memory_reserved", "memory_max"),
                                       ("cpu_reserved_millis", "cpu_millis")])
def test_more_is_kept_than_the_job_may_use(alice, probe, kept, most):
    with refused("INVALID_ARGUMENT", "INVALID_FIELD") as refusal:
        alice.start(probe, "exit", "0", limits=amounts(**{kept: 11, most: 10}))
    assert refusal.metadata["field.0"] == f"spec.limits.{kept}"


def test_what_does_not_fit_is_refused_until_a_job_has_ended(own, probe):
    """Over all principals, and over a restart of the agent."""
    alice, bob = own.client("alice"), own.client("bob")
    room = alice.agent.GetInfo().memory
    first = alice.start(probe, "forever", job_class="half")
    second = bob.start(probe, "forever", job_class="half")
    assert alice.agent.GetInfo().memory.reserved == 2 * (room.total // 2)
    own.restart()
    alice, bob = own.client("alice"), own.client("bob")
    with refused("RESOURCE_EXHAUSTED", "RESERVATION_DOES_NOT_FIT") as refusal:
        alice.start(probe, "forever", job_class="half")
    assert refusal.metadata == {"limit": "memory_reserved", "asked": str(room.total // 2), "free": str(room.total % 2),
                                "total": str(room.total)}
    assert ending(alice.run(probe, "exit", "3")) == ("FAILED", "EXITED", 3, 0)  # it keeps nothing
    alice.stop(first, grace=0)
    third = alice.start(probe, "forever", job_class="half")
    for client, job in ((bob, second), (alice, third)):
        client.stop(job, grace=0)
    assert alice.agent.GetInfo().memory.reserved == 0


def test_cpu_is_kept_for_as_many_jobs_as_there_are_cpus(own, probe):
    alice = own.client("alice")
    cpus = alice.agent.GetInfo().cpu_millis.total // 1000
    jobs = [alice.start(probe, "forever", job_class="cpu") for _ in range(cpus)]
    with refused("RESOURCE_EXHAUSTED", "RESERVATION_DOES_NOT_FIT") as refusal:
        alice.start(probe, "forever", job_class="cpu")
    assert refusal.metadata["limit"] == "cpu_reserved_millis"
    assert f"{100 * cpus}% of {100 * cpus}% CPU" in own.cli("alice")("info", check=0).stdout
    for job in jobs:
        alice.stop(job, grace=0)


def test_configuration_is_printed_as_it_is_read(tmp_path):
    path = tmp_path / "hoistd.yaml"
    path.write_text("classes: {both: {memory_low: 1MiB, reserve: {cpu: 500m, memory: 2MiB}}}")
    for _ in range(2):
        printed = subprocess.run([f"{BUILD}/hoistd", "--print-config", "--config", str(path)], check=True,
                                 capture_output=True, text=True).stdout
        assert yaml.safe_load(printed)["classes"]["both"] == \
            {"memory_low": MIB, "reserve": {"cpu": 500, "memory": 2 * MIB}}
        path.write_text(printed)
