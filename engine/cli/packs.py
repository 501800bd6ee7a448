"""`packs`: lists what lies in `custom_nodes/`, switches and isolates it. No pack is executed here.

A server that uses the same user directory is told over its HTTP API.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.cli.pack_check import check_packs
from engine.cli.pack_install import add_install_action, install_pack
from engine.cli.pack_isolate import isolate_pack, share_pack
from engine.cli.report import DONE, FAILED
from engine.errors import CalotypeError
from engine.packs.found import Pack, find_packs, wanted_packs
from engine.packs.plan import find_pack, forget_fault, make_plan
from engine.packs.preferences import read_preferences, write_preferences
from engine.packs.records import read_last_start
from engine.settings import Settings, add_flags, add_pack_flags
from engine.wire.pack_messages import CRASHED, HUNG, ISOLATED, PackReport

_SECONDS = 10.0
_HOLDER = re.compile(r"process (\d+), port (\d+)")
NOT_LOADED_YET = "new"
_NAME_HELP = "of its folder in custom_nodes/, or of its file"


def add_packs_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line `packs list|check|install|enable|disable|isolate|share|reload`."""
    packs = commands.add_parser(
        "packs",
        help="list plugins, switch them on and off, load them anew",
        description="List plugins, switch them on and off, load them anew.",
    )
    actions = packs.add_subparsers(dest="action", required=True, metavar="ACTION")
    texts: Mapping[str, str] = {
        "list": "every plugin: state, version, nodes, seconds at the last start",
        "enable": "switch a plugin on; one that crashed or hung is tried again",
        "disable": "switch a plugin off",
        "share": "have an isolated plugin run in the worker again",
        "reload": "have a running server load all plugins anew",
    }
    check = actions.add_parser(
        "check",
        help="say whether plugins would load here, by reading them; nothing of them is executed",
        description="Read plugins without executing them: would they load here, what is missing?",
        epilog="exit codes: 0 all would load, 1 some would not, or a path holds no plugin",
    )
    check.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="a plugin, or a folder of plugins"
    )
    check.add_argument("--json", dest="as_json", action="store_true", help="as JSON")
    add_install_action(actions)
    _add_isolate(actions)
    for name, text in texts.items():
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name in {"enable", "disable", "share"}:
            action.add_argument("name", help=_NAME_HELP)
        if name == "list":
            action.add_argument("--json", dest="as_json", action="store_true", help="as JSON")
        add_flags(action)
        add_pack_flags(action)


def _add_isolate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    isolate = actions.add_parser(
        "isolate",
        help="run a plugin in a process and an environment of its own, after a question",
        description=(
            "Make an environment for a plugin, install what it requires and is not here, and run "
            "it in a process of its own. What is installed is shown before."
        ),
    )
    isolate.add_argument("name", help=_NAME_HELP)
    isolate.add_argument("--undo", action="store_true", help="as `packs share`")
    isolate.add_argument("--yes", action="store_true", help="do not ask")
    isolate.add_argument(
        "--no-network", action="store_true", help="deny it the network (Linux); else it is not run"
    )
    isolate.add_argument(
        "--memory", metavar="SIZE", help="what it may take: 4GB (default: most of what is free)"
    )
    add_flags(isolate)
    add_pack_flags(isolate)


def run_packs(flags: argparse.Namespace, settings: Settings) -> int:
    """Run one of the actions; returns the exit code."""
    actions: Mapping[str, Callable[[], None]] = {
        "list": lambda: _list(settings, as_json=getattr(flags, "as_json", False)),
        "enable": lambda: _switch(settings, flags.name, is_on=True),
        "disable": lambda: _switch(settings, flags.name, is_on=False),
        "reload": lambda: _reload(settings),
    }
    try:
        if flags.action == "check":
            return check_packs(flags.folders, as_json=flags.as_json)
        if flags.action == "install":
            return install_pack(flags, settings)
        if flags.action == "share" or (flags.action == "isolate" and flags.undo):
            return share_pack(settings, _find(settings, flags.name), partial(_change, settings))
        if flags.action == "isolate":
            return isolate_pack(
                settings,
                _find(settings, flags.name),
                partial(_change, settings),
                yes=flags.yes,
                has_network=not flags.no_network,
                memory=flags.memory,
            )
        actions[flags.action]()
    except CalotypeError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return DONE


