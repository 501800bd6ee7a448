"""The packs: how each was loaded, and what the user decides on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from engine.packs.environments import EnvironmentFailedError, clashes, environment_of
from engine.packs.found import Pack, find_packs, wanted_packs
from engine.packs.plan import forget_fault
from engine.packs.preferences import PackPreferences, read_preferences, write_preferences
from engine.server.answers import answer, empty_answer, read_object, refusal
from engine.server.services import SERVICES, Services
from engine.wire.pack_messages import DISABLED, PackReport

LOADING, NEW = "loading", "new"
"""States before a report: it is imported now or soon; it lies there since the last start."""


async def get_packs(request: web.Request) -> web.Response:
    """All packs on disk."""
    services = request.app[SERVICES]
    return answer(await asyncio.to_thread(_described, services))


async def post_pack(request: web.Request) -> web.Response:
    """Switch a pack on or off (`enabled`), isolate it (`isolated`), or deny it the network.

    For a pack that is isolated, its environment is made first. The packs are then loaded anew, in a
    fresh worker, as soon as nothing runs.
    """
    services, name = request.app[SERVICES], request.match_info["name"]
    asked = await read_object(request)
    if not asked or not all(_is_change(key, value) for key, value in asked.items()):
        raise refusal(
            400, "expected enabled, isolated or network, each true or false, or memory in bytes"
        )
    pack = await asyncio.to_thread(_find, services, name)
    if asked.get("enabled") and pack.is_disabled:
        raise refusal(
            409, f"{pack.path.name} is switched off by its name; rename it to {pack.name}"
        )
    if asked.get("isolated"):
        await _make_environment(services, pack)
    await asyncio.to_thread(_store, services, name, asked)
    if asked.get("enabled") or "isolated" in asked:
        await _forgive(services, name)
    services.workers.reload_packs()
    return empty_answer()


async def get_environment(request: web.Request) -> web.Response:
    """What isolating a pack would install, and why that may help; installs nothing."""
    services, name = request.app[SERVICES], request.match_info["name"]
    pack = await asyncio.to_thread(_find, services, name)
    found = await asyncio.to_thread(environment_of, services.settings, pack)
    return answer(
        {
            "is_made": found.is_made,
            "wanted": found.wanted,
            "present": found.present,
            "left_out": found.left_out,
        }
    )


async def post_reload(request: web.Request) -> web.Response:
    """Load all packs anew as soon as nothing runs.

    Those that took a worker down stay out until their files change or they are switched on.
    """
    services = request.app[SERVICES]
    services.workers.reload_packs()
    return empty_answer()


async def post_choose(request: web.Request) -> web.Response:
    """Of a `class` that several packs have, choose the `pack` whose class has the plain name."""
    services = request.app[SERVICES]
    asked = await read_object(request)
    class_type, pack = asked.get("class"), asked.get("pack")
    if not isinstance(class_type, str) or not isinstance(pack, str):
        raise refusal(400, "expected the names of a class and of a pack")
    claims = services.packs.told.claims.get(class_type, ())
    if pack not in claims:
        found = ", ".join(claims) or "no pack that another one disputes it with"
        raise refusal(404, f"{pack} has no such class to choose: {class_type} is of {found}")

    def store() -> None:
        preferences = read_preferences(services.settings)
        write_preferences(services.settings, preferences.choosing(class_type, pack))

    await asyncio.to_thread(store)
    services.workers.reload_packs()
    return empty_answer()


async def _forgive(services: Services, name: str) -> None:
    services.packs.forgive(name)
    await asyncio.to_thread(forget_fault, services.settings, name)


def _find(services: Services, name: str) -> Pack:
    found = next((each for each in find_packs(services.settings) if each.name == name), None)
    if found is None:
        raise refusal(404, f"there is no pack {name!r} in custom_nodes/")
    return found


def _is_change(key: str, value: object) -> bool:
    if key == "memory":
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    return key in {"enabled", "isolated", "network"} and isinstance(value, bool)


async def _make_environment(services: Services, pack: Pack) -> None:
    """Make the environment of a pack, which may take minutes.

    Raises:
        RefusalError: 409, it cannot be made.
    """
    environment = environment_of(services.settings, pack)
    try:
        await asyncio.to_thread(environment.make)
    except EnvironmentFailedError as error:
        raise refusal(409, str(error)) from error


def _store(services: Services, name: str, asked: Mapping[str, Any]) -> None:
    stored = read_preferences(services.settings)
    if "enabled" in asked:
        stored = stored.enabled(name, is_on=asked["enabled"])
    if {"isolated", "network", "memory"} & asked.keys():
        stored = stored.isolating(
            name,
            is_on=asked.get("isolated", name in stored.isolated),
            has_network=asked.get("network"),
            memory=asked.get("memory"),
        )
    write_preferences(services.settings, stored)


def _described(services: Services) -> list[dict[str, Any]]:
    watch, stored = services.packs, read_preferences(services.settings)
    wanted = {each.name for each in wanted_packs(services.settings)}
    told = {each.name: each for each in watch.told.reports}
    is_ready = watch.ready.is_set()
    reports = {**({} if is_ready else told), **watch.reports}
    claims = watch.told.claims
    found: list[dict[str, Any]] = []
    for pack in find_packs(services.settings):
        report = reports.get(pack.name) or PackReport(pack.name, pack.version)
        enabled = pack.name in wanted and pack.name not in stored.disabled
        is_pending = not is_ready and pack.name not in watch.reports
        state = report.state
        if not enabled:
            state = DISABLED
        elif is_pending:
            state = LOADING
        elif pack.name not in reports:
            state = NEW
        entry = _entry(pack, report, stored, state, enabled=enabled, claims=claims)
        found.append({**entry, "memory_used": services.served.memory_of(pack.name)})
    return found


def _entry(
    pack: Pack,
    report: PackReport,
    stored: PackPreferences,
    state: str,
    *,
    enabled: bool,
    claims: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    return {
        "name": pack.name,
        "display_name": pack.display_name,
        "path": str(pack.path),
        "version": report.version or pack.version,
        "state": state,
        "seconds": report.seconds,
        "nodes": report.nodes if enabled else (),
        "error": report.error if enabled else "",
        "traceback": report.traceback,
        "install": report.install,
        "warnings": report.warnings,
        "left_out": report.left_out,
        "enabled": enabled,
        "isolated": pack.name in stored.isolated,
        "network": pack.name not in stored.offline,
        "memory": stored.memory.get(pack.name, 0),
        "clashes": () if pack.name in stored.isolated else clashes(pack),
        "claims": {name: packs for name, packs in claims.items() if pack.name in packs},
    }
