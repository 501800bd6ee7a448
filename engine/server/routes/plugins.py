"""What plugins bring to the editor. There are none yet, so each list is empty."""

from __future__ import annotations

from aiohttp import web

from engine.server.answers import answer


async def get_extensions(_: web.Request) -> web.Response:
    """The JavaScript files of plugins."""
    return answer([])


async def get_i18n(_: web.Request) -> web.Response:
    """The translations of plugins, by language."""
    return answer({})


async def get_workflow_templates(_: web.Request) -> web.Response:
    """The example workflows of plugins."""
    return answer({})


async def get_global_subgraphs(_: web.Request) -> web.Response:
    """The subgraphs of plugins."""
    return answer({})


async def get_global_subgraph(_: web.Request) -> web.Response:
    """One subgraph; null where there is none of that id."""
    return answer(None)
