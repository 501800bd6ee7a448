"""Documents and texts of other programs as prompts: the converter, for clients."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from engine.errors import PromptError, WorkflowError
from engine.foreign.build import build
from engine.foreign.read import KEYWORDS, PARAMETERS, read_generation
from engine.graph.problems import refusal
from engine.graph.prompt import to_api
from engine.graph.workflow import convert, missing_classes
from engine.server.answers import RefusalError, answer, is_object, read_body
from engine.server.services import SERVICES, Services
from engine.server.submission import decode_body, refused


async def post_convert(request: web.Request) -> web.Response:
    """A prompt made of a saved workflow, a prompt, or the texts of another program."""
    services = request.app[SERVICES]
    body = await read_body(request)
    return answer(await asyncio.to_thread(_convert, body, services))


def _convert(body: bytes, services: Services) -> dict[str, Any]:
    asked = decode_body(body)
    texts = _texts(asked)
    if texts is not None:
        return _from_texts(texts, services)
    try:
        found = convert(asked, services.catalog.schemas)
    except PromptError as error:
        raise RefusalError(400, refusal(error)) from error
    except WorkflowError as error:
        raise refused("invalid_workflow", str(error)) from error
    return {
        "source": "prompt" if found.workflow is None else "workflow",
        "prompt": to_api(found.prompt),
        "missing": {name: list(ids) for name, ids in found.missing.items()},
        "notes": found.notes,
        "left": [],
    }


def _texts(asked: Mapping[str, Any]) -> dict[str, str] | None:
    """The texts of a file by keyword; None for a document."""
    given: Any = asked.get("texts")
    if is_object(given):
        return {key: each for key, each in given.items() if isinstance(each, str)}
    text = asked.get("text")
    return {PARAMETERS: text} if isinstance(text, str) else None


def _from_texts(texts: Mapping[str, str], services: Services) -> dict[str, Any]:
    generation = read_generation(texts)
    if generation is None:
        raise refused(
            "invalid_workflow",
            "no program is recognised in these texts: looked for A1111, Forge, InvokeAI, SwarmUI "
            f"and Fooocus under {', '.join(KEYWORDS)}",
        )
    catalog = services.catalog.schemas
    built = build(generation, catalog, services.listing.list)
    missing = missing_classes(built.prompt, catalog)
    return {
        "source": generation.program,
        "prompt": to_api(built.prompt),
        "missing": {name: list(ids) for name, ids in missing.items()},
        "notes": [],
        "left": built.left,
    }
