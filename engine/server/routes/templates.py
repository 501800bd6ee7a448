"""The workflows that come with Calotype, in the form in which clients read templates."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from aiohttp import web

from engine.server.answers import JSON, answer, refusal
from engine.server.routes.media import send_file
from engine.settings import ROOT

FOLDER = ROOT / "web" / "workflows"
_FILE = re.compile(r"(?P<name>[a-z0-9_]+)(?P<kind>\.json|-1\.webp)")


async def get_index(_: web.Request) -> web.Response:
    """All of them, as one category."""
    return answer(await asyncio.to_thread(_index))


async def get_template(request: web.Request) -> web.StreamResponse:
    """A workflow, `NAME.json`, or its picture, `NAME-1.webp`."""
    match = _FILE.fullmatch(request.match_info["file"])
    path = None if match is None else FOLDER / (match["name"] + match["kind"].replace("-1", ""))
    if path is None or not await asyncio.to_thread(path.is_file):
        raise refusal(404, "there is no such template")
    return await send_file(path, JSON if path.suffix == ".json" else None)


def _index() -> list[dict[str, Any]]:
    names = sorted(path.stem for path in FOLDER.glob("*.json"))
    templates = [_described(name) for name in names]
    if not templates:
        return []
    return [{"moduleName": "default", "title": "Calotype", "type": "image", "templates": templates}]


def _described(name: str) -> dict[str, Any]:
    title = name.replace("_", " ").capitalize()
    return {
        "name": name,
        "title": title,
        "description": title,
        "mediaType": "image",
        "mediaSubtype": "webp",
    }
