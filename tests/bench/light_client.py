"""A client of plain sockets for `serving.py`: what is measured is then the server, not its client.

An HTTP library in Python takes as much of the processor per prompt as the server does, and on two
cores it competes with server and worker.
"""

import base64
import contextlib
import json
import os
import selectors
import socket
import time
from urllib.parse import urlsplit


class Connection:
    """One kept connection to a server. Raises `ConnectionError` if the server closes it."""

    def __init__(self, address):
        parts = urlsplit(address)
        self.host = f"{parts.hostname}:{parts.port}"
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._left = b""

    def send(self, method, path, body=b"", headers=""):
        """Send one request."""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n"
        kind = "Content-Type: application/json\r\n" if body else ""
        self.socket.sendall(f"{head}{kind}{headers}\r\n".encode() + body)

    def answer(self):
        """The answer's status and body."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        lengths = [line for line in head if line.lower().startswith("content-length:")]
        return status, self._take(int(lengths[0].split(":")[1]) if lengths else 0)

    def ask(self, method, path, body=b""):
        """The JSON that a request is answered with."""
        self.send(method, path, body)
        status, text = self.answer()
        assert status == 200, (status, text)
        return json.loads(text)

    def upgrade(self, path):
        """Make it a WebSocket (RFC 6455)."""
        key = base64.b64encode(os.urandom(16)).decode()
        self.send(
            "GET",
            path,
            headers="Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n",
        )
        assert self.answer()[0] == 101

    def message(self):
        """The next message of the WebSocket: its opcode and content."""
        first, second = self._take(2)
        length = second & 127
        if length > 125:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        return first & 15, self._take(length)

    def _until(self, mark):
        while mark not in self._left:
            self._receive()
        found, _, self._left = self._left.partition(mark)
        return found

    def _take(self, length):
        while len(self._left) < length:
            self._receive()
        found, self._left = self._left[:length], self._left[length:]
        return found

    def _receive(self):
        more = self.socket.recv(1 << 18)
        if not more:
            raise ConnectionError("the server closed the connection")
        self._left += more


@contextlib.contextmanager
def connected(address, count=1):
    """Connections to a server, closed at the end."""
    found = [Connection(address) for _ in range(count)]
    try:
        yield found
    finally:
        for each in found:
            each.socket.close()


def seconds_of_prompts(address, graph, count, client="light"):
    """Seconds from sending a prompt to the message that it has ended, `count` times."""
    body = json.dumps({"prompt": graph, "client_id": client}).encode()
    found = []
    with connected(address, 2) as (listening, sending):
        listening.upgrade(f"/ws?clientId={client}")
        for _ in range(count):
            began = time.perf_counter()
            wanted = sending.ask("POST", "/prompt", body)["prompt_id"]
            while True:
                opcode, content = listening.message()
                if opcode == 1 and b'"executing"' in content:
                    data = json.loads(content)["data"]
                    if data["node"] is None and data["prompt_id"] == wanted:
                        break
            found.append(time.perf_counter() - began)
    return found


def prompts_per_second(address, graphs, client=None, connections=32):
    """Prompts per second, sent over several connections, until none is pending or runs."""
    more = {} if client is None else {"client_id": client}
    bodies = [json.dumps({"prompt": graph, **more}).encode() for graph in graphs]
    left = iter(bodies)
    with connected(address, connections) as found, selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        for connection, body in zip(found, left, strict=False):
            connection.send("POST", "/prompt", body)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        answered = 0
        while answered < len(bodies):
            for key, _ in selector.select():
                status, text = key.data.answer()
                assert status == 200, text
                answered += 1
                body = next(left, None)
                if body is not None:
                    key.data.send("POST", "/prompt", body)
        while found[0].ask("GET", "/prompt")["exec_info"]["queue_remaining"]:
            time.sleep(0.005)
        return len(bodies) / (time.perf_counter() - began)
