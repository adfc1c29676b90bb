# SPDX-License-Identifier: Apache-2.0
"""Hostile HTTP/2 and broken gRPC through a real TLS connection (THREATS 2.1).

In every test somebody else is served meanwhile, and the agent holds no more afterwards than before.
"""

import concurrent.futures
import contextlib
import socket
import ssl
import struct
import threading

import grpc
import pytest

from harness import http2, process
from harness.api import message as message_class
from harness.http2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM,
                           SETTINGS, WINDOW_UPDATE, Connection, frame)

OK, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 4, 8, 12, 13


@contextlib.contextmanager
def bystander(client):
    """Somebody who is served all the time."""
    over, served = threading.Event(), []

    def look():
        while not over.is_set() or not served:
            try:
                client.agent.Ping()
                served.append(True)
            except grpc.RpcError as error:
                served.append(False)
                return error
        return None

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield
        finally:
            over.set()
        assert looking.result() is None, f"not served after {len(served)} calls: {looking.result()}"


# What a peer may make the agent hold for a moment; more than a few MiB only where that is by design.
GROWS = {"test_halves_of_requests_are_kept_up_to_a_limit": 24 << 20}


@pytest.fixture(autouse=True)
def unharmed(request, agent, alice):
    with process.bounded(agent.hoistd_pid, alice.agent.Ping, GROWS.get(request.node.name, 8 << 20)), bystander(alice):
        yield


@pytest.fixture(scope="module")
def environment(agent):
    """The attacker's."""
    return agent.environment("bob")


@pytest.fixture
def peer(environment):
    with Connection(environment) as connection:
        yield connection


# --- one call that is not as it should be

def test_a_call_by_hand_is_served(peer):
    answer = peer.call()
    assert (answer.http, answer.status) == ("200", OK)
    assert answer.headers["content-type"].startswith("application/grpc")
    assert message_class("PingResponse").FromString(answer.data[5:]).principal == "bob"


@pytest.mark.parametrize("body, status", [
    (http2.message(length=2**32 - 1), RESOURCE_EXHAUSTED), (http2.message(length=(4 << 20) + 1), RESOURCE_EXHAUSTED),
    (http2.message(b"12", length=3), INTERNAL), (b"\0\0", INTERNAL), (b"", INTERNAL),
    (http2.message() * 2, INTERNAL), (http2.message() + b"\0", INTERNAL),
    (http2.message(flag=1), INTERNAL), (http2.message(flag=2), INTERNAL), (http2.message(flag=255), INTERNAL),
], ids=["lie", "large", "short", "half a head", "none", "two", "one and a bit", "compressed", "flag 2", "flag 255"])
def test_a_message_that_is_not_one(peer, body, status):
    answer = peer.call(body)
    assert (answer.http, answer.status) == ("200", status) and not answer.data
    assert answer.headers["grpc-message"]
    assert peer.is_served()


@pytest.mark.parametrize("fields, http", [
    ({"method": "GET", "path": "/"}, "405"), ({"method": "GET"}, "405"), ({"method": "PUT"}, "405"),
    ({"content_type": None}, "415"), ({"content_type": "application/json"}, "415"),
    ({"content_type": "application/grpc-web"}, "415"), ({"content_type": "application/grpc+json"}, "415"),
])
def test_what_is_no_grpc_gets_an_answer_of_http(peer, fields, http):
    assert peer.call(**fields).http == http
    assert peer.is_served()


@pytest.mark.parametrize("fields, status", [
    ({"path": "/hoist.v1.JobService/NoSuch"}, UNIMPLEMENTED), ({"path": "/"}, UNIMPLEMENTED),
    ({"path": http2.PING_METHOD + "/"}, UNIMPLEMENTED), ({"path": "/" + http2.PING_METHOD}, UNIMPLEMENTED),
    ({"path": http2.PING_METHOD.lower()}, UNIMPLEMENTED), ({"path": http2.PING_METHOD + "?"}, UNIMPLEMENTED),
    ({"grpc_encoding": "gzip"}, UNIMPLEMENTED), ({"te": None}, INTERNAL), ({"te": "gzip"}, None),
    ({"grpc_timeout": ""}, INTERNAL), ({"grpc_timeout": "1"}, INTERNAL), ({"grpc_timeout": "S"}, INTERNAL),
    ({"grpc_timeout": "-1S"}, INTERNAL), ({"grpc_timeout": "1s"}, INTERNAL), ({"grpc_timeout": "1 S"}, INTERNAL),
    ({"grpc_timeout": "123456789S"}, INTERNAL), ({"grpc_timeout": "0S"}, DEADLINE_EXCEEDED),
    ({"grpc_timeout": "99999999H"}, OK), ({"grpc_encoding": "identity"}, OK),
    ({"content_type": "application/grpc+proto"}, OK), ({"content_type": "application/grpc;x=y"}, OK),
])
def test_headers_of_a_call(peer, fields, status):
    answer = peer.call(**fields)
    assert answer.status == status
    assert status is not None or answer.reset == http2.PROTOCOL_ERROR  # RFC 9113, 8.2.2: no other te
    if status == UNIMPLEMENTED:
        assert answer.headers["grpc-accept-encoding"] == "identity"
    assert peer.is_served()


