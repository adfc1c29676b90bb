# SPDX-License-Identifier: Apache-2.0
"""What hoist-launcher does for a hoistd that was taken over: nothing above root's ceilings, and never anything as
root with what it was handed."""

import errno
import os
import re
import socket

import pytest

from harness.hostile import AGENT_UID, STATE_FILE_SIZE, Ended, HostileHoistd, messages, protocol, state_file

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run hoistd as another user")

MEMORY_MAX = 2  # enum limit of wire/limits.h
HOST_NETWORK = 1
REFUSED = 1  # enum spawn_failure
GIB = 1 << 30


@pytest.fixture
def hostile():
    made = []

    def make(*flags):
        made.append(HostileHoistd(*flags))
        return made[-1]

    yield make
    for each in made:
        each.close()


def refused(answer, *words):
    assert answer.WhichOneof("answer") == "failure", answer
    assert (answer.failure.code, answer.failure.failure) == (-errno.EPERM, REFUSED)
    for word in words:
        assert word in answer.failure.sentence.decode()
    return True


def test_a_decent_one_is_served(hostile):
    """What the others are measured by."""
    hoistd = hostile()
    uid = hoistd.serve().job_uid_min
    answer = hoistd.spawn(uid)
    assert answer.WhichOneof("answer") == "spawn", answer


@pytest.mark.parametrize("uid", [0, 1000, AGENT_UID, 2**32 - 2])
def test_no_user_but_those_of_jobs(hostile, uid):
    hoistd = hostile()
    hoistd.serve()
    assert refused(hoistd.spawn(uid), "job_uids")


def test_its_refusals_do_not_fill_the_log(hostile):
    """Twenty lines a minute; each of the others is counted."""
    hoistd, asked = hostile(), 200
    hoistd.serve()
    files = hoistd.files(bytes(16))
    for _ in range(asked):
        assert refused(hoistd.spawn(0, files={name: lambda fd=fd: os.dup(fd) for name, fd in
                                              zip(("data", "index", "state"), files)}), "job_uids")
    for fd in files:
        os.close(fd)
    hoistd.line.close()
    hoistd.stub.close()
    log = hoistd.log(b"hoistd ended").decode()
    suppressed = [int(count) for count in re.findall(r"(\d+) more refusals like these suppressed", log)]
    assert log.count("refused a job above the ceilings") + sum(suppressed) == asked and sum(suppressed) > 0


def test_no_network_of_the_host(hostile):
    hoistd = hostile()
    uid = hoistd.serve().job_uid_min
    assert refused(hoistd.spawn(uid, network=HOST_NETWORK), "network_host")
    hoistd.log(b"refused a job above the ceilings")


def test_no_limit_above_its_ceiling(hostile):
    hoistd = hostile("--max-memory", "1GiB")
    uid = hoistd.serve().job_uid_min
    assert refused(hoistd.spawn(uid), "max_memory")
    for value in (0, GIB + 1, 2**64 - 1):
        assert refused(hoistd.spawn(uid, limits={"values": [{"limit": MEMORY_MAX, "value": value}]}), "max_memory")


def test_no_more_jobs_than_max_jobs(hostile):
    hoistd = hostile("--max-jobs", "1")
    uid = hoistd.serve().job_uid_min
    assert hoistd.spawn(uid).WhichOneof("answer") == "spawn"
    answer = hoistd.spawn(uid, group=b"p-bob")
    assert answer.failure.code == -errno.EAGAIN and b"cgroup.max.descendants" in answer.failure.sentence
    hoistd.log(b"refused a job ")


def pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def seqpacket():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    return theirs.detach()


def valid(hoistd):
    """Of some job: what is refused is not what it says."""
    return state_file(os.urandom(16))


