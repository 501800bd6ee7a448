"""A client that disconnects in the middle of a request causes no server error."""

import asyncio
import logging

import pytest
from aiohttp import ClientSession, web

from engine.server.app import build_app

BEGUN = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nabc'
LENGTHS = {
    "Content-Length: 100000": BEGUN,
    "Transfer-Encoding: chunked": b"3e8\r\n" + BEGUN,
}


def leave(settings, path, length, *, reset):
    """Send half a body to a server as `serve` runs it, disconnect, and make another request."""

    async def whole():
        runner = web.AppRunner(build_app(settings, worker=None), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{length}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
        )
        writer.write(LENGTHS[length])
        await writer.drain()
        # The answer comes after the first request was processed.
        async with ClientSession(f"http://127.0.0.1:{port}") as session:
            await (await session.get("/queue")).read()
            if reset:
                writer.transport.abort()
            else:
                writer.close()
            status = (await session.get("/queue")).status
        await runner.cleanup()
        return status

    return asyncio.run(asyncio.wait_for(whole(), 60))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "/calotype/journals/11111111-2222-4333-8444-555555555555?window=a",
        "/prompt",
        "/settings",
        "/userdata/a",
        "/upload/image",
    ],
)
def test_half_a_body_is_one_quiet_line(settings, caplog, path, length, reset):
    with caplog.at_level(logging.DEBUG):
        assert leave(settings, path, length, reset=reset) == 200
    assert [each for each in caplog.records if each.levelno > logging.INFO or each.exc_info] == []
    assert len([each for each in caplog.messages if "went away" in each]) == 1