@pytest.mark.parametrize("path", [http2.PING_METHOD[1:], "*", "", "https://localhost" + http2.PING_METHOD])
def test_a_path_without_its_slash_is_never_routed(peer, path):
    answer = peer.call(path=path)
    assert answer.status == UNIMPLEMENTED or answer.reset == http2.PROTOCOL_ERROR
    assert peer.is_served()


def test_an_unknown_method_is_answered_before_its_request_ends(peer):
    assert peer.call(body=b"", ends=False, path="/grpc.reflection.v1.ServerReflection/Info").status == UNIMPLEMENTED
    assert peer.is_served()


@pytest.mark.parametrize("block", [
    http2.request_fields() + http2.field("UPPER", "x"), http2.request_fields() + http2.field("connection", "close"),
    http2.request_fields() + http2.field(":path", "/"), http2.request_fields() + http2.field(":unknown", "x"),
    http2.RESIZED + http2.field("te", "trailers") + http2.request_fields()[len(http2.RESIZED):],
    http2.request_fields(path=None),
    http2.request_fields() + http2.field("x", b"a\nb"), http2.request_fields() + http2.field("x", b"a\0b"),
], ids=["uppercase", "connection", "second path", "unknown pseudo", "late pseudo", "no path", "newline", "NUL"])
def test_malformed_headers_reset_their_stream_alone(peer, block):
    assert peer.call(block=block).reset == http2.PROTOCOL_ERROR
    assert peer.is_served()


def test_metadata_that_nobody_knows_is_passed_over(peer):
    assert peer.call(user_agent="x" * 1000, x_bin="AAEC", x_ascii="~!").status == OK


def test_a_deadline_is_kept_by_the_server(peer, environment, agent, probe):
    client = agent.client("bob")
    job = client.start(probe, "forever")
    request = http2.message(message_class("StreamOutputRequest")(name=job.name, follow=True).SerializeToString())
    answer = peer.call(request, path=http2.STREAM_METHOD, grpc_timeout="200m")
    assert answer.status == DEADLINE_EXCEEDED
    client.jobs.DeleteJob(name=job.name, force=True)
    client.close()


# --- one connection that is not as it should be

FIRST = frame(HEADERS, END_HEADERS, 1, http2.request_fields())


BREACHES = [
    (frame(DATA, 0, 0, b"x"), http2.PROTOCOL_ERROR), (frame(DATA, 0, 1, b"x"), http2.PROTOCOL_ERROR),
    (frame(HEADERS, END_HEADERS, 2, http2.request_fields()), http2.PROTOCOL_ERROR),
    (frame(HEADERS, END_HEADERS, 0, http2.request_fields()), http2.PROTOCOL_ERROR),
    (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"), http2.COMPRESSION_ERROR),
    (frame(PING, 0, 0, b"short"), http2.FRAME_SIZE_ERROR), (frame(SETTINGS, 0, 0, b"12345"), http2.FRAME_SIZE_ERROR),
    (frame(SETTINGS, 0, 1), http2.PROTOCOL_ERROR),
    (http2.settings((http2.INITIAL_WINDOW_SIZE, 2**31)), http2.FLOW_CONTROL_ERROR),
    (frame(WINDOW_UPDATE, 0, 0, bytes(4)), http2.PROTOCOL_ERROR),
    (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)), http2.FLOW_CONTROL_ERROR),
    (frame(RST_STREAM, 0, 1, bytes(4)), http2.PROTOCOL_ERROR),
    (frame(http2.PUSH_PROMISE, END_HEADERS, 1, bytes(4)), http2.PROTOCOL_ERROR),
    (frame(CONTINUATION, END_HEADERS, 1, b""), http2.PROTOCOL_ERROR),
    (frame(HEADERS, 0, 1, http2.request_fields()) + frame(PING, payload=bytes(8)), http2.PROTOCOL_ERROR),
    (FIRST + frame(DATA, http2.PADDED, 1, b"\xff"), http2.PROTOCOL_ERROR),
    (frame(DATA, 0, 1, bytes(16385)), http2.FRAME_SIZE_ERROR),
    (struct.pack(">I", 2**24 - 1)[1:] + bytes([HEADERS, 0, 0, 0, 0, 1]), http2.FRAME_SIZE_ERROR),
]


