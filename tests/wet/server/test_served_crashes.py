"""The server and its worker killed at once, again and again, and an output folder that is full."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import time

import pytest
from PIL import Image

PROMPTS = 12
SIDE = 512


def check_database(user):
    """Check that the database is valid after a kill, as the next server would open it."""
    connection = sqlite3.connect(user / "calotype.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        states = dict(connection.execute("SELECT id, state FROM prompts"))
    finally:
        connection.close()
    return states


def check_pictures(output):
    """Check that every file with a final name is a whole picture; returns their number."""
    paths = list(output.rglob("x_*.png"))
    for path in paths:
        with Image.open(path) as picture:
            picture.verify()
        with Image.open(path) as picture:
            picture.load()
    return len(paths)


def unfinished(output):
    """Files that a crash may leave and the sweep must delete, and when each was written."""
    found = {path: path.stat() for path in output.rglob("*") if path.is_file()}
    return {
        path: stat.st_mtime_ns
        for path, stat in found.items()
        if path.name.endswith(".part") or not stat.st_size
    }


def is_left(path, written):
    """Whether the same file still exists: the next run may reuse its name."""
    try:
        return path.stat().st_mtime_ns == written
    except FileNotFoundError:
        return False


def leave_half(output):
    """Make a half-written file, because not every kill interrupts a write."""
    (output / "y_00001_.png").touch()
    (output / ".y_00001_.png.part").write_bytes(b"half")


async def all_ended(browser):
    deadline = time.monotonic() + 90
    while (await browser.get("prompt"))["exec_info"]["queue_remaining"]:
        assert time.monotonic() < deadline, "the queue never became empty"
        await asyncio.sleep(0.05)


def kill_both_often(start_server, real, rounds):
    """Kill server and worker while small jobs run; in the end each prompt has one outcome."""
    names, done, before = [], {}, {}
    for number in range(rounds):
        chance = random.Random(number)
        served = start_server()

        async def scenario(browser, served=served, number=number, chance=chance, before=before):
            await browser.worker_ready()
            left = [path for path, written in before.items() if is_left(path, written)]
            assert not left, f"left after the restart's sweep: {left}"
            for each in range(PROMPTS):
                prompt = real.tiny(color=1000 * number + each)
                prompt["1"]["inputs"].update(width=SIDE, height=SIDE)
                names.append(await browser.queue(prompt))
            await asyncio.sleep(chance.random() * 0.4)
            victims = [*real.children(served.process), served.process]
            assert len(victims) == 2
            for victim in victims:
                victim.kill()
            for victim in victims:
                victim.wait(timeout=10)

        real.with_browser(served, scenario)
        states = check_database(served.user)
        assert sorted(states) == sorted(names), "a prompt was lost"
        for name, state in done.items():
            assert states[name] == state, f"{name} has two outcomes"
        done = {name: state for name, state in states.items() if state not in {"queued", "running"}}
        leave_half(served.user / "output")
        before = unfinished(served.user / "output")

    served = start_server()

    async def last(browser):
        await all_ended(browser)
        return await browser.get("history")

    history = real.with_browser(served, last)
    assert history.keys() == set(names)
    assert {entry["status"]["status_str"] for entry in history.values()} == {"success"}
    shown = [
        image["filename"] for entry in history.values() for image in entry["outputs"]["2"]["images"]
    ]
    assert len(shown) == len(set(shown)) == len(names)
    assert all((served.user / "output" / name).is_file() for name in shown)
    assert served.end() == 0
    assert unfinished(served.user / "output") == {}
    # A picture saved but not yet reported at the kill was saved again.
    assert len(names) <= check_pictures(served.user / "output") <= len(names) + 2 * rounds
    assert set(check_database(served.user).values()) == {"done"}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("times", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_server_and_worker_are_killed_at_once(start_server, real, times):
    kill_both_often(start_server, real, times)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a separate file system of 64 KiB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes Linux and root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_holds_the_queue_until_there_is_room(small_disk, start_server, real):
    served = start_server("--output-directory", small_disk)
    filling = small_disk / "filling.bin"
    filling.write_bytes(bytes(56 << 10))

    async def scenario(browser):
        prompt = real.tiny(color=0x123456)
        # The PNG of one colour is about 0.1 % of its pixels: 12 KiB here, and 8 KiB are left.
        prompt["1"]["inputs"].update(width=2048, height=2048)
        name = await browser.queue(prompt)
        while (held := (await browser.get("calotype/queue"))["held"]) is None:
            await asyncio.sleep(0.05)
        found = sorted(path.name for path in small_disk.iterdir() if path.suffix != ".part")
        history = await browser.get("history")
        filling.unlink()
        return held, found, history, await browser.ended(name)

    held, found, history, entry = real.with_browser(served, scenario)
    assert "The disk is full" in held
    assert str(small_disk) in held
    assert (found, history) == (["filling.bin"], {})
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    [path] = small_disk.iterdir()
    assert path.stat().st_size > 8 << 10
    with Image.open(path) as picture:
        picture.verify()
    assert served.end() == 0