FILES = {
    "root's state": ("state", lambda hoistd: hoistd.file(os.O_RDWR, valid(hoistd), uid=0), "belongs to uid 0"),
    "root's output": ("data", lambda hoistd: hoistd.file(os.O_RDWR | os.O_APPEND, uid=0), "belongs to uid 0"),
    "another's index": ("index", lambda hoistd: hoistd.file(os.O_RDWR, uid=1000), "belongs to uid 1000"),
    "a socket": ("state", lambda hoistd: seqpacket(), "no regular file"),
    "the launcher's socket": ("index", lambda hoistd: os.dup(hoistd.line.fileno()), "no regular file"),
    "a pipe": ("data", lambda hoistd: pipe(), "isn't open"),
    "a directory": ("data", lambda hoistd: os.open("/etc", os.O_RDONLY), "isn't open"),
    "a device": ("index", lambda hoistd: os.open("/dev/null", os.O_RDWR), "no regular file"),
    "a path only": ("state", lambda hoistd: hoistd.file(os.O_PATH, valid(hoistd)), "isn't open"),
    "a state to read": ("state", lambda hoistd: hoistd.file(os.O_RDONLY, valid(hoistd)), "isn't open"),
    "an output to rewrite": ("data", lambda hoistd: hoistd.file(os.O_RDWR), "isn't open"),
    "a short state": ("state", lambda hoistd: hoistd.file(os.O_RDWR, b"x"), "size"),
    "a long state": ("state", lambda hoistd: hoistd.file(os.O_RDWR, bytes(STATE_FILE_SIZE + 1)), "size"),
    "the kernel's": ("state", lambda hoistd: os.open("/proc/self/oom_score_adj", os.O_RDWR), ""),
    "another file system's": ("index", lambda hoistd: hoistd.file(os.O_RDWR, directory="/dev/shm"),
                              "another file system"),
}


@pytest.mark.parametrize("what", FILES)
def test_no_file_but_its_own(hostile, what):
    name, make, words = FILES[what]
    hoistd = hostile()
    uid = hoistd.serve().job_uid_min
    assert refused(hoistd.spawn(uid, files={name: lambda: make(hoistd)}), words)
    hoistd.log(b"refused the files of a job")


def test_no_lifeline_but_its_own(hostile):
    hoistd = hostile()
    hoistd.hello()
    for fds, words in ((hoistd.lifeline(uid=0), "belongs to uid 0"), ([pipe(), pipe()], "isn't open"),
                       ([seqpacket(), seqpacket()], "no FIFO"),
                       ([hoistd.lifeline()[0], hoistd.lifeline()[1]], "of two FIFOs")):
        answer = hoistd.ask(fds, ready={"address": b"127.0.0.1:1"})
        assert answer.failure.code == -errno.EPERM and words in answer.failure.sentence.decode()
    assert hoistd.ask(hoistd.lifeline(), ready={"address": b"127.0.0.1:1"}).WhichOneof("answer") == "done"
    assert hoistd.log(b"hoistd serves").count(b"refused a lifeline") == 4


def spawn_request(**fields):
    return {"spawn": {"job": os.urandom(16), "group": b"p-alice", "argv": [b"/bin/true"], "stop_signal": 15, **fields}}


BREACHES = {
    "a group that is a path": spawn_request(group=b"p-../../system.slice"),
    "a group without a principal": spawn_request(group=b"init"),
    "no command": spawn_request(argv=[]),
    "a NUL": spawn_request(argv=[b"/bin/true\0x"]),
    "a relative directory": spawn_request(cwd=b"../.."),
    "a variable without a name": spawn_request(env=[b"=x"]),
    "too many arguments": spawn_request(argv=1026 * [b"x"]),
    "a signal that isn't": spawn_request(stop_signal=65),
    "a limit that isn't": spawn_request(limits={"values": [{"limit": 99, "value": 1}]}),
    "no files": spawn_request(),
    "a second Hello": {"hello": {"protocol": 1}},
    "a second Ready": {"ready": {"address": b"127.0.0.1:1"}},
    "Listen while it serves": {"listen": {"host": b"127.0.0.1", "port": 0}},
    "a job that is all zero": {"kill": {"group": b"p-alice", "job": bytes(16)}},
    "a job with a short id": {"remove": {"group": b"p-alice", "job": b"../../.."}},
}


@pytest.mark.parametrize("what", BREACHES)
def test_a_breach_ends_it(hostile, what):
    hoistd = hostile()
    hoistd.serve()
    with pytest.raises(Ended):
        hoistd.ask(**BREACHES[what])
    hoistd.log(b"broke the protocol")


def test_a_line_feed_does_not_reach_the_service_manager(hostile):
    hoistd = hostile()
    hoistd.hello()
    with pytest.raises(Ended):
        hoistd.ask(ready={"address": b"127.0.0.1:1\nMAINPID=1"})


