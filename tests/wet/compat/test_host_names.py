"""Every name of the host that public packs use can be imported, and called as they call it.

`host_names.json` lists the names of 69 packs: whether they touch one while they load, whether they
then use it (call, subscript, iterate), and the shapes of their calls: `(2, overlap=)` for two
arguments by position and one by name.
"""

import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.compat.install import install_facade
from engine.compat.placeholders import PlaceholderType, known_names

NAMES = json.loads((Path(__file__).parent / "host_names.json").read_text(encoding="utf-8"))
INSTANCE = "()"
UNFIT = {
    "comfy.ldm.modules.attention.optimized_attention": "`num_heads` of one pack stands for `heads`",
}
"""Names whose signature differs from what plugins call, and why."""


@pytest.fixture(autouse=True)
def _facade():
    install_facade()


def rows() -> Iterator[tuple[str, dict[str, Any]]]:
    for module, names in NAMES.items():
        for row in names:
            yield module, row


def resolve(module: str, name: str) -> Any:
    """What a plugin gets by that name; of `X().y`, the function `y` of the class X."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part.removesuffix(INSTANCE))
    return found


def test_every_module_can_be_imported():
    failed = {}
    for module in {*NAMES, *known_names()}:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - whatever a module raises
            failed[module] = repr(error)
    assert failed == {}


def test_every_name_is_there():
    missing = []
    for module, row in rows():
        if INSTANCE in row["name"]:
            continue
        try:
            resolve(module, row["name"])
        except AttributeError:
            missing.append(f"{module}.{row['name']}")
    assert missing == []


def test_what_plugins_use_while_they_load_is_no_placeholder():
    used = [(module, row["name"]) for module, row in rows() if row.get("used")]
    inert = []
    for module, name in used:
        try:
            if isinstance(resolve(module, name), PlaceholderType):
                inert.append(f"{module}.{name}")
        except AttributeError:
            continue  # the test above
    assert inert == []


def test_calls_fit_the_signatures():
    unfit = []
    for module, row in rows():
        try:
            found = resolve(module, row["name"])
        except AttributeError:
            continue
        if isinstance(found, PlaceholderType) or not callable(found):
            continue
        is_method = INSTANCE in row["name"]
        for shape in row.get("calls", ()):
            said = misfit(found, shape, is_method=is_method)
            unfit += [f"{module}.{row['name']}{shape}: {said}"] if said else []
    assert [each for each in unfit if each.split("(")[0] not in UNFIT] == []


def misfit(function: Any, shape: str, *, is_method: bool) -> str:
    """Why a call of that shape does not bind; empty if it does."""
    parts = [each.strip() for each in shape.strip("()").split(",") if each.strip()]
    count = sum(int(each) for each in parts if each.isdigit())
    named = {each[:-1]: None for each in parts if each.endswith("=")}
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    is_static = inspect.ismethod(function) or isinstance(function, type)
    given = [None] * (count + (1 if is_method and not is_static else 0))
    bind = signature.bind_partial if "*" in shape else signature.bind
    try:
        bind(*given, **named)
    except TypeError as error:
        return str(error)
    return ""
