"""What plugins bring for browsers: scripts, translations, example workflows, subgraphs."""

from __future__ import annotations

import asyncio
import mimetypes
from functools import partial
from pathlib import Path

from aiohttp import web

from engine.server.answers import JSON, answer, refusal
from engine.server.pack_files import (
    find_file,
    find_template,
    list_scripts,
    template_names,
    translations,
)
from engine.server.pack_policy import PACK_POLICY
from engine.server.routes.media import send_file
from engine.server.services import SERVICES
from engine.server.subgraphs import Subgraph, find_subgraphs, read_subgraph

SCRIPT = "text/javascript"


async def get_extensions(request: web.Request) -> web.Response:
    """The JavaScript files of plugins."""
    served = request.app[SERVICES].served
    return answer(await asyncio.to_thread(lambda: list_scripts(served.web_folders())))


async def get_extension_file(request: web.Request) -> web.StreamResponse:
    """A file of a plugin's folder for browsers."""
    served, match = request.app[SERVICES].served, request.match_info

    def find() -> Path | None:
        folder = served.web_folders().get(match["pack"])
        return None if folder is None else find_file(folder, match["path"])

    path = await asyncio.to_thread(find)
    if path is None:
        raise refusal(404, "no plugin has such a file")
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix in {".js", ".mjs"}:
        kind = SCRIPT
    headers = {"Content-Type": kind, "Cache-Control": "no-cache"}
    if kind.startswith("text/"):
        headers["Content-Type"] = f"{kind}; charset=utf-8"
    if policy := request.app[PACK_POLICY]:
        headers["Content-Security-Policy"] = policy
    return web.FileResponse(path, headers=headers)


async def get_i18n(request: web.Request) -> web.Response:
    """The translations of plugins, by language."""
    served = request.app[SERVICES].served
    return answer(await asyncio.to_thread(lambda: translations(served.packs())))


async def get_workflow_templates(request: web.Request) -> web.Response:
    """The names of plugins' example workflows, by plugin."""
    served = request.app[SERVICES].served
    return answer(await asyncio.to_thread(lambda: template_names(served.packs())))


async def get_template_file(request: web.Request) -> web.StreamResponse:
    """An example workflow of a plugin, or a picture beside it."""
    served, match = request.app[SERVICES].served, request.match_info
    find = partial(find_template, name=match["pack"], file=match["file"])
    path = await asyncio.to_thread(lambda: find(served.packs()))
    if path is None:
        raise refusal(404, "no plugin has such an example workflow")
    return await send_file(path, JSON if path.suffix == ".json" else None)


async def get_global_subgraphs(request: web.Request) -> web.Response:
    """The subgraphs of plugins, by their ids."""
    found = await _find(request)
    return answer({each.id: _described(each) for each in found})


async def get_global_subgraph(request: web.Request) -> web.Response:
    """One subgraph with its text; null where there is none of that id."""
    found = await _find(request)
    one = next((each for each in found if each.id == request.match_info["id"]), None)
    text = None if one is None else await asyncio.to_thread(read_subgraph, one)
    if one is None or text is None:
        return answer(None)
    return answer({**_described(one), "data": text})


async def _find(request: web.Request) -> list[Subgraph]:
    settings = request.app[SERVICES].settings
    folders = settings.custom_nodes_directories
    return await asyncio.to_thread(find_subgraphs, folders, settings.plugins)


def _described(subgraph: Subgraph) -> dict[str, object]:
    return {
        "source": "custom_node",
        "name": subgraph.name,
        "info": {"node_pack": subgraph.pack},
    }
