"""The user's own files and settings: saved workflows, templates, the editor's choices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.atomic import rename, write_atomically
from engine.documents.versions import MOST_TEXT
from engine.errors import FilesError
from engine.paths import BadNameError, is_sendable, resolve
from engine.server.answers import (
    JSON,
    answer,
    empty_answer,
    is_true,
    read_body,
    read_json,
    read_object,
    refusal,
)
from engine.server.routes.media import send_file
from engine.server.services import SERVICES, Services

WORKFLOWS = "workflows"
_OTHERS = "userdata"


async def get_settings(request: web.Request) -> web.Response:
    """Every setting."""
    return answer(await request.app[SERVICES].preferences.read())


async def get_setting(request: web.Request) -> web.Response:
    """One setting, or null."""
    found = await request.app[SERVICES].preferences.read()
    return answer(found.get(request.match_info["id"]))


async def post_settings(request: web.Request) -> web.Response:
    """Change some settings."""
    await request.app[SERVICES].preferences.merge(await read_object(request))
    return empty_answer()


async def post_setting(request: web.Request) -> web.Response:
    """Change one setting."""
    value = await read_json(request)
    await request.app[SERVICES].preferences.merge({request.match_info["id"]: value})
    return empty_answer()


async def get_users(_: web.Request) -> web.Response:
    """There is one user."""
    return answer({"storage": "server", "migrated": True})


async def post_users(_: web.Request) -> web.Response:
    """There is one user."""
    raise refusal(400, "this server has one user")


async def get_userdata(request: web.Request) -> web.Response:
    """The files of a folder."""
    query = request.query
    if not query.get("dir"):
        raise refusal(400, "dir should name a folder")
    folder = _path(request.app[SERVICES], query["dir"])
    if not folder.is_dir():
        raise refusal(404, "there is no such folder")
    found = await asyncio.to_thread(
        lambda: list(_files(folder, recurse=is_true(query.get("recurse"))))
    )
    names = [(path.relative_to(folder).as_posix(), path) for path in found]
    if is_true(query.get("full_info")):
        return answer([_info(name, path) for name, path in names])
    if is_true(query.get("split")):
        return answer([[name, *name.split("/")] for name, _ in names])
    return answer([name for name, _ in names])


async def get_userdata_v2(request: web.Request) -> web.Response:
    """Files and folders of a folder."""
    services, asked = request.app[SERVICES], request.query.get("path", "")
    if not asked.strip("/"):
        listed = [(WORKFLOWS, services.settings.user_directory / WORKFLOWS)]
        others = services.settings.user_directory / _OTHERS
        listed += [(path.name, path) for path in _entries(others)]
    else:
        folder = _path(services, asked)
        if not folder.is_dir():
            raise refusal(404, "there is no such folder")
        listed = [(f"{asked.strip('/')}/{path.name}", path) for path in _entries(folder)]
    return answer([_entry(name, path) for name, path in listed if path.exists()])


async def get_file(request: web.Request) -> web.StreamResponse:
    """One file."""
    path = _requested_path(request, "file")
    if not path.is_file():
        raise refusal(404, "there is no such file")
    if path.suffix == ".css" and request.match_info["file"] == "user.css":
        return web.FileResponse(path)
    return await send_file(path, JSON if path.suffix.lower() == ".json" else None)


async def post_file(request: web.Request) -> web.Response:
    """Save a file; one that is there is replaced only with `overwrite=true`.

    With `If-Match`, only where its `ETag` is still the same. Of workflows, the old and the new text
    are stored as versions.
    """
    path = _requested_path(request, "file")
    content = await read_body(request, most=request.app[SERVICES].most_upload)
    replace = is_true(request.query.get("overwrite"))
    _check_parents(path)
    versions = request.app[SERVICES].versions
    async with versions.lock:
        expected = request.headers.get("If-Match")
        if expected is not None and expected != _tag(path):
            raise refusal(412, "the file is no longer the one that was read")
        if replace:
            await _store_version(request, "file", path, "replaced")
        if not await asyncio.to_thread(write_atomically, path, content, replace=replace):
            raise refusal(409, "a file of that name is there; say overwrite=true to replace it")
        await _store_version(request, "file", path, "save")
    said = _answer(request, request.match_info["file"], path)
    said.headers["ETag"] = _tag(path) or ""
    return said


def _tag(path: Path) -> str | None:
    """The `ETag` of a file; None where there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'


