"""An https server for tests that serves files honestly, or lies as a test tells it to.

Runs in a thread of its own. As a program it serves a folder: `python file_server.py FOLDER`, which
prints its port and the path of its certificate; a number of seconds after it is waited
after each piece of 64 kB.
"""

import asyncio
import hashlib
import json
import ssl
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from certificate import make_certificate

PIECE = 1 << 16


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    headers: dict

    @property
    def start(self):
        text = self.headers.get("range", "bytes=0-")
        return int(text.removeprefix("bytes=").rstrip("-"))


class FileServer:
    """Attributes: `files` by path, `ways` (what answers a path instead), `asked` so far."""

    def __init__(self, folder):
        certificate, key = make_certificate(["localhost", "127.0.0.1"])
        self.certificate = folder / "certificate.pem"
        self.certificate.write_text(certificate)
        (folder / "key.pem").write_text(key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, folder / "key.pem")
        self.files, self.ways, self.asked, self.pause = {}, {}, [], 0.0
        self._loop = asyncio.new_event_loop()
        self._tasks = set()

    def start(self):
        ready = threading.Event()

        async def serve():
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
            self.port = server.sockets[0].getsockname()[1]
            self._stopped = asyncio.Event()
            ready.set()
            await self._stopped.wait()
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(serve(),))
        self._thread.start()
        ready.wait()
        return self

    def stop(self):
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()

    def url(self, path, host="127.0.0.1"):
        return f"https://{host}:{self.port}{path}"

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = lines[0].split(" ")
            pairs = (line.split(": ", 1) for line in lines[1:] if ": " in line)
            asked = Asked(method, path, {name.lower(): text for name, text in pairs})
            self.asked.append(asked)
            await self.ways.get(path, self.send_file)(asked, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def send_file(self, asked, writer):
        content = self.files.get(asked.path.partition("?")[0])
        if content is None:
            await head(writer, 404)
            return
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        is_rest = "range" in asked.headers and asked.headers.get("if-range", tag) == tag
        start = asked.start if is_rest else 0
        more = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        await head(
            writer,
            206 if is_rest else 200,
            {"ETag": tag, "Content-Length": len(content) - start, **(more if is_rest else {})},
        )
        if asked.method != "HEAD":
            for at in range(start, len(content), PIECE):
                writer.write(content[at : min(at + PIECE, len(content))])
                await writer.drain()
                await asyncio.sleep(self.pause)


async def head(writer, status, headers=None):
    """Write the head of an answer; `Content-Length` is 0 unless it is given."""
    given = {"Content-Length": 0, "Content-Type": "application/octet-stream", **(headers or {})}
    lines = [f"{name}: {text}" for name, text in given.items() if text is not None]
    writer.write("\r\n".join([f"HTTP/1.1 {status} Said", *lines, "", ""]).encode())
    await writer.drain()


def weights(size, seed=1):
    """A small `.safetensors` file of this many bytes."""
    count = size - 8 - 100
    header = {"t": {"dtype": "U8", "shape": [count], "data_offsets": [0, count]}}
    text = json.dumps(header).encode().ljust(100)
    block = hashlib.sha256(str(seed).encode()).digest()
    return len(text).to_bytes(8, "little") + text + (block * (count // 32 + 1))[:count]


def main():
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as made:
        server = FileServer(Path(made))
        server.files = {f"/{each.name}": each.read_bytes() for each in folder.iterdir()}
        server.pause = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
        server.start()
        told = {"port": server.port, "certificate": str(server.certificate)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.stop()


if __name__ == "__main__":
    main()