def test_another_version_is_told_in_words(hostile):
    """Both versions, and what to do; a hoistd of the right one may still say Hello."""
    hoistd = hostile()
    for other in (protocol() - 1, protocol() + 1):
        failure = hoistd.ask(hello={"protocol": other, "version": b"9.9"}).failure
        assert failure.code == -errno.EPROTONOSUPPORT
        assert re.fullmatch(rf"hoist-launcher \S+ speaks protocol version {protocol()}, hoistd 9\.9 version {other}: "
                            r"restart hoist-launcher \(jobs go on\)", failure.sentence.decode())
    hoistd.serve()


JOB = {"group": b"p-alice", "job": bytes(15) + b"x"}
OUT_OF_TURN = {
    "before Hello": [{"listen": {"host": b"127.0.0.1", "port": 0}}, {"ready": {"address": b"x"}}, spawn_request(),
                     {"kill": JOB}, {"remove": JOB}, {"list_groups": {}}, {"find": {"job": JOB}}, {"list_tasks": JOB}],
    "before Ready": [{"hello": {"protocol": 1}}, spawn_request()],
}


@pytest.mark.parametrize("when, at", [(when, at) for when, requests in OUT_OF_TURN.items()
                                      for at in range(len(requests))])
def test_each_request_out_of_turn_ends_it(hostile, when, at):
    """Those while it serves are among the breaches above."""
    hoistd, request = hostile(), OUT_OF_TURN[when][at]
    if when == "before Ready":
        hoistd.hello()
    fds = hoistd.files(bytes(16)) if "spawn" in request else hoistd.lifeline() if "ready" in request else []
    with pytest.raises(Ended):
        hoistd.ask(fds, **request)
    hoistd.log(b"is not legal in the state")
    for fd in fds:
        os.close(fd)


def test_no_process_but_a_hoist_init_of_jobs(hostile):
    """By pid and start time together, which hoistd must know; by the job's cgroup who is in it."""
    hoistd = hostile()
    uid, job = hoistd.serve().job_uid_min, os.urandom(16)
    started = hoistd.spawn(uid, job=job, argv=[b"/bin/sleep", b"600"]).spawn
    name = {"group": b"p-alice", "job": job}
    for known in ({}, {"pid": started.pid, "start_time": started.start_time}):
        found = hoistd.ask(find={"job": name, **known}).find
        assert (found.pid, found.start_time) == (started.pid, started.start_time)
    for unknown in ({"pid": os.getpid(), "start_time": 1}, {"pid": hoistd.launcher.pid}):
        assert hoistd.ask(find={"job": name, **unknown}).failure.code == -errno.ESRCH
    assert hoistd.ask(find={"job": JOB}).failure.code == -errno.ENOENT
    assert hoistd.ask(list_tasks=name).WhichOneof("answer") == "list_tasks"
    assert hoistd.ask(list_tasks=JOB).failure.code == -errno.ENOENT


@pytest.mark.parametrize("packet", [b"\xff" * 64, b"", bytes(200 * 1024)], ids=["nonsense", "empty", "long"])
def test_bytes_that_are_no_request(hostile, packet):
    hoistd = hostile()
    hoistd.serve()
    hoistd.send(packet)
    with pytest.raises(Ended):
        hoistd.receive()


def test_too_many_descriptors(hostile):
    hoistd = hostile()
    hoistd.serve()
    request = messages().Request(id=9, list_groups={}).SerializeToString()
    hoistd.send(request, [0, 0, 0, 0])
    with pytest.raises(Ended):
        hoistd.receive()


def test_no_job_but_those_that_are_there(hostile):
    hoistd = hostile()
    hoistd.serve()
    for kind in ("kill", "remove"):
        answer = hoistd.ask(**{kind: {"group": b"p-nobody", "job": os.urandom(16)}})
        assert answer.failure.code == -errno.ENOENT


def test_no_privileged_port_without_leave(hostile):
    hoistd = hostile()
    hoistd.hello()
    assert hoistd.ask(listen={"host": b"127.0.0.1", "port": 443}).failure.code == -errno.EACCES


def test_no_address_but_those_allowed(hostile):
    hoistd = hostile("--listen-allow", "127.0.0.1:*")
    hoistd.hello()
    assert hoistd.ask(listen={"host": b"0.0.0.0", "port": 0}).failure.code == -errno.EACCES
    hoistd.log(b"refused an address")
    assert hoistd.ask(listen={"host": b"127.0.0.1", "port": 0}).listen.port > 0
