"""`fetch`: the models that a workflow needs, asked for and downloaded without a server."""

import hashlib
import json
import shutil
import sys

import pytest

from engine.cli import fetch as fetching
from engine.cli import run as running
from engine.cli.command import run_command
from engine.cli.pack_loading import worker_with_packs
from engine.downloads import transfer
from engine.settings import ROOT

sys.path.insert(0, str(ROOT / "tests" / "dry" / "downloads"))
import file_server

CONTENT = file_server.weights(50_000)


@pytest.fixture
def server(tmp_path, monkeypatch):
    (tmp_path / "server").mkdir()
    started = file_server.FileServer(tmp_path / "server").start()
    monkeypatch.setenv("SSL_CERT_FILE", str(started.certificate))
    monkeypatch.setattr(transfer, "RESERVE", 1 << 20)
    started.files["/a.safetensors"] = CONTENT
    yield started
    started.stop()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """The worker of the first call, for all calls: loading it takes seconds."""
    root, made = tmp_path_factory.mktemp("fetch"), []
    (root / "models").mkdir()

    def worker(settings):
        if not made:
            made.append(worker_with_packs(settings))
        return made[0]

    return root, worker


@pytest.fixture
def fetch(server, loaded, tmp_path, monkeypatch):
    root, worker = loaded
    models = root / "models"
    shutil.rmtree(models)
    models.mkdir()
    for module in (fetching, running):
        monkeypatch.setattr(module, "worker_with_packs", worker)

    def run(*flags, name="a.safetensors", **more):
        url = server.url(f"/{name}")
        said = {"name": name, "url": url, "directory": "checkpoints", **more}
        node = {
            "id": 1,
            "type": "CheckpointLoaderSimple",
            "inputs": [],
            "outputs": [],
            "widgets_values": [name],
            "properties": {"models": [said]},
        }
        path = tmp_path / "workflow.json"
        path.write_text(json.dumps({"nodes": [node], "links": []}))
        folders = ["--user-directory", str(tmp_path / "u"), "--models-directory", str(models)]
        code = run_command(["fetch", str(path), *flags, *folders], lambda *_: 9)
        return code, models / "checkpoints" / name

    return run


def test_it_downloads_what_is_missing_and_then_nothing_more(fetch, server, capsys, tmp_path):
    digest = hashlib.sha256(CONTENT).hexdigest()
    code, path = fetch("--yes", "--allow-private", hash=digest)
    said = capsys.readouterr()
    assert (code, path.read_bytes()) == (0, CONTENT)
    assert str(path) in said.out
    assert server.url("/a.safetensors") in said.out
    assert digest in said.err
    assert not (tmp_path / "u" / "downloads" / "hosts.json").exists()  # for this command only
    server.asked.clear()
    assert fetch("--yes")[0] == 0
    assert server.asked == []
    assert "nothing is missing" in capsys.readouterr().err


def test_without_a_yes_nothing_is_asked_and_nothing_comes(fetch, server, capsys):
    code, path = fetch()
    assert (code, path.exists(), server.asked) == (1, False, [])
    assert "--yes" in capsys.readouterr().err


def test_yes_does_not_allow_the_own_network(fetch, server, capsys):
    code, path = fetch("--yes")
    assert (code, path.exists(), server.asked) == (1, False, [])
    assert "--allow-private" in capsys.readouterr().err


def test_yes_does_not_allow_formats_that_can_hold_programs(fetch, server, capsys):
    server.files["/a.ckpt"] = b"PK weights"
    code, path = fetch("--yes", "--allow-private", name="a.ckpt")
    assert (code, path.exists(), server.asked) == (1, False, [])
    assert "can contain programs" in capsys.readouterr().out
    code, path = fetch("--yes", "--allow-private", "--allow-pickled", name="a.ckpt")
    assert (code, path.exists()) == (0, True)


def test_a_wrong_hash_fails_and_leaves_nothing(fetch, capsys):
    code, path = fetch("--yes", "--allow-private", hash="0" * 64)
    assert (code, path.exists(), list(path.parent.glob(".*"))) == (1, False, [])
    assert "SHA-256" in capsys.readouterr().err


def test_what_cannot_be_downloaded_is_said(fetch, capsys):
    code, _ = fetch("--yes", url="http://example.org/a.safetensors")
    assert code == 2
    assert "only https" in capsys.readouterr().err


def test_check_says_what_is_needed(fetch, tmp_path, capsys):
    fetch()
    capsys.readouterr()
    path = tmp_path / "workflow.json"
    code = run_command(
        ["check", str(path), "--json", "--user-directory", str(tmp_path / "u")], lambda *_: 9
    )
    (found,) = json.loads(capsys.readouterr().out)["needs"]["models"]
    assert (code, found["name"], found["here"]) == (2, "a.safetensors", False)
    run_command(["check", str(path), "--user-directory", str(tmp_path / "u")], lambda *_: 9)
    assert f"main.py fetch {path}" in capsys.readouterr().err


def test_a_tokenizer_is_listed_with_its_repository_and_not_fetched_without_a_yes(tmp_path, capsys):
    (tmp_path / "models").mkdir()
    folders = ["--user-directory", str(tmp_path), "--models-directory", str(tmp_path / "models")]
    assert run_command(["fetch", "--tokenizer", "umt5xxl", *folders], lambda *_: 9) == 1
    said = capsys.readouterr().out
    assert "https://huggingface.co/google/umt5-xxl/resolve/main/spiece.model" in said
    assert str(tmp_path / "models" / "tokenizers" / "umt5xxl" / "spiece.model") in said
