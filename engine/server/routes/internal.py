"""The editor's own routes: the log, the folders, the newest files."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from engine.files import MODEL_FOLDERS
from engine.paths import PLACES, is_sendable
from engine.server.answers import answer, empty_answer, read_object, refusal
from engine.server.services import SERVICES


async def get_logs(request: web.Request) -> web.Response:
    """The log as one text."""
    entries = request.app[SERVICES].logs.entries
    return answer("".join(f"{each.t} - {each.m}" for each in entries))


async def get_raw_logs(request: web.Request) -> web.Response:
    """The log by entries."""
    entries = request.app[SERVICES].logs.entries
    return answer({"entries": entries, "size": {"cols": 80, "rows": 24}})


async def patch_subscribe(request: web.Request) -> web.Response:
    """Subscribe a client to new lines of the log, or unsubscribe it."""
    asked = await read_object(request)
    client = asked.get("clientId")
    if not isinstance(client, str):
        raise refusal(400, "clientId should be a string")
    request.app[SERVICES].logs.subscribe(client, enabled=bool(asked.get("enabled")))
    return empty_answer()


async def get_folder_paths(request: web.Request) -> web.Response:
    """The folders of each kind of weights."""
    services = request.app[SERVICES]
    kinds, folders = (*MODEL_FOLDERS, *services.served.kinds), services.files.folders
    return answer({kind: [str(path) for path in folders(kind)] for kind in kinds})


async def get_files(request: web.Request) -> web.Response:
    """The files of the output, input or temp folder, newest first."""
    place = request.match_info["place"]
    if place not in PLACES:
        raise refusal(400, "the folder should be output, input or temp")
    folder = request.app[SERVICES].files.folders(place)[0]
    return answer(await asyncio.to_thread(_newest, folder))


def _newest(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    found = [
        (path.stat().st_mtime_ns, path.name)
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith(".") and is_sendable(path.name)
    ]
    return [name for _, name in sorted(found, reverse=True)]
