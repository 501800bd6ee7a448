"""The workflows that come with Calotype, in the form in which clients read templates."""

from __future__ import annotations

import asyncio
import json
import re
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.server.answers import JSON, answer, refusal
from engine.server.routes.media import send_file
from engine.settings import ROOT

FOLDER = ROOT / "web" / "workflows"
FAMILIES = FOLDER / "families"
"""Those of families of models, with files that users bring, and so without pictures."""
INDEX = "index"
_FILE = re.compile(r"(?P<name>[a-z0-9_]+)(?P<kind>\.json|-1\.webp|-1\.svg)")
_PLACEHOLDER = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 300">'
    '<rect width="400" height="300" fill="#2a2d33"/>'
    '<text x="200" y="160" fill="#c9ced6" font-family="sans-serif" font-size="30" '
    'text-anchor="middle">{}</text></svg>'
)


async def get_index(_: web.Request) -> web.Response:
    """Those that run with the bundled model as one category, and one for each family."""
    return answer(await asyncio.to_thread(_index))


async def get_template(request: web.Request) -> web.StreamResponse:
    """A workflow, `NAME.json`, or its picture, `NAME-1.webp` or, for families, `NAME-1.svg`."""
    match = _FILE.fullmatch(request.match_info["file"])
    name, kind = (match["name"], match["kind"]) if match else ("", "")
    if kind == "-1.svg":
        return await _placeholder(name)
    path = await asyncio.to_thread(_path, name, kind.replace("-1", ""))
    if path is None:
        raise _unknown()
    return await send_file(path, JSON if path.suffix == ".json" else None)


def _path(name: str, suffix: str) -> Path | None:
    folders = (FOLDER,) if suffix == ".webp" or name == INDEX else (FOLDER, FAMILIES)
    paths = (folder / f"{name}{suffix}" for folder in folders)
    return next((path for path in paths if suffix and path.is_file()), None)


async def _placeholder(name: str) -> web.Response:
    """A picture with the name of the workflow's family."""
    for category in await asyncio.to_thread(_families):
        if any(each["name"] == name for each in category["templates"]):
            text = _PLACEHOLDER.format(escape(category["family"]))
            return web.Response(text=text, content_type="image/svg+xml")
    raise _unknown()


def _unknown() -> Exception:
    return refusal(404, "there is no such template")


def _index() -> list[dict[str, Any]]:
    names = sorted(path.stem for path in FOLDER.glob("*.json"))
    own = [{"name": name, **_described(name)} for name in names]
    found = [_category("Calotype", own, "webp")] if own else []
    return found + [_category(each["family"], each["templates"], "svg") for each in _families()]


def _families() -> list[dict[str, Any]]:
    """What `tools/write_families_page.py` says of them; none where it was not installed."""
    path = FAMILIES / f"{INDEX}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def _category(title: str, templates: list[dict[str, Any]], subtype: str) -> dict[str, Any]:
    media = {"mediaType": "image", "mediaSubtype": subtype}
    return {
        "moduleName": "default",
        "title": title,
        "type": "image",
        "templates": [{**each, **media} for each in templates],
    }


def _described(name: str) -> dict[str, str]:
    title = name.replace("_", " ").capitalize()
    return {"title": title, "description": title}
