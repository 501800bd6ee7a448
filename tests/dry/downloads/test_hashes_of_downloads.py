"""A downloaded file is not read again for its hash: the one of the download is stored."""

import asyncio
import hashlib
from pathlib import Path
from unittest.mock import Mock

import pytest
from conftest import QUICK, end_connections
from file_server import weights

from engine.downloads.targets import plan_target
from engine.files import Files
from engine.record import hashes as module
from engine.record.hashes import SMALL, FileHashes
from engine.server.download_news import open_downloads


def test_the_hash_that_was_found_is_the_file_s(settings, server, tmp_path, monkeypatch):
    content = weights(SMALL + 5000)
    server.files["/model.safetensors"] = content
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(module, "_digest", lambda *_: pytest.fail("the file was read again"))

    async def steps():
        downloads = open_downloads(settings, Mock(), FileHashes(settings))
        downloads.patience = QUICK
        downloads.start()
        try:
            downloads.hosts.allow(f"127.0.0.1:{server.port}", private=True)
            target = plan_target("checkpoints", "model.safetensors", Files(settings), settings)
            found = await downloads.add(server.url("/model.safetensors"), target)
            while (now := downloads.find(found.id)).state not in {"done", "failed"}:
                await asyncio.sleep(0.01)
            return now
        finally:
            await downloads.stop()
            await end_connections()

    done = asyncio.run(asyncio.wait_for(steps(), 60))
    assert done.state == "done", done.message
    expected = hashlib.sha256(content).hexdigest()
    assert FileHashes(settings).known(Path(done.path)) == expected
