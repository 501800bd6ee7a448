"""What worker and server tell each other of packs: folders of plugins in `custom_nodes/`.

Plain values; `messages.py` adds them to the unions.
"""

from __future__ import annotations

import msgspec

from engine.wire.message import Message

LOADED, FAILED, CRASHED, HUNG = "loaded", "failed", "crashed", "hung"
DISABLED, ISOLATED = "disabled", "isolated"


class FolderChange(msgspec.Struct, frozen=True):
    """The folders of one kind of files as packs have left them.

    Attributes:
        paths: folders, in the order they are searched.
        extensions: of the files that count, lower case with a dot; none: every file counts.
    """

    paths: tuple[str, ...]
    extensions: tuple[str, ...]


class PackReport(msgspec.Struct, frozen=True):
    """How the load of one pack ended.

    Attributes:
        name: of its folder, or of its file without `.py`.
        version: as its `pyproject.toml` says.
        seconds: its import took, with its `prestartup_script.py`.
        nodes: the classes it brought, by the names it gave them.
        state: `loaded`, `failed`, `crashed`, `hung`, `disabled`, or `isolated` where it is loaded
            in a process of its own.
        error: why it is not loaded, in one sentence.
        traceback: the lines of the exception.
        install: the one command that would install what is missing, or an empty text.
        web: folders of its browser files: name in the URL to path.
        left_out: its classes that cannot be described, and why.
        warnings: sentences on what it did that has no effect here.
    """

    name: str
    version: str = ""
    seconds: float = 0.0
    nodes: tuple[str, ...] = ()
    state: str = LOADED
    error: str = ""
    traceback: tuple[str, ...] = ()
    install: str = ""
    web: dict[str, str] = {}
    left_out: dict[str, str] = {}
    warnings: tuple[str, ...] = ()


class PackLoading(Message, frozen=True):
    """A pack is imported next: if the worker dies or hangs now, this one is to blame."""

    name: str


class PackLoaded(Message, frozen=True):
    """A pack was imported, or was not, and why."""

    report: PackReport


class PacksReady(Message, frozen=True):
    """All packs have loaded, or their nodes were described again.

    Attributes:
        catalog: the schemas of their classes, as `engine.graph.catalog_file` writes them.
        folders: what packs have changed in the folders of files, by kind.
        claims: classes that several packs have, and these packs; the first is the plain name's.
        routes: the address of the worker's own HTTP server, or an empty text.
        route_paths: method and path of each route that packs have added.
        handles_prompts: whether a pack has asked to change prompts before they are checked.
    """

    catalog: bytes
    folders: dict[str, FolderChange] = {}
    claims: dict[str, tuple[str, ...]] = {}
    routes: str = ""
    route_paths: tuple[tuple[str, str], ...] = ()
    handles_prompts: bool = False


class PackRoutes(Message, frozen=True):
    """The process of an isolated pack, and the routes that it serves.

    Attributes:
        name: of the pack.
        pid: its number; 0 while there is none.
        address: of the process's HTTP server; empty while there is none.
        paths: method and path of each route.
    """

    name: str
    pid: int = 0
    address: str = ""
    paths: tuple[tuple[str, str], ...] = ()


class FoldersChanged(Message, frozen=True):
    """A pack has changed the folders of files after it was loaded."""

    folders: dict[str, FolderChange]


class CustomEvent(Message, frozen=True):
    """An event of a pack's own for browsers.

    Attributes:
        event: its name.
        data: its content, as JSON.
        client: the browser it is for; None for all.
    """

    event: str
    data: bytes
    client: str | None = None


class CustomBytes(Message, frozen=True):
    """A binary event of a pack's own for browsers; `event` is its number."""

    event: int
    data: bytes
    client: str | None = None


class ReloadCatalog(Message, frozen=True):
    """Describe the nodes of all packs again; the answer is `PacksReady`."""


class AskServer(Message, frozen=True):
    """A plugin asks the server about its queue, or to change it; the answer is `ServerAnswer`.

    Attributes:
        number: identifies it in the answer.
        what: see `engine.server.pack_requests`.
        body: as JSON.
    """

    number: int
    what: str
    body: bytes = b"null"


class ServerAnswer(Message, frozen=True):
    """The answer to an `AskServer`, as JSON; `error` says why there is none."""

    number: int
    body: bytes = b"null"
    error: str = ""


PackMessage = (
    PackLoading
    | PackLoaded
    | PacksReady
    | PackRoutes
    | FoldersChanged
    | CustomEvent
    | CustomBytes
    | AskServer
)
"""What a worker sends of packs."""
PackCommand = ReloadCatalog | ServerAnswer
