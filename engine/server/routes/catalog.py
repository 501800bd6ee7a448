"""Nodes, weights, the machine, and the features of this server."""

from __future__ import annotations

import asyncio
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from engine.errors import FilesError, MediaError
from engine.files import ALIASES, MODEL_FOLDERS
from engine.server.answers import JSON, answer, raw_answer, refusal
from engine.server.messages import FeatureFlags
from engine.server.services import SERVICES, Services
from engine.serving import COMPATIBLE_WITH
from engine.wire.messages import Convert, ReadHeader

_PREVIEWS = (".preview.png", ".png", ".webp", ".jpg", ".jpeg", ".preview.webp", ".preview.jpg")


async def get_object_info(request: web.Request) -> web.Response:
    """Every node; compressed and cached.

    The worker describes plugins' nodes again meanwhile: their lists may have changed. A browser
    that has asked before waits for that a moment.
    """
    await request.app[SERVICES].served.refresh(wait="If-None-Match" in request.headers)
    info = await asyncio.to_thread(request.app[SERVICES].catalog.info)
    headers = {"ETag": info.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if request.headers.get("If-None-Match") == info.etag:
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=info.gzipped, headers=headers, content_type=JSON)
    return web.Response(body=info.content, headers=headers, content_type=JSON)


async def get_one_object_info(request: web.Request) -> web.Response:
    """One node; `{}` where there is none of that class."""
    catalog = request.app[SERVICES].catalog
    return answer(await asyncio.to_thread(catalog.class_info, request.match_info["node_class"]))


async def get_models(request: web.Request) -> web.Response:
    """The kinds of weights."""
    return answer(_kinds(request.app[SERVICES]))


async def get_model_folder(request: web.Request) -> web.Response:
    """The files of one kind."""
    services = request.app[SERVICES]
    return answer(await asyncio.to_thread(services.listing.list, _kind(request)))


async def get_embeddings(request: web.Request) -> web.Response:
    """The embeddings' names, as prompts use them."""
    names = await asyncio.to_thread(request.app[SERVICES].listing.list, "embeddings")
    return answer([name.rpartition(".")[0] for name in names])


async def get_experiment_models(request: web.Request) -> web.Response:
    """The kinds of weights, with their folders."""
    services = request.app[SERVICES]
    return answer(
        [
            {"name": kind, "folders": [str(path) for path in services.files.folders(kind)]}
            for kind in _kinds(services)
            if kind != "configs"
        ]
    )


async def get_experiment_folder(request: web.Request) -> web.Response:
    """The files of one kind, with sizes and times."""
    services, kind = request.app[SERVICES], _kind(request)
    return answer(await asyncio.to_thread(_described, services, kind))


async def get_model_preview(request: web.Request) -> web.Response:
    """The picture next to a weights file, as WebP."""
    services, kind = request.app[SERVICES], _kind(request)
    folders = services.files.folders(kind)
    place, name = request.match_info["path_index"], request.match_info["filename"]
    index = int(place) if re.fullmatch("[0-9]{1,4}", place) else len(folders)
    if index >= len(folders) or name not in await asyncio.to_thread(services.listing.list, kind):
        raise refusal(404, "there is no such file")
    file = folders[index] / name
    stem = file.with_suffix("")
    found = next((p for each in _PREVIEWS if (p := Path(f"{stem}{each}")).is_file()), None)
    if found is None:
        raise refusal(404, "that file has no preview")
    try:
        content = await services.media.ask(Convert(0, str(found), "webp", 80, "rgb"))
    except MediaError as error:
        raise refusal(404, str(error)) from error
    return web.Response(body=content, content_type="image/webp")


async def get_view_metadata(request: web.Request) -> web.Response:
    """The metadata of a `.safetensors` file."""
    services, kind = request.app[SERVICES], _kind(request)
    name = request.query.get("filename", "")
    if not name.endswith(".safetensors"):
        raise refusal(404, "only .safetensors files say something about themselves")
    try:
        path = await asyncio.to_thread(services.files.find, kind, name)
        content = await services.media.ask(ReadHeader(0, str(path)))
    except (FilesError, MediaError) as error:
        raise refusal(404, str(error)) from error
    return raw_answer(content.decode())


async def get_system_stats(request: web.Request) -> web.Response:
    """The machine; torch's part comes from the worker once it is ready."""
    services = request.app[SERVICES]
    ready = services.workers.ready
    total, free = await asyncio.to_thread(_memory)
    system: dict[str, Any] = {
        "os": sys.platform,
        "ram_total": total,
        "ram_free": free,
        "comfyui_version": COMPATIBLE_WITH,
        "calotype_version": _version("calotype"),
        "required_frontend_version": None,
        "installed_templates_version": None,
        "required_templates_version": None,
        "python_version": sys.version,
        "pytorch_version": ready.torch if ready is not None else _version("torch"),
        "embedded_python": False,
        "argv": ["main.py", *sys.argv[1:]],
        "worker": {
            "ready": ready is not None,
            "restarts": services.workers.supervisor.restarts,
            "cache_budget": services.settings.cache_bytes,
            "note": ready.note if ready is not None else "the worker is loading",
        },
    }
    devices = [
        {
            "name": each.name,
            "type": each.type,
            "index": each.index,
            "vram_total": each.total,
            "vram_free": each.free,
            "torch_vram_total": each.held,
            "torch_vram_free": 0,
            "calotype_vram_budget": each.budget,
        }
        for each in services.workers.devices
    ]
    return answer({"system": system, "devices": devices})


async def get_features(request: web.Request) -> web.Response:
    """What this server can do."""
    return answer(msgspec.to_builtins(features(request.app[SERVICES])))


def features(services: Services) -> FeatureFlags:
    """The same as a message."""
    return FeatureFlags(
        supports_preview_metadata=True, max_upload_size=services.most_upload, extension={}
    )


def _kinds(services: Services) -> list[str]:
    own = services.settings.model_folders
    return list(dict.fromkeys([*MODEL_FOLDERS, *own, *services.served.kinds]))


def _kind(request: web.Request) -> str:
    """The kind of weights that the path names.

    Raises:
        RefusalError: 404, there is no such kind.
    """
    kind = request.match_info["folder"]
    if kind not in ALIASES and kind not in _kinds(request.app[SERVICES]):
        raise refusal(404, "there is no such folder of models")
    return kind


def _described(services: Services, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    suffixes = services.files.suffixes(kind)
    for index, folder in enumerate(services.files.folders(kind)):
        for name in services.listing.list(kind):
            path = folder / name
            if (not suffixes or path.suffix.lower() in suffixes) and path.is_file():
                stat = path.stat()
                found.append(
                    {
                        "name": name,
                        "pathIndex": index,
                        "modified": stat.st_mtime,
                        "created": stat.st_ctime,
                        "size": stat.st_size,
                    }
                )
    return found


def _memory() -> tuple[int, int]:
    import psutil  # noqa: PLC0415 - the server starts without it

    memory = psutil.virtual_memory()
    return memory.total, memory.available


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
