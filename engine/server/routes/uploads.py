"""Uploads: streamed, limited, and replacing another file only on request.

Pictures are decoded by the helper process.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import BodyPartReader, web

from engine.atomic import flush, make_folder, publish, refusals, write_atomically
from engine.errors import MediaError
from engine.paths import BadNameError, file_name, resolve
from engine.server.answers import answer, is_true, refusal, too_large
from engine.server.routes.media import find, place_folder
from engine.server.services import SERVICES, Services
from engine.wire.messages import PutMask

MOST_FIELD = 64 << 10
MOST_FIELDS = 1 << 20
"""Bytes of all fields of a form together, names included; they are held in memory."""
MOST_PARTS = 100
_MOST_NUMBER = 10_000


@dataclass(slots=True)
class _Form:
    """A form that was read: its fields, and its file under a temporary name.

    Attributes:
        field_bytes: total size of the fields.
        parts: how many parts there were.
    """

    fields: dict[str, str] = field(default_factory=dict[str, str])
    field_bytes: int = 0
    parts: int = 0
    name: str = ""
    part: Path | None = None


async def post_image(request: web.Request) -> web.Response:
    """Store an uploaded file of any type."""
    services = request.app[SERVICES]
    form = await _read(request, services)
    try:
        part, folder = _checked(form, services)
        name = await asyncio.to_thread(
            _store, part, folder, form.name, overwrite=is_true(form.fields.get("overwrite"))
        )
    finally:
        if form.part is not None:
            form.part.unlink(missing_ok=True)
    return answer(_file_json(form, name))


async def post_mask(request: web.Request) -> web.Response:
    """Apply the transparency of an upload to a stored picture, and store the result."""
    services = request.app[SERVICES]
    form = await _read(request, services)
    try:
        part, folder = _checked(form, services)
        original = _original(form, services)
        try:
            content = await services.media.ask(PutMask(0, str(original), str(part)))
        except MediaError as error:
            raise refusal(422, str(error)) from error
        await asyncio.to_thread(write_atomically, part, content)
        name = await asyncio.to_thread(
            _store, part, folder, form.name, overwrite=is_true(form.fields.get("overwrite"))
        )
    finally:
        if form.part is not None:
            form.part.unlink(missing_ok=True)
    return answer(_file_json(form, name))


def _file_json(form: _Form, name: str) -> dict[str, str]:
    return {
        "name": name,
        "subfolder": form.fields.get("subfolder", ""),
        "type": form.fields.get("type") or "input",
    }


async def _read(request: web.Request, services: Services) -> _Form:
    """Read a multipart form, its file straight to disk.

    Raises:
        RefusalError: 400, it is none; 413, it is too large.
    """
    if (request.content_length or 0) > services.most_upload:
        raise too_large(services.most_upload)
    if not request.content_type.startswith("multipart/"):
        raise refusal(400, "send the file as multipart/form-data, in a field called image")
    form = _Form()
    try:
        async for part in await request.multipart():
            form.parts += 1
            if form.parts > MOST_PARTS:
                raise refusal(413, f"a form has at most {MOST_PARTS} fields")
            if not isinstance(part, BodyPartReader):
                continue
            if part.name == "image" and part.filename is not None and form.part is None:
                form.name = part.filename
                form.part = await asyncio.to_thread(_temporary, services)
                await _receive(part, form.part, services.most_upload)
            elif part.name is not None:
                form.fields[part.name] = await _field(form, part)
    except (ValueError, AssertionError, RuntimeError) as error:
        _discard(form)
        raise refusal(400, "the form cannot be read") from error
    except BaseException:
        _discard(form)
        raise
    return form


def _discard(form: _Form) -> None:
    if form.part is not None:
        form.part.unlink(missing_ok=True)


def _temporary(services: Services) -> Path:
    # In the input folder's own file system, so that it can be renamed atomically.
    folder = services.settings.input_directory
    with refusals(folder.name):
        make_folder(folder)
    return folder / f".upload-{secrets.token_hex(8)}.part"


async def _receive(part: BodyPartReader, path: Path, most: int) -> None:
    size = 0
    with refusals(path.name):
        stream = path.open("xb")
    with stream:
        while chunk := await part.read_chunk(1 << 18):
            size += len(chunk)
            if size > most:
                raise too_large(most)
            with refusals(part.filename or path.name):
                await asyncio.to_thread(stream.write, chunk)
        with refusals(part.filename or path.name):
            await asyncio.to_thread(flush, stream)


async def _field(form: _Form, part: BodyPartReader) -> str:
    """The text of a field.

    Raises:
        RefusalError: 413, it is too large, or all of them are.
    """
    content = bytearray()
    form.field_bytes += len(part.name or "")
    while chunk := await part.read_chunk(1 << 14):
        content += chunk
        form.field_bytes += len(chunk)
        if len(content) > MOST_FIELD:
            raise refusal(413, f"a field of a form has at most {MOST_FIELD >> 10} kB")
        if form.field_bytes > MOST_FIELDS:
            raise refusal(413, f"the fields of a form have at most {MOST_FIELDS >> 20} MB together")
    return content.decode("utf-8", "replace")


def _checked(form: _Form, services: Services) -> tuple[Path, Path]:
    """The uploaded file, and its target folder.

    Raises:
        RefusalError: 400, no file came, or a name leads out of its folder.
    """
    if form.part is None or not form.name:
        raise refusal(400, "no file came; send it in a field called image")
    folder = place_folder(services, form.fields.get("type") or "input")
    try:
        file_name(form.name)
        if form.name.startswith("."):
            raise BadNameError("the name of a file begins with no dot")
        return form.part, resolve(folder, form.fields.get("subfolder", ""))
    except BadNameError as error:
        raise refusal(400, str(error)) from error


def _original(form: _Form, services: Services) -> Path:
    try:
        given: Mapping[str, Any] = msgspec.json.decode(
            form.fields.get("original_ref", ""), type=dict[str, Any]
        )
    except (msgspec.MsgspecError, RecursionError) as error:
        raise refusal(400, "original_ref should be a JSON object with a filename") from error
    name, place, subfolder = (
        given.get(key) or default
        for key, default in (("filename", ""), ("type", "output"), ("subfolder", ""))
    )
    return find(services, str(name), str(place), str(subfolder))


def _store(part: Path, folder: Path, name: str, *, overwrite: bool) -> str:
    """Give an upload its name: that of an identical file, or an unused one.

    Raises:
        RefusalError: 400, no name is free.
        DiskError: the disk refused.
    """
    target = folder / name
    with refusals(name):
        make_folder(folder)
        for number in range(1, _MOST_NUMBER):
            if target.is_file() and not overwrite and _same(part, target):
                return target.name
            if not target.is_dir() and publish(part, target, replace=overwrite):
                return target.name
            target = folder / f"{Path(name).stem} ({number}){Path(name).suffix}"
    raise refusal(400, "too many files have that name; choose another")


def _same(first: Path, second: Path) -> bool:
    if first.stat().st_size != second.stat().st_size:
        return False
    digests: list[str] = []
    for path in (first, second):
        with path.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return digests[0] == digests[1]
