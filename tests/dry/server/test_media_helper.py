"""The picture helpers: each answer goes to its request, and large pictures delay no small ones."""

import asyncio
import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import MediaError
from engine.media.__main__ import QUICK, answer
from engine.server.media_helper import MediaHelper
from engine.wire.messages import Convert, Converted, Deferred, ReadHeader, Refused

LARGE = (5000, 4000)


class Logs:
    """Records what the helpers print."""

    def __init__(self):
        self.printed = b""

    async def copy(self, stream):
        self.printed += await stream.read()


@pytest.fixture
def pictures(tmp_path):
    """One picture that is quick to decode and one that is slow, both in few bytes."""
    small, large = tmp_path / "small.png", tmp_path / "large.webp"
    Image.new("RGB", (10, 20), (255, 0, 0)).save(small)
    Image.new("RGB", LARGE, (0, 255, 0)).save(large, lossless=True, method=0)
    assert large.stat().st_size < 1000
    return small, large


def asked(path, most=8):
    return Convert(0, str(path), "png", 0, "rgb", most)


def size(content):
    return Image.open(io.BytesIO(content)).size


def filtered(pid):
    """Whether the kernel reports a filter of system calls (2)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("Seccomp:"))


def with_helper(scenario):
    async def run():
        helper = MediaHelper(Logs())
        try:
            return await scenario(helper)
        finally:
            await helper.stop()

    return asyncio.run(run())


def test_the_quick_helper_declines_what_takes_long(pictures):
    small, large = pictures
    assert isinstance(answer(asked(small), quick=True), Converted)
    assert answer(asked(large), quick=True) == Deferred(0)
    assert isinstance(answer(asked(large)), Converted)
    assert QUICK.pixels < LARGE[0] * LARGE[1]


def test_a_long_header_is_declined_too(tmp_path):
    path = tmp_path / "large.safetensors"
    text = b'{"__metadata__":{"a":"' + b"x" * (2 << 20) + b'"}}'
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    assert answer(ReadHeader(0, str(path)), quick=True) == Deferred(0)
    assert isinstance(answer(ReadHeader(0, str(path))), Converted)


def test_what_is_too_large_for_both_is_refused_in_words(tmp_path):
    path = tmp_path / "huge.webp"
    Image.new("L", (16383, 8000)).save(path, lossless=True, method=0)
    found = answer(asked(path))
    assert isinstance(found, Refused)
    assert "the limit is 100,000,000" in found.reason
    with pytest.raises(MediaError, match="the limit is 100,000,000"):
        with_helper(lambda helper: helper.ask(asked(path)))


def test_small_pictures_pass_a_large_one_that_is_stuck(pictures):
    """The process for large ones is stopped while it has one, which would delay everything."""
    small, large = pictures

    async def scenario(helper):
        assert size(await helper.ask(asked(large))) == (8, 6)
        process = helper._slow._process
        process.send_signal(19 if sys.platform != "darwin" else 17)
        waiting = asyncio.create_task(helper.ask(asked(large)))
        done = [size(await helper.ask(asked(small, most))) for most in (4, 6, 8)]
        assert not waiting.done()
        process.send_signal(18 if sys.platform != "darwin" else 19)
        return done, size(await waiting)

    done, large_one = with_helper(scenario)
    assert done == [(2, 4), (3, 6), (4, 8)]
    assert large_one == (8, 6)


def test_an_asker_that_left_leaves_its_answer_to_nobody_else(pictures):
    small, _ = pictures

    async def scenario(helper):
        await helper.ask(asked(small))
        for wait in (0.0, 0.001, 0.01):
            left = asyncio.create_task(helper.ask(asked(small, 20)))
            await asyncio.sleep(wait)
            left.cancel()
            yielded = await helper.ask(asked(small, 10))
            assert size(yielded) == (5, 10)

    with_helper(scenario)


def test_answers_of_another_number_are_passed_over():
    class Channel:
        def __init__(self):
            self.number = 0

        async def send(self, command):
            self.number = command.number

        async def receive(self):
            yield Converted(self.number - 1, b"another's")
            yield Converted(self.number, b"mine")

        def close(self):
            pass

    async def scenario(helper):
        helper._quick._channel = Channel()
        return [await helper.ask(asked("x")) for _ in range(2)]

    assert with_helper(scenario) == [b"mine", b"mine"]


@pytest.mark.skipif(sys.platform != "linux", reason="there is a filter on Linux alone")
def test_the_running_helpers_are_under_the_filter(pictures):
    small, large = pictures

    async def scenario(helper):
        await helper.ask(asked(small))
        await helper.ask(asked(large))
        return [filtered(each._process.pid) for each in (helper._quick, helper._slow)]

    assert with_helper(scenario) == ["2", "2"]
