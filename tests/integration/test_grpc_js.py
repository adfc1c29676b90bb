# SPDX-License-Identifier: Apache-2.0
"""The API through @grpc/grpc-js, a second implementation that is not ours (js/client.js)."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from harness import BUILD, PATIENCE, TOP

SOURCE = f"{TOP}/tests/integration/js"
CANCELLED, DEADLINE_EXCEEDED, INVALID_ARGUMENT, FAILED_PRECONDITION, NOT_FOUND = 1, 4, 3, 9, 5


@pytest.fixture(scope="module")
def packages():
    """The directory with client.js and what it needs, exactly as the lock file says; made once for each lock file."""
    with open(f"{SOURCE}/package-lock.json", "rb") as file:
        directory = f"{BUILD}/grpc-js-{hashlib.sha256(file.read()).hexdigest()[:12]}"
    if not os.path.exists(directory):
        shutil.copytree(SOURCE, directory + ".new", ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory + ".new",
                              capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        os.rename(directory + ".new", directory)
    shutil.copy(f"{SOURCE}/client.js", directory)
    return directory


@pytest.fixture
def client(packages, agent):
    """client("ping") → what js/client.js tells of this scenario as alice."""
    # By its name: Node.js warns of addresses as names of TLS.
    environment = {**os.environ, **agent.environment("alice"), "HOIST_HOST": "localhost",
                   "HOIST_PROTO": f"{TOP}/proto"}

    def run(*words):
        done = subprocess.run(["node", f"{packages}/client.js", *words], env=environment, capture_output=True,
                              text=True, timeout=2 * PATIENCE, stdin=subprocess.DEVNULL)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return json.loads(done.stdout)

    return run


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_unary_call(client):
    assert client("ping") == {"principal": "alice", "role": "user", "payload": "hello"}


def test_output_is_streamed_to_its_end(client, probe):
    told = client("run", probe, "lines", "50000", "err", "to stderr", "exit", "7")
    lines = b"".join(b"line %d\n" % i for i in range(50000))
    output = told.pop("output")
    assert told == {"state": "JOB_STATE_FAILED", "cause": "CAUSE_EXITED", "exit_code": 7}
    assert (output["stdout"], output["stderr"]) == (sha256(lines), sha256(b"to stderr\n"))
    assert output["code"] == 0 and output["bytes"] == output["summary"]["bytes"] == len(lines) + 10
    assert output["summary"]["complete"] and output["summary"]["stdout_bytes"] == len(lines)


def test_streams_share_a_connection(client, probe):
    told = client("together", "30", probe, "bytes", "300000")
    assert {(each["code"], each["stdout"]) for each in told} == {(0, told[0]["stdout"])}
    assert {each["bytes"] for each in told} == {300000}


def test_error_details(client):
    told = client("unknown")
    assert (told["code"], told["status"], told["type"]) == (NOT_FOUND, NOT_FOUND,
                                                            "type.googleapis.com/google.rpc.ErrorInfo")
    assert (told["info"]["reason"], told["info"]["domain"]) == ("JOB_NOT_FOUND", "hoist")


def test_error_details_name_every_field(client):
    told = client("invalid")
    assert told["code"] == INVALID_ARGUMENT and told["info"]["reason"] == "INVALID_FIELD"
    fields = {value for key, value in told["info"]["metadata"].items() if key.startswith("field.")}
    assert len(fields) == 3


def test_error_text_keeps_its_letters(client):
    told = client("wording", "/no/such/Käse/100%/日本")
    assert told["code"] == FAILED_PRECONDITION and told["info"]["reason"] == "COMMAND_NOT_FOUND"
    assert "/no/such/Käse/100%/日本" in told["message"]


def test_cancelled_stream_leaves_the_job(client, probe):
    told = client("cancel", probe, "out", "first", "forever")
    assert told == {"code": CANCELLED, "messages": 1, "state": "JOB_STATE_RUNNING"}


def test_deadlines_pass(client, probe):
    told = client("deadline", probe, "out", "first", "forever")
    assert told == {"codes": [DEADLINE_EXCEEDED] * 2, "state": "JOB_STATE_STOPPED"}
