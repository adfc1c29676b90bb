#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands between hoist-launcher and a real hoistd, and keeps root's ceilings from it.

The launcher starts it as hoistd; it starts $HOIST_BUILD/hoistd, which then asks for what launcher.conf forbids. Started
by `build_with_relay()`: a build directory whose hoistd this is.
"""

import os
import signal
import socket
import sys
import threading

PACKET_MAX = 1 << 20
HELLO, CEILINGS = 3, 11  # fields of Answer and HelloAnswer (proto/hoist/internal/launcher.proto)


def build_with_relay(build, directory):
    """A directory with the programs of `build`, but this one as hoistd."""
    for name in ("hoist", "hoist-launcher", "hoist-init"):
        os.symlink(os.path.realpath(f"{build}/{name}"), f"{directory}/{name}")
    with open(__file__) as source, open(f"{directory}/hoistd", "w") as script:
        script.write(source.read().replace("@HOISTD@", os.path.realpath(f"{build}/hoistd")))
    os.chmod(f"{directory}/hoistd", 0o755)
    return directory


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """(number, start, start of the value, end) of each field of a message."""
    at = 0
    while at < len(data):
        start = at
        tag, at = varint(data, at)
        if tag & 7 == 2:
            size, at = varint(data, at)
            value, at = at, at + size
        else:
            value, (_, at) = at, varint(data, at)
        yield tag >> 3, start, value, at


def put_varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def without_ceilings(answer):
    out = b""
    for number, start, value, end in fields(answer):
        if number == HELLO:
            hello = answer[value:end]
            kept = b"".join(hello[a:d] for n, a, _, d in fields(hello) if n != CEILINGS)
            out += bytes([HELLO << 3 | 2]) + put_varint(len(kept)) + kept
        else:
            out += answer[start:end]
    return out


def pass_on(source, sink, change=lambda packet: packet):
    while True:
        packet, fds, _, _ = socket.recv_fds(source, PACKET_MAX, 8)
        if not packet:
            sink.shutdown(socket.SHUT_RDWR)
            return
        socket.send_fds(sink, [change(packet)], fds)
        for fd in fds:
            os.close(fd)


def main():
    launcher = socket.socket(fileno=int(os.environ["HOIST_LAUNCHER_FD"]))
    launcher.setblocking(True)
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for line in (launcher, ours):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PACKET_MAX)
    hoistd = os.fork()
    if hoistd == 0:
        os.dup2(its.fileno(), launcher.fileno())
        os.execv("@HOISTD@", ["hoistd", *sys.argv[1:]])
    its.close()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(hoistd, signal.SIGTERM))
    for arguments in ((launcher, ours, without_ceilings), (ours, launcher)):
        threading.Thread(target=pass_on, args=arguments, daemon=True).start()
    _, status = os.waitpid(hoistd, 0)
    os._exit(os.waitstatus_to_exitcode(status) & 255)


if __name__ == "__main__":
    main()