def _list(settings: Settings, *, as_json: bool) -> None:
    reports = described(settings)
    if as_json:
        plain = [{name: getattr(each, name) for name in each.__struct_fields__} for each in reports]
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
        return
    decided = read_preferences(settings)
    for each in reports:
        about = [each.state]
        is_new = each.state != ISOLATED and each.name in decided.isolated
        about += ["isolated"] if is_new else []
        about += ["without network"] if each.name in decided.offline else []
        about += [f"version {each.version}"] if each.version else []
        about += [f"{len(each.nodes)} nodes, {each.seconds:.1f} s"] if each.nodes else []
        sys.stdout.write(f"{each.name}: {', '.join(about)}\n")
        helps = each.state in {CRASHED, HUNG}
        details = (
            each.error,
            each.install and f"to install what it needs: {each.install}",
            helps and f"a process of its own may help: python main.py packs isolate {each.name}",
        )
        missing = [f"the class {name} is left out: {why}" for name, why in each.left_out.items()]
        for line in (*filter(None, details), *missing, *each.warnings):
            sys.stdout.write(f"    {line}\n")
    if not reports:
        folders = ", ".join(map(str, settings.custom_nodes_directories))
        sys.stdout.write(f"There are no plugins in {folders}\n")


def described(settings: Settings) -> list[PackReport]:
    """Every pack on disk: what the next start leaves out and why, else what the last one told."""
    told = {each.name: each for each in read_last_start(settings).reports}
    skipped = make_plan(settings).skipped
    wanted = {pack.name for pack in wanted_packs(settings)}

    def describe(pack: Pack) -> PackReport:
        if pack.name not in wanted:
            why = "its name ends in .disabled" if pack.is_disabled else "a flag leaves it out"
            return PackReport(pack.name, pack.version, state="disabled", error=why)
        new = PackReport(pack.name, pack.version, state=NOT_LOADED_YET)
        return skipped.get(pack.name) or told.get(pack.name) or new

    return [describe(pack) for pack in find_packs(settings)]


def _switch(settings: Settings, name: str, *, is_on: bool) -> None:
    pack = _find(settings, name)
    if is_on and pack.is_disabled:
        raise CalotypeError(
            f"{pack.path} is switched off by its name: rename it to "
            f"{pack.path.name.removesuffix('.disabled')}"
        )
    if _change(settings, pack, {"enabled": is_on}):
        sys.stdout.write(f"{pack.name} is switched {'on' if is_on else 'off'}; packs load anew\n")
        return
    write_preferences(settings, read_preferences(settings).enabled(pack.name, is_on=is_on))
    if is_on:
        forget_fault(settings, pack.name)
    sys.stdout.write(f"{pack.name} is switched {'on' if is_on else 'off'} from the next start\n")


def _find(settings: Settings, name: str) -> Pack:
    pack = find_pack(settings, name.removesuffix(".py"))
    if pack is None:
        known = ", ".join(each.name for each in find_packs(settings)) or "there are none"
        raise CalotypeError(f"there is no plugin {name!r}; found: {known}")
    return pack


def _change(settings: Settings, pack: Pack, change: Mapping[str, Any]) -> bool:
    """Have a running server change a pack; False where none runs."""
    return _tell_server(settings, f"/calotype/packs/{quote(pack.name, safe='')}", change)


def _reload(settings: Settings) -> None:
    if _tell_server(settings, "/calotype/packs/reload", {}):
        sys.stdout.write("The server loads its packs anew as soon as nothing runs\n")
        return
    sys.stdout.write("No server runs with this user directory; its next start loads all packs\n")


def _tell_server(settings: Settings, path: str, body: Mapping[str, Any]) -> bool:
    """Send a request to the server of this user directory; False where none runs.

    Raises:
        CalotypeError: it cannot be reached from here, or it refused.
    """
    port = _port(settings.user_directory)
    if port is None:
        return False
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    headers = {"Content-Type": "application/json", **_token(settings.user_directory)}
    try:
        connection.request("POST", path, json.dumps(body), headers)
        found = connection.getresponse()
        text = found.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise CalotypeError(
            f"a server runs at port {port}, but does not answer at http://127.0.0.1:{port}: "
            f"{error}; use the Packs panel of the editor"
        ) from error
    finally:
        connection.close()
    if found.status >= 400:
        raise CalotypeError(f"the server at port {port} refused ({found.status}): {_reason(text)}")
    return True


def _port(user: Path) -> int | None:
    """The port of the server that holds the lock of this user directory."""
    try:
        held = _HOLDER.search((user / ".lock").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None
    return int(held[2]) if held and _is_alive(int(held[1])) else None


def _is_alive(pid: int) -> bool:
    import psutil  # noqa: PLC0415 - slow to import

    return pid != os.getpid() and psutil.pid_exists(pid)


def _token(user: Path) -> dict[str, str]:
    try:
        token = (user / "token").read_text(encoding="utf-8").strip()
    except OSError:
        return {}
    return {"Authorization": f"Bearer {token}"} if token else {}


def _reason(text: str) -> str:
    try:
        found: Any = json.loads(text)
    except ValueError:
        return text[:200]
    error = found.get("error", found) if isinstance(found, dict) else found
    return str(error.get("message", error) if isinstance(error, dict) else error)
