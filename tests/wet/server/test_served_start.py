"""The server answers before torch is loaded, locks its folder, and exits cleanly."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest

from engine.settings import ROOT
from engine.store.migrations import MIGRATIONS

HEAVY = ("torch", "numpy", "PIL", "transformers", "safetensors", "scipy", "nodes")


def test_starting_the_server_imports_little():
    code = (
        "import sys, engine.cli.command, engine.server.serve;"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_page_and_the_catalog_answer_before_the_worker_is_ready(start_server, real):
    served = start_server()

    async def scenario(browser):
        info = await browser.get("object_info")
        async with browser.session.get(browser.address) as page:
            text = await page.text()
        stats = await browser.get("system_stats")
        name = await browser.queue(real.tiny())
        return info, text, stats["system"]["worker"]["ready"], await browser.ended(name)

    info, page, ready, entry = real.with_browser(served, scenario)
    assert "KSampler" in info
    assert "Calotype" in page
    assert ready is False
    assert entry["status"]["status_str"] == "success"
    loaded = " ".join(each.path for each in psutil.Process(served.process.pid).memory_maps())
    assert "libtorch" not in loaded
    assert "_imaging" not in loaded
    assert "numpy" not in loaded
    assert served.end() == 0
    assert "Traceback" not in served.log.read_text()


def test_it_ends_soon_while_sockets_are_open_and_a_prompt_waits(start_server, real):
    served = start_server()

    async def scenario(browser):
        await browser.queue(real.tiny())
        began = time.monotonic()
        served.process.terminate()
        while served.process.poll() is None:
            assert time.monotonic() - began < 20
            await asyncio.sleep(0.01)
        return served.process.returncode

    assert real.with_browser(served, scenario) == 0
    again = start_server()

    async def waiting(browser):
        return await browser.get("prompt")

    assert real.with_browser(again, waiting)["exec_info"]["queue_remaining"] <= 1


def test_a_second_server_in_one_folder_is_refused(start_server, real):
    first = start_server()
    began = time.monotonic()
    second = start_server(wait=False)
    assert second.process.wait(timeout=20) == 3
    assert time.monotonic() - began < 15
    told = second.log.read_text()
    assert f"process {first.process.pid}" in told
    assert f"port {first.port}" in told

    async def scenario(browser):
        return await browser.get("prompt")

    assert real.with_browser(first, scenario) == {"exec_info": {"queue_remaining": 0}}


def test_after_kill_9_a_new_server_starts_at_once_and_no_worker_is_left(start_server, real):
    served = start_server()
    deadline = time.monotonic() + 60
    while not (workers := real.children(served.process)):
        assert time.monotonic() < deadline
    served.kill()
    again = start_server()
    assert not any(each.is_running() and each.status() != "zombie" for each in workers)
    assert again.end() == 0


def test_a_newer_database_is_left_alone(tmp_path, start_server):
    user = tmp_path / "user"
    user.mkdir()
    with sqlite3.connect(user / "calotype.db") as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = (user / "calotype.db").read_bytes()
    served = start_server(user=user, wait=False)
    assert served.process.wait(timeout=30) == 1
    assert "newer Calotype" in served.log.read_text()
    assert (user / "calotype.db").read_bytes() == before


def test_a_damaged_database_is_set_aside(tmp_path, start_server):
    user = tmp_path / "user"
    user.mkdir()
    (user / "calotype.db").write_bytes(b"no database" * 1000)
    served = start_server(user=user)
    assert served.end() == 0
    assert "was damaged" in served.log.read_text()
    [aside] = user.glob("calotype.db.damaged-*")
    assert aside.read_bytes() == b"no database" * 1000


def test_a_taken_port_is_told(start_server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        served = start_server("--port", str(taken.getsockname()[1]), wait=False)
        assert served.process.wait(timeout=30) == 1
    assert "Choose another with --port" in served.log.read_text()


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_beyond_loopback_a_token_is_made_and_asked_for(start_server):
    import urllib.error
    import urllib.request

    served = start_server("--listen", "0.0.0.0")
    assert "?token=" in served.address
    token = (served.user / "token").read_text().strip()
    assert (served.user / "token").stat().st_mode & 0o777 == 0o600
    address = f"http://127.0.0.1:{served.port}/queue"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address, timeout=20)
    assert refused.value.code == 401
    refused.value.close()
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200
    assert token not in served.log.read_text()
