"""The process of an isolated pack at its start: what it refuses to run without."""

import socket
import sys

import pytest

from engine.compat.isolation import __main__ as program
from engine.settings import Settings, settings_to_json
from engine.wire.isolated_messages import IsolatedMessage
from engine.wire.shared_memory import BlockChannel


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Runs the program in this process, without a pack."""

    def run(*flags):
        ours, theirs = socket.socketpair()
        settings = Settings(user_directory=tmp_path / "user")
        arguments = ["--channel", theirs.detach(), "--parent", 1, "--pack", "mine", *flags]
        arguments += ["--settings", settings_to_json(settings)]
        monkeypatch.setattr(sys, "argv", ["isolation", *map(str, arguments)])
        monkeypatch.setattr(program, "end_with", lambda _: None)
        monkeypatch.setattr(program.signal, "signal", lambda *_: None)
        monkeypatch.setattr(program, "OUT_OF_MEMORY_SCORE", "0")
        code = program.main()
        channel = BlockChannel(ours, IsolatedMessage, tmp_path)
        found = channel.next()
        channel.close()
        return code, found

    return run


def test_it_does_not_run_where_the_network_cannot_be_denied(started, monkeypatch):
    monkeypatch.setattr(program, "leave_network", lambda **_: "the kernel has no such filter")
    code, found = started("--offline")
    assert code == 1
    assert found.report.state == "failed"
    assert "cannot deny it: the kernel has no such filter" in found.report.error
