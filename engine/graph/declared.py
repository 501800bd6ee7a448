"""What a saved workflow itself says of the models and packs that it needs.

Reads `properties` of nodes and the list `models` beside them. Everything is from a stranger: what
is too long or no text is left out, and nothing here is checked against the disk or the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from engine.graph.prompt import is_list, is_mapping
from engine.graph.read_saved import read_id

MOST_DECLARED = 2000
_MOST_NAME, _MOST_TEXT = 500, 4000
_LARGEST = 1 << 60
_KIND = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
CORE = frozenset({"comfy-core", "calotype"})
"""The ids of the nodes that come with the program."""


@dataclass(frozen=True, slots=True)
class DeclaredModel:
    """A model that a workflow names.

    Attributes:
        directory: the kind of its folder, `checkpoints`; None where it is none.
        sha256: 64 lower-case hexadecimal digits; None where the file names none.
        other_hash: a hash of another kind, which nothing here checks.
        size: in bytes.
    """

    name: str
    directory: str | None = None
    url: str | None = None
    sha256: str | None = None
    other_hash: str | None = None
    size: int | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredPack:
    """The pack that a node comes from: its id in the registry or its repository, and a version."""

    name: str
    repository: str | None = None
    version: str | None = None


@dataclass(slots=True)
class Declarations:
    """What a document declares.

    Attributes:
        models: in the order of the file.
        packs: by node class, the first one that a node of the class names.
        values: by node class, the texts among the widgets' values of its nodes, each with the
            node's id at its level.
    """

    models: list[DeclaredModel] = field(default_factory=list[DeclaredModel])
    packs: dict[str, DeclaredPack] = field(default_factory=dict[str, DeclaredPack])
    values: dict[str, list[tuple[str, str]]] = field(
        default_factory=dict[str, list[tuple[str, str]]]
    )


def read_declarations(document: Mapping[Any, Any]) -> Declarations:
    """The declarations of a saved workflow, or of a prompt, whose nodes may name packs."""
    found = Declarations()
    _add_models(found, document.get("models"))
    for node in _nodes(document):
        kind = node.get("type", node.get("class_type"))
        if not isinstance(kind, str):
            continue
        properties = _mapping(node.get("properties")) or _mapping(node.get("_meta"))
        _add_models(found, properties.get("models"))
        if kind not in found.packs and (pack := _read_pack(properties)) is not None:
            found.packs[kind] = pack
        values = node.get("widgets_values")
        given = values.values() if is_mapping(values) else values if is_list(values) else ()
        texts = [each for each in given if isinstance(each, str) and len(each) <= _MOST_NAME]
        if texts:
            node_id = read_id(node.get("id"))
            found.values.setdefault(kind, []).extend((node_id, each) for each in texts)
    return found


def kind_of_folder(name: object) -> str | None:
    """The name of a folder of models, if it can be one: a single plain word."""
    return name if isinstance(name, str) and _KIND.fullmatch(name) else None


def built_in_classes(document: Mapping[Any, Any]) -> frozenset[str]:
    """The classes of which a document says that no plugin brings them."""
    said = (
        node.get("type", node.get("class_type"))
        for node in _nodes(document)
        if _mapping(node.get("properties")).get("cnr_id") in CORE
    )
    return frozenset(each for each in said if isinstance(each, str))


def _nodes(document: Mapping[Any, Any]) -> Iterator[Mapping[Any, Any]]:
    """The nodes of every level, those of old group nodes too."""
    definitions = _mapping(document.get("definitions")).get("subgraphs")
    groups = _mapping(_mapping(document.get("extra")).get("groupNodes"))
    if not is_list(document.get("nodes")):
        yield from (each for each in document.values() if is_mapping(each))
        return
    for level in (document, *_items(definitions), *groups.values()):
        yield from (each for each in _items(_mapping(level).get("nodes")) if is_mapping(each))


def _add_models(found: Declarations, given: object) -> None:
    for each in islice(_items(given), MOST_DECLARED):
        if len(found.models) >= MOST_DECLARED:
            return
        if (model := _read_model(_mapping(each))) is not None:
            found.models.append(model)


def _read_model(given: Mapping[Any, Any]) -> DeclaredModel | None:
    name = _text(given.get("name"), _MOST_NAME)
    if name is None:
        return None
    stated = _text(given.get("hash"), 200)
    kind = str(given.get("hash_type", "")).upper().replace("-", "")
    is_sha256 = bool(stated and _SHA256.fullmatch(stated)) and kind in {"", "SHA256"}
    size = given.get("size")
    known = isinstance(size, int) and not isinstance(size, bool) and 0 < size < _LARGEST
    return DeclaredModel(
        name=name,
        directory=kind_of_folder(given.get("directory")),
        url=_text(given.get("url"), _MOST_TEXT),
        sha256=stated.lower() if stated and is_sha256 else None,
        other_hash=None if is_sha256 else stated,
        size=size if known else None,
        license=_text(given.get("license"), 200),
    )


def _read_pack(properties: Mapping[Any, Any]) -> DeclaredPack | None:
    registered, repository = (
        _text(properties.get(each), _MOST_NAME) for each in ("cnr_id", "aux_id")
    )
    name = registered or repository
    if name is None or name in CORE:
        return None
    return DeclaredPack(name, repository, _text(properties.get("ver"), 100))


def _text(given: object, most: int) -> str | None:
    """A text of one line that can be shown."""
    if not isinstance(given, str) or not 0 < len(given) <= most or not given.isprintable():
        return None
    return given


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if is_mapping(value) else {}


def _items(value: object) -> list[Any]:
    return list(value) if is_list(value) else []
