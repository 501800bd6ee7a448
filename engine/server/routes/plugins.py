"""Subgraphs of plugins; the other routes of this kind return empty lists."""

from __future__ import annotations

import asyncio

from aiohttp import web

from engine.server.answers import answer
from engine.server.services import SERVICES
from engine.server.subgraphs import Subgraph, find_subgraphs, read_subgraph


async def get_extensions(_: web.Request) -> web.Response:
    """The JavaScript files of plugins."""
    return answer([])


async def get_i18n(_: web.Request) -> web.Response:
    """The translations of plugins, by language."""
    return answer({})


async def get_workflow_templates(_: web.Request) -> web.Response:
    """The example workflows of plugins."""
    return answer({})


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