@pytest.mark.parametrize("frames, code", BREACHES, ids=range(len(BREACHES)))
def test_frames_that_break_the_protocol_end_the_connection(peer, frames, code):
    peer.send(frames)
    assert peer.until_closed() == code


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"x" * 24, http2.PREFACE[:-1] + b"x",
                                   http2.PREFACE + frame(PING, payload=bytes(8))],
                         ids=["HTTP/1", "noise", "nearly", "no SETTINGS"])
def test_what_is_no_preface_ends_the_connection(environment, first):
    with Connection(environment, preface=False) as peer:
        peer.send(first)
        peer.until_closed()


@pytest.mark.parametrize("alpn", [(), ("http/1.1",), ("h2c", "spdy/3")])
def test_another_protocol_is_refused_in_the_handshake(environment, alpn):
    try:
        with Connection(environment, alpn=alpn, preface=False) as peer:
            assert peer.socket.recv(1) == b""
    except ssl.SSLError as error:
        assert "alert no application protocol" in str(error)
    except ConnectionResetError:
        pass


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\n\r\n", http2.PREFACE, bytes(1000), b"\x16\x03\x01\xff\xff"],
                         ids=["HTTP/1", "HTTP/2", "zeros", "half a record"])
def test_plain_text_on_the_port(environment, words):
    address = (environment["HOIST_HOST"], int(environment["HOIST_PORT"]))
    with socket.create_connection(address, timeout=30) as tcp:
        tcp.sendall(words)
        tcp.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while tcp.recv(4096):
                pass


def test_more_streams_than_were_offered_are_refused(peer, agent, probe):
    client = agent.client("bob")
    job = client.start(probe, "forever")
    request = http2.message(message_class("StreamOutputRequest")(name=job.name, follow=True).SerializeToString())
    streams = [peer.request(request, path=http2.STREAM_METHOD) for _ in range(120)]
    assert {peer.answer(stream).reset for stream in streams[100:]} == {http2.REFUSED_STREAM}
    client.jobs.DeleteJob(name=job.name, force=True)
    assert {peer.answer(stream).status for stream in streams[:100]} == {OK}
    client.close()


# --- floods

def flood(peer, *frames, rounds=200):
    """Sends until the peer has had enough; returns the code of its GOAWAY, None when it just closed."""
    for _ in range(rounds):
        if not peer.send(*frames):
            break
    return peer.until_closed()


@pytest.mark.parametrize("frames", [
    frame(PING, payload=bytes(8)), http2.settings(), http2.settings((http2.INITIAL_WINDOW_SIZE, 65535)),
    frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)), frame(PRIORITY, 0, 3, bytes(5)), frame(0x42, 0, 0, b"unknown"),
], ids=["PING", "SETTINGS", "SETTINGS with a window", "WINDOW_UPDATE", "PRIORITY", "unknown"])
def test_a_flood_of_control_frames_ends_the_connection(peer, frames):
    assert flood(peer, *[frames] * 100) in (http2.ENHANCE_YOUR_CALM, None)
    assert peer.closed


def test_a_flood_of_empty_data_ends_the_connection(peer):
    stream = peer.request(body=b"", ends=False)
    assert flood(peer, *[frame(DATA, 0, stream)] * 100) in (http2.ENHANCE_YOUR_CALM, None)
    assert peer.closed


def test_a_flood_that_is_never_answered_is_not_kept(environment):
    """The acknowledgements would pile up."""
    with Connection(environment) as peer:
        for _ in range(100):
            if not peer.send(*[frame(PING, payload=bytes(8))] * 100):
                break
        peer.until_closed()


def test_rapid_reset_ends_the_connection(peer):
    for _ in range(50):
        burst = []
        for _ in range(100):
            stream = peer.stream()
            burst += [frame(HEADERS, END_HEADERS, stream, http2.request_fields()),
                      frame(RST_STREAM, 0, stream, struct.pack(">I", http2.CANCEL))]
        if not peer.send(*burst):
            break
    assert peer.until_closed() in (http2.ENHANCE_YOUR_CALM, http2.INTERNAL_ERROR, None)


