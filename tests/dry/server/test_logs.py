"""The log: no code waits for the terminal; no request can inject lines into it."""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import threading
import time

import pytest

from engine.server.terminal import MOST_PENDING, Terminal


def wait_until(question, seconds=10.0):
    end = time.monotonic() + seconds
    while not question() and time.monotonic() < end:
        time.sleep(0.01)
    assert question()


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    for each in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(each)


def test_what_is_written_comes_in_order(pipe):
    reading, writing = pipe
    terminal = Terminal(writing)
    for number in range(100):
        terminal.write(f"line {number} é\n")
    terminal.flush(10)
    assert os.read(reading, 1 << 16).decode().splitlines() == [f"line {n} é" for n in range(100)]


def test_a_terminal_that_does_not_read_holds_nobody_up(pipe):
    reading, writing = pipe
    terminal = Terminal(writing)
    line = "x" * 1000 + "\n"
    for _ in range(3000):  # three times what is stored, and more than a pipe holds
        terminal.write(line)
    terminal.flush(0.05)
    terminal.write("the last\n")
    read = b""
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_NONBLOCK)

    def everything():
        nonlocal read
        try:
            read += os.read(reading, 1 << 20)
        except BlockingIOError:
            return b"left out" in read
        return False

    wait_until(everything)
    assert len(read) <= MOST_PENDING + (1 << 17)
    assert b"messages were left out: nobody read them" in read
    terminal.write("and on\n")
    wait_until(lambda: everything() is None or b"and on\n" in read)


def test_a_terminal_that_is_gone_is_forgotten(pipe):
    reading, writing = pipe
    os.close(reading)
    terminal = Terminal(writing)
    for _ in range(100):
        terminal.write("nobody is there\n")
    terminal.flush(10)
    terminal.write("still nobody\n")
    terminal.flush(10)


def test_a_stream_that_does_not_block_is_waited_for(pipe):
    reading, writing = pipe
    fcntl.fcntl(writing, fcntl.F_SETFL, fcntl.fcntl(writing, fcntl.F_GETFL) | os.O_NONBLOCK)
    terminal = Terminal(writing)
    text = "y" * (200 << 10)  # more than a pipe holds
    terminal.write(text)
    read = b""
    while len(read) < len(text):
        read += os.read(reading, 1 << 16)
    assert read.decode() == text


SECRET = "s3cret" * 4
HOSTILE = [
    f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nbad header {SECRET}\r\n\r\n",
    f"GET /?token={SECRET} HTTP/9.9\r\nHost: x\r\n\r\n",
    f"GET /{SECRET} HTTP/1.1\r\nHost: x\r\nX: {SECRET}\x00{SECRET}\r\n\r\n",
    f"POST /{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: -{SECRET}\r\n\r\n",
    f"POST /prompt HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {SECRET}\r\nContent-Length: 4\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nCookie: {SECRET * 4000}\r\n\r\n",
    f"\x16\x03\x01\x02{SECRET}\r\n\r\n",
    f"{SECRET}\r\n\r\n",
]


@pytest.mark.parametrize("sent", HOSTILE, ids=range(len(HOSTILE)))
def test_a_malformed_request_is_at_most_one_line_without_its_words(sent, serving):
    shown: list[str] = []

    async def scenario(client):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
        writer.write(sent.encode("latin-1"))
        await asyncio.wait_for(reader.read(1 << 16), 10)
        writer.close()
        kept = await (await client.get("/internal/logs/raw")).json()
        return [each["m"] for each in kept["entries"]]

    kept = serving(scenario, show=shown.append)
    lines = "".join(shown).splitlines()
    assert len(lines) <= 1
    assert all(len(line) < 200 for line in lines)
    assert SECRET not in "".join(shown)
    assert shown == kept


def test_a_body_that_is_not_packed_as_it_says_is_the_sender_s_fault(serving):
    shown: list[str] = []

    async def scenario(client):
        answers = [
            await client.post(
                path, data=b"abcd", headers={"Content-Encoding": how, "Connection": "close"}
            )
            for path in ("/prompt", "/settings", "/userdata/a", "/upload/image", "/queue")
            for how in ("gzip", "deflate", "br")
        ]
        return {each.status for each in answers}

    assert serving(scenario, show=shown.append) <= {400, 415}
    assert "Traceback" not in "".join(shown)
    assert all("sent a request that is no HTTP" in line for line in shown)


def test_connections_that_are_not_accepted_are_one_line_however_many_they_are(serving):
    shown: list[str] = []

    async def scenario(client):
        loop = asyncio.get_running_loop()
        for number in (errno.EMFILE, errno.ENFILE):
            for _ in range(128):
                error = OSError(number, os.strerror(number))
                message = "socket.accept() out of system resource"
                loop.call_exception_handler({"message": message, "exception": error})
        error = OSError(errno.EMFILE, "Too many open files")
        loop.call_exception_handler({"message": "a task of ours", "exception": error})

    serving(scenario, show=shown.append)
    assert shown[0].startswith("New connections are not accepted for now")
    assert len(shown) == 2
    assert "Traceback" not in shown[0]
    assert "a task of ours" in shown[1]


def test_the_log_panel_shows_what_was_logged_from_any_thread(serving):
    shown: list[str] = []

    async def scenario(client):
        logging.getLogger("engine.some.room").warning("from the loop")
        thread = threading.Thread(
            target=lambda: logging.getLogger("engine.files").warning("from a thread")
        )
        thread.start()
        await asyncio.to_thread(thread.join)
        logging.getLogger("engine.some.room").info("too quiet")
        await asyncio.sleep(0)
        text = await (await client.get("/internal/logs")).json()
        kept = await (await client.get("/internal/logs/raw")).json()
        return text, [each["m"] for each in kept["entries"]]

    text, kept = serving(scenario, show=shown.append)
    assert kept == shown == ["from the loop\n", "from a thread\n"]
    assert "from a thread" in text


def test_our_own_failures_are_logged_whole_with_a_number(serving, monkeypatch):
    shown: list[str] = []

    async def scenario(client):
        from engine.server.services import SERVICES

        async def broken():
            raise RuntimeError("a bug")

        monkeypatch.setattr(client.app[SERVICES].queue, "remaining", broken)
        answer = await client.get("/prompt?token=secret")
        return answer.status, (await answer.json())["error"]

    status, said = serving(scenario, show=shown.append)
    text = "".join(shown)
    assert status == 500
    number = said.rpartition(" ")[2].rstrip(")")
    assert number in text
    assert "RuntimeError: a bug" in text
    assert "secret" not in text
