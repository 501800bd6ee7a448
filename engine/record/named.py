"""Which files and packs a prompt names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import FilesError
from engine.files import Files
from engine.graph.dynamic import concrete_inputs
from engine.graph.prompt import Prompt
from engine.graph.schema import Catalog
from engine.paths import PLACES, split_annotation

_EMBEDDING = re.compile(r"(?:^|(?<=[ \n,(\[]))embedding:([^\s,:()\[\]]+)")
_EMBEDDINGS = "embeddings"
_PACK = "custom_nodes."


class NamedFile(NamedTuple):
    """A file by its folder's kind and its name below it."""

    kind: str
    name: str


def named_files(prompt: Prompt, catalog: Catalog) -> tuple[NamedFile, ...]:
    """The files that the nodes of a prompt name, in its order, each once.

    Those of nodes whose classes are missing are unknown. Embeddings are named in texts, as
    `embedding:name`.
    """
    found: dict[NamedFile, None] = {}
    for node in prompt.nodes.values():
        schema = catalog.get(node.class_type)
        for given in concrete_inputs(schema, node.inputs) if schema else ():
            value: Any = node.inputs.get(given.name)
            if not isinstance(value, str) or not value:
                continue
            if given.folder is not None:
                found[NamedFile(given.folder, value)] = None
            elif given.type == "STRING":
                for name in _EMBEDDING.findall(value):
                    found[NamedFile(_EMBEDDINGS, name)] = None
    return tuple(found)


def locate(named: NamedFile, files: Files) -> Path | None:
    """Where the file is, or None; names as nodes accept them: `x.png [output]`, no suffix."""
    return next((path for path in _candidates(named, files) if path is not None), None)


def named_packs(prompt: Prompt, catalog: Catalog) -> tuple[str, ...]:
    """The packs whose nodes the prompt has, by name."""
    found: set[str] = set()
    for node in prompt.nodes.values():
        schema = catalog.get(node.class_type)
        if schema is not None and schema.python_module.startswith(_PACK):
            found.add(schema.python_module.removeprefix(_PACK).split(".")[0])
    return tuple(sorted(found))


def _candidates(named: NamedFile, files: Files) -> Iterator[Path | None]:
    kind, name = named
    yield _located(files, kind, name)
    plain, place = split_annotation(name)
    if place is not None and kind.partition("_")[0] in PLACES:
        yield _located(files, place, plain)
    if kind == _EMBEDDINGS:
        for suffix in sorted(files.suffixes(kind)):
            yield _located(files, kind, name + suffix)


def _located(files: Files, kind: str, name: str) -> Path | None:
    try:
        return files.locate(kind, name)
    except FilesError:
        return None