def test_streams_that_must_be_reset_end_the_connection(peer):
    """The peer makes us send the resets (CVE-2025-8671)."""
    for _ in range(50):
        burst = []
        for _ in range(100):
            stream = peer.stream()
            burst += [frame(HEADERS, END_HEADERS, stream, http2.request_fields()),
                      frame(WINDOW_UPDATE, 0, stream, bytes(4))]
        if not peer.send(*burst):
            break
    assert peer.until_closed() != http2.NO_ERROR


def test_continuations_without_end(peer):
    peer.send(frame(HEADERS, 0, 1, http2.request_fields()))
    assert flood(peer, *[frame(CONTINUATION, 0, 1, http2.field("x", "y" * 1000))] * 10) != http2.NO_ERROR


def test_a_header_bomb_resets_its_stream_and_a_row_of_them_ends_the_connection(peer):
    """One frame of references to one large field: 16 KiB that unpack to 15 MB."""
    block = http2.request_fields() + http2.field("x-bomb", "b" * 950, indexed=True) + b"\xbe" * 12000
    answer = peer.call(body=b"", ends=False, block=block)
    assert answer.reset is not None
    assert peer.is_served()
    for _ in range(10):
        peer.request(body=b"", ends=False, block=http2.request_fields() + b"\xbe" * 16000)
    assert peer.until_closed() == http2.ENHANCE_YOUR_CALM


def test_header_tables_are_small(peer):
    """Nobody may remember more, and our own end remembers no more of what it says."""
    kind, _, _, payload = peer.read_frame()
    assert kind == SETTINGS and (http2.HEADER_TABLE_SIZE, http2.TABLE_SIZE) in struct.iter_unpack(">HI", payload)
    peer.send(frame(SETTINGS, ACK), http2.settings((http2.HEADER_TABLE_SIZE, 1 << 20)))
    peer.decoder.max_allowed_table_size = http2.TABLE_SIZE  # a larger one would fail to decode
    assert peer.is_served()
    peer.request(block=http2.hpack_integer(2 * http2.TABLE_SIZE, 5, 0x20) + http2.request_fields())
    assert peer.until_closed() == http2.COMPRESSION_ERROR


def test_halves_of_requests_are_kept_up_to_a_limit(peer):
    """16 MiB for all of a connection's (grpc/bounds.h)."""
    part = frame(DATA, 0, 0, bytes(16000))
    streams = []
    for _ in range(90):
        peer.spend(15 * 16000 + 5)
        streams.append(peer.request(http2.message(length=4 << 20) + bytes(16000 - 5), ends=False))
        peer.send(*[part[:5] + struct.pack(">I", streams[-1]) + part[9:]] * 14)
    assert peer.answer(streams[-1]).status == RESOURCE_EXHAUSTED
    assert peer.is_served()


# --- peers that let us wait

def half_handshake(environment):
    peer = socket.create_connection((environment["HOIST_HOST"], int(environment["HOIST_PORT"])), timeout=60)
    peer.sendall(b"\x16\x03\x01")
    with contextlib.suppress(ConnectionResetError):
        assert peer.recv(1) == b""
    return peer


def half_preface(environment):
    peer = Connection(environment, preface=False)
    peer.send(http2.PREFACE[:10])
    while peer.read_frame():
        pass
    return peer


def half_request(environment):
    peer = Connection(environment)
    assert peer.call(http2.message(length=10), ends=False).status == DEADLINE_EXCEEDED
    assert peer.is_served()
    return peer


def never_reading(environment, request):
    """Asks for much output, opens its windows and reads nothing. Its peer tells by its end, not by a frame."""
    peer = Connection(environment, settled=[(http2.INITIAL_WINDOW_SIZE, http2.WINDOW_MAX)])
    peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", http2.WINDOW_MAX - 65535)))
    peer.request(request, path=http2.STREAM_METHOD)
    return peer


@pytest.mark.timeout(180)
def test_peers_that_let_us_wait_are_let_go(environment, agent, probe, monkeypatch):
    """The handshake has 8 s, the preface 10, a request 30, and output that nobody takes 30 (grpc/bounds.h)."""
    monkeypatch.setattr(http2, "PATIENCE", 90)
    client = agent.client("bob")
    job = client.start(probe, "bytes", str(200 << 20), "forever")
    request = http2.message(message_class("StreamOutputRequest")(name=job.name, follow=True).SerializeToString())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        silent = [never_reading(environment, request) for _ in range(3)]
        waiting = [pool.submit(each, environment) for each in (half_handshake, half_preface, half_request)]
        for each in waiting:
            each.result().close()
    agent.wait_log("the peer doesn't read")
    for peer in silent:
        peer.close()
    client.jobs.DeleteJob(name=job.name, force=True)
    client.close()