async def _store_version(request: web.Request, part: str, path: Path, kind: str) -> None:
    """Store a version of a workflow's file; other files have no versions."""
    name = request.match_info[part]
    if not name.startswith(f"{WORKFLOWS}/") or path.suffix != ".json":
        return
    text = await asyncio.to_thread(_text_of, path)
    if text is not None:
        label = request.query.get("label", "") if kind == "save" else ""
        await request.app[SERVICES].versions.keep(name, text, label=label, kind=kind)


def _text_of(path: Path) -> bytes | None:
    if not path.is_file() or path.stat().st_size > MOST_TEXT:
        return None
    return path.read_bytes()


async def delete_file(request: web.Request) -> web.Response:
    """Delete a file."""
    path = _requested_path(request, "file")
    if not path.is_file():
        raise refusal(404, "there is no such file")
    path.unlink()
    return web.Response(status=204)


async def post_move(request: web.Request) -> web.Response:
    """Rename a file; an existing target is replaced only with `overwrite=true`.

    The text of a workflow that is replaced is stored as a version.
    """
    source, target = _requested_path(request, "file"), _requested_path(request, "dest")
    if not source.is_file():
        raise refusal(404, "there is no such file")
    _check_parents(target)
    replace = is_true(request.query.get("overwrite"))
    versions = request.app[SERVICES].versions
    async with versions.lock:
        if replace and not _is_same(source, target):
            await _store_version(request, "dest", target, "replaced")
        if not await asyncio.to_thread(rename, source, target, replace=replace):
            raise refusal(409, "a file of that name is there; say overwrite=true to replace it")
        await versions.follow(request.match_info["file"], request.match_info["dest"])
        await _store_version(request, "dest", target, "save")
    return _answer(request, request.match_info["dest"], target)


def _is_same(source: Path, target: Path) -> bool:
    return target.exists() and source.samefile(target)


def _answer(request: web.Request, name: str, path: Path) -> web.Response:
    full = is_true(request.query.get("full_info"))
    return answer(_info(name, path) if full else name)


def _requested_path(request: web.Request, part: str) -> Path:
    services = request.app[SERVICES]
    path = _path(services, request.match_info[part])
    if path.is_dir() or path == services.settings.user_directory / WORKFLOWS:
        raise refusal(400, "this is the name of a folder")
    return path


def _path(services: Services, name: str) -> Path:
    """The path of a file of that name: workflows in one folder, the rest in another.

    Raises:
        RefusalError: 400, the name is invalid; 403, it leads out of the folder.
    """
    user = services.settings.user_directory
    first = name.strip("/").partition("/")[0]
    try:
        found = resolve(user if first == WORKFLOWS else user / _OTHERS, name)
    except BadNameError as error:
        leads_out = ".." in name or name.startswith("/")
        raise refusal(403 if leads_out else 400, str(error)) from error
    if found in (user, user / _OTHERS):
        raise refusal(400, "name a file or a folder")
    return found


def _check_parents(path: Path) -> None:
    """A folder that is to be made must not be a file."""
    if any(parent.is_file() for parent in path.parents):
        raise refusal(400, "a part of the name is a file, not a folder")


def _files(folder: Path, *, recurse: bool) -> Iterator[Path]:
    for path in _entries(folder):
        if path.is_dir():
            if recurse:
                yield from _files(path, recurse=True)
        else:
            yield path


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and is_sendable(path.name)
        and (path.is_dir() or path.is_file())
    )


def _info(name: str, path: Path) -> dict[str, Any]:
    try:
        stat = path.stat()
    except OSError as error:
        raise FilesError(f"{name}: cannot be read") from error
    times = {"modified": round(stat.st_mtime * 1000), "created": round(stat.st_ctime * 1000)}
    return {"path": name, "size": stat.st_size, **times}


def _entry(name: str, path: Path) -> dict[str, Any]:
    if path.is_dir():
        return {"name": path.name, "path": name, "type": "directory"}
    info = _info(name, path)
    return {
        "name": path.name,
        "path": name,
        "type": "file",
        "size": info["size"],
        "modified": info["modified"],
    }
