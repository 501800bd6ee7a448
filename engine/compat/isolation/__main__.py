"""`python -m engine.compat.isolation`: the process of one isolated pack. Answers calls of a worker.

The main thread imports the pack and calls its nodes; another one reads what the worker sends.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from engine.errors import CalotypeError
from engine.media.isolation import leave_network
from engine.settings import settings_from_json
from engine.wire.channel import end_with
from engine.wire.isolated_messages import IsolatedCommand, IsolatedReady
from engine.wire.pack_messages import FAILED, PackReport, PacksReady
from engine.wire.shared_memory import BlockChannel

OUT_OF_MEMORY_SCORE = "900"
"""When the machine runs out of memory, Linux ends this process before the worker."""


def main() -> int:
    """Serve until the worker is gone."""
    parser = argparse.ArgumentParser(prog="python -m engine.compat.isolation")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--pack", required=True)
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--memory", type=int, default=0)
    flags = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(flags.parent)
    settings = settings_from_json(flags.settings)
    connection = socket.socket(fileno=flags.channel)
    channel: BlockChannel[IsolatedCommand] = BlockChannel(
        connection, IsolatedCommand, settings.temp_directory / "isolated"
    )
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OUT_OF_MEMORY_SCORE, encoding="ascii")
    refused = leave_network(local_sockets=True) if flags.offline else None
    if refused is not None:
        error = f"it may not use the network, which this system cannot deny it: {refused}"
        channel.send(IsolatedReady(_failed(flags.pack, error), PacksReady(b"[]")))
        channel.close()
        return 1
    # Imported here: it takes seconds, and the network is denied before anything else runs.
    from engine.compat.isolation.serving import Server  # noqa: PLC0415

    try:
        Server(settings, channel, memory=flags.memory).run(flags.pack)
    except CalotypeError as error:
        sys.stderr.write(f"Calotype: the process of {flags.pack} ends: {error}\n")
    os._exit(0)  # whatever threads nodes have left


def _failed(name: str, error: str) -> PackReport:
    return PackReport(name, state=FAILED, error=error)


if __name__ == "__main__":
    sys.exit(main())
