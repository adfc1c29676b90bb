# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by hand through a real TLS connection: frames as a test wants them, right or wrong.

Only decoding of header blocks is left to a library (python3-hpack): what comes back is compressed.
"""

import socket
import ssl
import struct

import hpack

from harness import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 6, 7, 8, 9, 11

HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
WINDOW_MAX = 2**31 - 1

PING_METHOD = "/hoist.v1.AgentService/Ping"
STREAM_METHOD = "/hoist.v1.JobService/StreamOutput"


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def message(payload=b"", flag=0, length=None):
    """A gRPC message with its five bytes before it, which may lie."""
    return struct.pack(">BI", flag, len(payload) if length is None else length) + payload


def hpack_integer(value, bits, first=0):
    least = (1 << bits) - 1
    if value < least:
        return bytes([first | value])
    out, value = [first | least], value - least
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes(out + [value])


def field(name, value, indexed=False):
    """A header field as literal, with the name written out; `indexed` puts it into the dynamic table."""
    name, value = name.encode(), value if isinstance(value, bytes) else value.encode()
    return b"".join((b"\x40" if indexed else b"\x00", hpack_integer(len(name), 7), name,
                     hpack_integer(len(value), 7), value))


# The server's table is smaller than the usual 4096: the first block after the ACK has to say that it is known (RFC 7541,
# 4.2), and any other may.
TABLE_SIZE = 1024
RESIZED = hpack_integer(TABLE_SIZE, 5, 0x20)


def request_fields(path=PING_METHOD, **changes):
    """The fields of a call in their order; a value None leaves one out, `_` in a name stands for `-` or the colon."""
    fields = {":method": "POST", ":scheme": "https", ":path": path, ":authority": "localhost", "te": "trailers",
              "content-type": "application/grpc"}
    for name, value in changes.items():
        name = name.replace("_", "-")
        fields[f":{name}" if f":{name}" in fields else name] = value
    return RESIZED + b"".join(field(name, value) for name, value in fields.items() if value is not None)


class Answer:
    """What came on one stream."""

    def __init__(self):
        self.headers, self.trailers, self.data, self.reset, self.ended = {}, {}, b"", None, False

    @property
    def http(self):
        return self.headers.get(":status")

    @property
    def status(self):
        """grpc-status, or None."""
        status = self.trailers.get("grpc-status", self.headers.get("grpc-status"))
        return None if status is None else int(status)


class Connection:
    def __init__(self, environment, alpn=("h2",), preface=True, settled=()):
        """`settled` are pairs for the first SETTINGS; without `preface` nothing is sent at all."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(environment["HOIST_CA"])
        context.load_cert_chain(environment["HOIST_CERT"], environment["HOIST_KEY"])
        if alpn:
            context.set_alpn_protocols(list(alpn))
        address = (environment["HOIST_HOST"], int(environment["HOIST_PORT"]))
        self.tcp = socket.create_connection(address, timeout=PATIENCE)
        try:
            self.socket = context.wrap_socket(self.tcp, server_hostname=environment["HOIST_HOST"])
        except OSError:
            self.tcp.close()
            raise
        self.decoder = hpack.Decoder()
        self.answers, self.goaway, self.closed, self.streams = {}, None, False, 1
        self.window = 65535  # what the connection may still be sent; only spend() keeps to it
        if preface:
            self.send(PREFACE + settings(*settled))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    # --- out

    def send(self, *frames):
        """False when the peer has closed: in a flood that is what one waits for."""
        try:
            self.socket.sendall(b"".join(frames))
        except (ssl.SSLError, OSError):
            return False
        return True

    def stream(self):
        """The next number of a stream of ours."""
        number, self.streams = self.streams, self.streams + 2
        return number

    def request(self, body=message(), block=None, ends=True, **fields):
        """Sends a call and returns its stream; `block` instead of `fields` is a header block."""
        stream = self.stream()
        block = request_fields(**fields) if block is None else block
        flags = END_HEADERS | (END_STREAM if ends and not body else 0)
        self.send(frame(HEADERS, flags, stream, block),
                  frame(DATA, END_STREAM if ends else 0, stream, body) if body else b"")
        return stream

    # --- in

    def read_exactly(self, size):
        data = b""
        while len(data) < size:
            try:
                chunk = self.socket.recv(size - len(data))
            except (TimeoutError, socket.timeout) as error:
                raise AssertionError(f"the peer was silent for {PATIENCE} s") from error
            except (ssl.SSLError, OSError):
                chunk = b""
            if not chunk:
                self.closed = True
                return None
            data += chunk
        return data

    def read_frame(self):
        """(type, flags, stream, payload), or None when the connection has ended. Nothing is answered."""
        head = self.read_exactly(9)
        payload = head and self.read_exactly(int.from_bytes(head[:3], "big"))
        if payload is None:
            return None
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        self.note(kind, flags, stream, payload)
        return kind, flags, stream, payload

    def note(self, kind, flags, stream, payload):
        if kind == GOAWAY:
            self.goaway = struct.unpack(">I", payload[4:8])[0]
        elif kind == WINDOW_UPDATE and stream == 0:
            self.window += struct.unpack(">I", payload)[0]
        if stream == 0:
            return
        answer = self.answers.setdefault(stream, Answer())
        if kind == HEADERS:
            assert flags & END_HEADERS and not flags & PADDED, "the server's header blocks are small"
            fields = dict(self.decoder.decode(payload))
            (answer.trailers if answer.headers else answer.headers).update(fields)
        elif kind == DATA:
            answer.data += payload
        elif kind == RST_STREAM:
            answer.reset = struct.unpack(">I", payload)[0]
        answer.ended |= kind == RST_STREAM or (kind in (HEADERS, DATA) and bool(flags & END_STREAM))

    def step(self):
        """Reads one frame and answers it as an honest peer does; False when the connection has ended."""
        got = self.read_frame()
        if got and got[0] == SETTINGS and not got[1] & ACK:
            self.send(frame(SETTINGS, ACK))
        elif got and got[0] == PING and not got[1] & ACK:
            self.send(frame(PING, ACK, payload=got[3]))
        return got is not None

    def spend(self, size):
        """Waits until the connection's window has room for so much data, which is sent next."""
        while self.window < size:
            assert self.step(), "the connection ended"
        self.window -= size

    def answer(self, stream):
        """Waits for the end of a stream, or of the connection."""
        while not self.answers.setdefault(stream, Answer()).ended and self.step():
            pass
        return self.answers[stream]

    def call(self, *arguments, **fields):
        """One call and its answer."""
        return self.answer(self.request(*arguments, **fields))

    def until_closed(self):
        """Reads until the peer has closed; returns the code of its GOAWAY, or None."""
        while self.step():
            pass
        return self.goaway

    def is_served(self):
        """Does a call succeed here?"""
        return self.call().status == 0
