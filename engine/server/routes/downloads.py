"""Downloads of models, and the hosts that may be asked for them. Only the user begins any."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
from aiohttp import web

from engine.downloads.addresses import AddressError
from engine.downloads.asking import HostNeededError
from engine.downloads.look_up import look_up
from engine.downloads.manager import NotNowError
from engine.downloads.needs import model_json
from engine.downloads.targets import plan_target
from engine.downloads.tokenizers import tokenizer_needs
from engine.errors import CalotypeError, DiskError, FilesError
from engine.server.answers import RefusalError, answer, read_object, refusal
from engine.server.download_news import download_state
from engine.server.services import SERVICES

_LOOK_SECONDS = 20.0
_SHA256_DIGITS = 64


async def get_downloads(request: web.Request) -> web.Response:
    """All downloads, the oldest first, the allowed hosts, and tokenizers that can be fetched."""
    services = request.app[SERVICES]
    downloads, files, settings = services.downloads, services.files, services.settings
    tokenizers = await asyncio.to_thread(
        lambda: [model_json(each, files, settings) for each in tokenizer_needs(files)]
    )
    return answer(
        {
            "downloads": [msgspec.to_builtins(download_state(each)) for each in downloads.list()],
            "hosts": msgspec.to_builtins(downloads.hosts.list()),
            "tokenizers": tokenizers,
        }
    )


async def post_download(request: web.Request) -> web.Response:
    """Queue a download; the same one again goes on."""
    services = request.app[SERVICES]
    asked = await read_object(request)
    name, kind, url = (_text(asked.get(each), each) for each in ("name", "kind", "url"))
    sha256 = asked.get("sha256")
    if sha256 is not None and not _is_sha256(sha256):
        raise refusal(400, "sha256 should be 64 hexadecimal digits")
    named = asked.get("license")
    try:
        target = await asyncio.to_thread(plan_target, kind, name, services.files, services.settings)
        found = await services.downloads.add(
            url,
            target,
            sha256=None if sha256 is None else sha256.lower(),
            license=named if isinstance(named, str) and len(named) <= 200 else None,
            confirmed=asked.get("confirmed") is True,
        )
    except (AddressError, FilesError, NotNowError) as error:
        raise _refused(error) from error
    return answer(msgspec.to_builtins(download_state(found)))


async def post_action(request: web.Request) -> web.Response:
    """Pause, resume or cancel a download; cancelling a finished one only removes it here."""
    downloads = request.app[SERVICES].downloads
    download_id = request.match_info["id"]
    action = (await read_object(request)).get("action")
    try:
        if action == "pause":
            found = await downloads.pause(download_id)
        elif action == "resume":
            found = await downloads.resume(download_id)
        elif action == "cancel":
            await downloads.cancel(download_id)
            return answer({})
        else:
            raise refusal(400, "action should be pause, resume or cancel")
    except (NotNowError, FilesError) as error:
        raise _refused(error) from error
    return answer(msgspec.to_builtins(download_state(found)))


async def post_hosts(request: web.Request) -> web.Response:
    """Allow a host from now on, or ask for it again."""
    downloads = request.app[SERVICES].downloads
    asked = await read_object(request)
    host = _text(asked.get("host"), "host")
    try:
        if asked.get("allowed", True) is False:
            await asyncio.to_thread(downloads.hosts.forbid, host)
        else:
            await downloads.allow(host, private=asked.get("private") is True)
    except (AddressError, FilesError) as error:
        raise _refused(error) from error
    return answer({"hosts": msgspec.to_builtins(downloads.hosts.list())})


async def post_look(request: web.Request) -> web.Response:
    """What the host of a file says of it: size, hash, licence."""
    downloads = request.app[SERVICES].downloads
    url = _text((await read_object(request)).get("url"), "url")
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            facts = await look_up(downloads.session, url, downloads.hosts)
    except HostNeededError as error:
        raise RefusalError(409, {"error": str(error), "asks_host": error.host}) from error
    except AddressError as error:
        raise refusal(400, str(error)) from error
    except (CalotypeError, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise refusal(
            502, f"the host cannot be asked now: {error or 'it did not answer'}"
        ) from error
    return answer(msgspec.to_builtins(facts))


def _text(given: object, name: str) -> str:
    if not isinstance(given, str) or not given:
        raise refusal(400, f"{name} should be a text")
    return given


def _is_sha256(given: object) -> bool:
    digits = set("0123456789abcdefABCDEF")
    return isinstance(given, str) and len(given) == _SHA256_DIGITS and set(given) <= digits


def _refused(error: CalotypeError) -> RefusalError:
    if isinstance(error, DiskError):
        return refusal(507 if error.full else 503, str(error))
    return refusal(409 if isinstance(error, NotNowError) else 400, str(error))
