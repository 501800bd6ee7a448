"""Pictures and other results: sent unchanged, or converted by the helper process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from engine.errors import MediaError
from engine.paths import PLACES, BadNameError, as_spelled, file_name, resolve, split_annotation
from engine.server.answers import RefusalError, refusal, whole_number
from engine.server.content import UNKNOWN, type_of_file
from engine.server.guard import FILE_POLICY
from engine.server.services import SERVICES, Services
from engine.wire.messages import Convert

_LARGEST_PREVIEW = 4096
_QUALITY: Mapping[str, int] = {"webp": 90, "jpeg": 90}


async def get_view(request: web.Request) -> web.StreamResponse:
    """A file of the output, input or temp folder."""
    services, query = request.app[SERVICES], request.query
    path = await asyncio.to_thread(
        find,
        services,
        query.get("filename", ""),
        query.get("type", "output"),
        query.get("subfolder", ""),
    )
    channel = query.get("channel", "rgba")
    if "preview" in query:
        form, quality = _form(query["preview"])
        most = min(
            _LARGEST_PREVIEW, max(0, whole_number(request, "size", 0) or 0) or _LARGEST_PREVIEW
        )
        command = Convert(0, str(path), form, quality, "rgba", most)
        return await _preview(request, services, command, path)
    if channel == "rgb":
        return await _converted(services, Convert(0, str(path), "png", 0, "rgb"), path)
    if channel == "a":
        return await _converted(services, Convert(0, str(path), "png", 0, "a"), path)
    return await send_file(path)


def place_folder(services: Services, place: str) -> Path:
    """The folder of that name.

    Raises:
        RefusalError: 400, there is none.
    """
    if place not in PLACES:
        raise refusal(400, "type should be output, input or temp")
    return services.files.folders(place)[0]


def find(services: Services, name: str, place: str, subfolder: str) -> Path:
    """The file that a browser names.

    Raises:
        RefusalError: 400, the name is none; 403, the subfolder leads out; 404, there is no file.
    """
    spelled = as_spelled(place_folder(services, place), f"{subfolder}/{name}".lstrip("/"))
    if "/" not in name and spelled is not None and _is_file(spelled):
        return spelled  # it exists under this literal name
    name, chosen = split_annotation(name)
    folder = place_folder(services, chosen or place)
    try:
        resolve(Path(), name)
    except BadNameError as error:
        raise refusal(400, f"filename: {error}") from error
    try:
        inside = resolve(folder, subfolder)
    except BadNameError as error:
        raise refusal(403, f"subfolder: {error}") from error
    try:
        path = inside / file_name(name.rpartition("/")[2])
    except BadNameError as error:
        raise refusal(400, f"filename: {error}") from error
    if not path.is_file():
        raise refusal(404, "there is no such file")
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or no name at all
        return False


async def send_file(path: Path, kind: str | None = None) -> web.StreamResponse:
    """A file unchanged; a browser shows only what its bytes say is a picture or sound.

    Args:
        path: the file.
        kind: its media type where that is known and safe to show; None to detect it.
    """
    try:
        kind = kind or await asyncio.to_thread(type_of_file, path)
    except OSError as error:
        raise refusal(404, "the file cannot be read") from error
    shown = "attachment; " if kind == UNKNOWN else ""
    return web.FileResponse(
        path,
        headers={
            "Content-Type": kind,
            "Content-Disposition": f"{shown}{_disposition(path.name)}",
            "Content-Security-Policy": FILE_POLICY,
            "Cache-Control": "no-cache",
        },
    )


async def _preview(
    request: web.Request, services: Services, command: Convert, path: Path
) -> web.Response:
    """A picture scaled down; 304 where the browser has the current one."""
    made = await asyncio.to_thread(path.stat)
    tag = f"{made.st_mtime_ns:x}-{made.st_size:x}-{command.form}-{command.quality}-{command.most}"
    if any(each.value == tag for each in request.if_none_match or ()):
        return web.Response(status=304, headers={"ETag": f'"{tag}"', "Cache-Control": "no-cache"})
    response = await _converted(services, command, path)
    response.etag = tag
    return response


async def _converted(services: Services, command: Convert, path: Path) -> web.Response:
    try:
        content = await services.media.ask(command)
    except MediaError as error:
        raise RefusalError(422, {"error": str(error)}) from error
    return web.Response(
        body=content,
        content_type=f"image/{command.form}",
        headers={
            "Content-Disposition": _disposition(path.name),
            "Content-Security-Policy": FILE_POLICY,
            "Cache-Control": "no-cache",
        },
    )


def _form(text: str) -> tuple[str, int]:
    """`webp;90` as a form and a quality; anything else is WebP of default quality."""
    form, _, quality = text.partition(";")
    if form not in _QUALITY:
        form = "webp"
    digits = quality if quality.isascii() and quality.isdigit() else ""
    return form, min(100, max(1, int(digits[:4]))) if digits else _QUALITY[form]


def _disposition(name: str) -> str:
    """`filename="..."`, and its UTF-8 form where the name needs one."""
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", name)
    if plain == name:
        return f'filename="{plain}"'
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, errors='replace')}"
