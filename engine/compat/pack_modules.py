"""Executes a pack: its `prestartup_script.py`, its module, its entry point."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.packs.found import Pack

PRESTARTUP = "prestartup_script.py"


def module_key(pack: Pack) -> str:
    """The name of a pack's module: its path, in which a dot would mean a submodule."""
    path = pack.path.with_suffix("") if pack.is_file else pack.path
    return str(path).replace(".", "_x_")


def run_prestartup(pack: Pack) -> bool:
    """Run the script that a pack wants run before any pack is imported; False: it has none.

    Whatever it raises passes through.
    """
    script = pack.path / PRESTARTUP
    if pack.is_file or not script.is_file():
        return False
    _execute(str(script.with_suffix("")).replace(".", "_x_"), script, None)
    return True


def show_custom_nodes(folders: Sequence[Path]) -> None:
    """Let packs import each other and themselves as `custom_nodes.NAME`, from these folders."""
    module = sys.modules.get("custom_nodes")
    if module is None:
        module = sys.modules["custom_nodes"] = ModuleType("custom_nodes")
    module.__path__ = [str(each) for each in folders]


def import_pack(pack: Pack) -> ModuleType:
    """Execute a pack's module. Whatever it raises passes through; then nothing of it remains."""
    key = module_key(pack)
    search = None if pack.is_file else [str(pack.path)]
    try:
        return _execute(key, pack.entry, search)
    except BaseException:
        for name in [name for name in sys.modules if name == key or name.startswith(f"{key}.")]:
            del sys.modules[name]
        raise


@contextmanager
def libraries_kept(pack: Pack) -> Generator[None]:
    """Put modules of others back that a pack imports and then removes from `sys.modules`.

    Some packs remove all that their import has added. A library that is then imported again
    registers its operators again, which torch refuses.
    """
    imports = _CompletedImports()
    sys.meta_path.insert(0, imports)
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.meta_path.remove(imports)
        imports.find_completed()
        for name, module in imports.completed.items():
            file = getattr(module, "__file__", None)
            if file is None or not Path(file).is_relative_to(pack.path):
                sys.modules.setdefault(name, module)


class _CompletedImports(MetaPathFinder):
    """Finds nothing, and notes which modules have been imported to their end."""

    def __init__(self) -> None:
        self.completed: dict[str, ModuleType] = {}
        self._pending: list[str] = []

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Note a name that is about to be imported."""
        del path, target
        self.find_completed()
        self._pending.append(fullname)

    def find_completed(self) -> None:
        """Hold the modules whose import has ended since."""
        pending, self._pending = self._pending, []
        for name in pending:
            module = sys.modules.get(name)
            if module is None or getattr(module.__spec__, "_initializing", False):
                self._pending.append(name)
            else:
                self.completed[name] = module


def _execute(key: str, path: Path, search: list[str] | None) -> ModuleType:
    spec = importlib.util.spec_from_file_location(key, path, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[key] = module
    spec.loader.exec_module(module)
    return module


def entry_point_nodes(entry_point: Callable[[], Any]) -> list[Any]:
    """The V3 classes of `comfy_entrypoint`: it is called, its `on_load`, its `get_node_list`.

    Each of the three may be a coroutine. Whatever they raise passes through.

    Raises:
        TypeError: it gives no extension, or no list.
    """

    async def ask() -> list[Any]:
        extension = await _awaited(entry_point())
        if not hasattr(extension, "get_node_list"):
            kind = type(extension).__name__
            raise TypeError(f"comfy_entrypoint returned a {kind}; expected a ComfyExtension")
        if hasattr(extension, "on_load"):
            await _awaited(extension.on_load())
        found = await _awaited(extension.get_node_list())
        if not isinstance(found, list | tuple):
            kind = type(found).__name__
            raise TypeError(f"get_node_list returned a {kind}; expected a list of classes")
        return [*found]

    return event_loop().run_until_complete(ask())


def event_loop() -> asyncio.AbstractEventLoop:
    """The loop that this thread has while packs load: they may ask for it."""
    global _loop  # noqa: PLW0603 - a thread has one event loop, as asyncio has it
    if _loop is None or _loop.is_closed():
        _loop = asyncio.new_event_loop()
    asyncio.set_event_loop(_loop)
    return _loop


_loop: asyncio.AbstractEventLoop | None = None


async def _awaited(found: Any) -> Any:
    return await found if inspect.isawaitable(found) else found
