# SPDX-License-Identifier: Apache-2.0
"""A network that breaks: a TCP proxy whose connections end after so many bytes."""

import socket
import threading


class Proxy:
    """Relays to 127.0.0.1:port. `budget()` says for each connection after how many bytes of the server's it is cut off
    with a reset; None: never."""

    def __init__(self, port, budget):
        self.port_behind, self.budget = port, budget
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self):
        return self.listener.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port_behind))
            except OSError:
                return
            self.connections += 1
            both = (client, server)
            threading.Thread(target=self._relay, args=(client, server, None, both), daemon=True).start()
            threading.Thread(target=self._relay, args=(server, client, self.budget(), both), daemon=True).start()

    @staticmethod
    def _relay(source, sink, left, both):
        try:
            while left is None or left > 0:
                data = source.recv(65536 if left is None else min(left, 65536))
                if not data:
                    break
                sink.sendall(data)
                left = left if left is None else left - len(data)
        except OSError:
            pass
        for each in both:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
