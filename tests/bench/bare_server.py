"""A server that does the least a prompt needs, as a baseline for `serving.py`.

    python tests/bench/bare_server.py DATABASE

It takes a prompt, commits it to SQLite, has another process acknowledge it, commits its end, and
sends that to the client's socket: no graph, no validation, no cache, no history, no guard. The
commits are as durable as those of the store (WAL, `synchronous = FULL`).
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

from aiohttp import WSMsgType, web

ECHO = "import os\nwhile line := os.read(0, 65536): os.write(1, line)"
"""The other process."""


class Bare:
    """The server's state."""

    def __init__(self, path: str, child: asyncio.subprocess.Process) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "CREATE TABLE prompts (id TEXT PRIMARY KEY, text TEXT, state TEXT)"
        )
        self._child = child
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self._jobs: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._remaining = 0

    async def commit(self, statement: str, *values: str) -> None:
        """Run a statement and flush it to the disk, in the writing thread."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._connection.execute, statement, values)

    async def post(self, request: web.Request) -> web.Response:
        """Accept a prompt."""
        asked = json.loads(await request.read())
        prompt_id = str(uuid.uuid4())
        await self.commit(
            "INSERT INTO prompts VALUES (?, ?, 'queued')", prompt_id, json.dumps(asked["prompt"])
        )
        self._remaining += 1
        self._jobs.put_nowait((prompt_id, asked.get("client_id", "")))
        return web.json_response({"prompt_id": prompt_id, "number": 0, "node_errors": {}})

    async def status(self, request: web.Request) -> web.Response:
        """How many prompts are pending or run."""
        return web.json_response({"exec_info": {"queue_remaining": self._remaining}})

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """A client that listens."""
        found = web.WebSocketResponse()
        await found.prepare(request)
        self._sockets[request.query["clientId"]] = found
        async for message in found:
            if message.type is not WSMsgType.TEXT:
                break
        return found

    async def work(self) -> None:
        """One prompt after another."""
        while True:
            prompt_id, client = await self._jobs.get()
            self._child.stdin.write(prompt_id.encode() + b"\n")
            await self._child.stdout.readline()
            await self.commit("UPDATE prompts SET state = 'done' WHERE id = ?", prompt_id)
            self._remaining -= 1
            if socket := self._sockets.get(client):
                data = {"node": None, "prompt_id": prompt_id}
                await socket.send_str(json.dumps({"type": "executing", "data": data}))


async def main() -> None:
    """Serve until killed; prints the address."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ECHO, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    bare = Bare(sys.argv[1], child)
    app = web.Application()
    app.router.add_post("/prompt", bare.post)
    app.router.add_get("/prompt", bare.status)
    app.router.add_get("/ws", bare.socket)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
    await bare.work()


if __name__ == "__main__":
    asyncio.run(main())
