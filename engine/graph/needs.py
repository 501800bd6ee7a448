"""What a workflow needs: model files and packs, each with whether it is here. One list for all.

Names come from the values of the loaders; what the file declares adds where to get them. Reads no
files itself and contacts nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import WorkflowError
from engine.folder_kinds import (
    ALIASES,
    DIFFUSERS_FOLDERS,
    INPUT_FOLDERS,
    INPUT_MEDIA,
    OFFERED,
    VAE_CHOICES,
    WEIGHTS_SUFFIXES,
)
from engine.graph.declared import (
    Declarations,
    DeclaredModel,
    DeclaredPack,
    kind_of_folder,
    read_declarations,
)
from engine.graph.literals import HasFile
from engine.graph.object_info import ListFolder
from engine.graph.prompt import Prompt
from engine.graph.schema import Catalog, InputSchema
from engine.graph.workflow import Conversion, recognise
from engine.paths import PLACES

MOST_MODELS = 500
MOST_PACKS = 200
MOST_USERS = 50
"""The maximum numbers that are listed: a hostile file names a million."""
_MOST_NAME = 500
_MOST_OFFERS = 5
_NOT_MODELS = frozenset({*PLACES, INPUT_FOLDERS, *INPUT_MEDIA})
_SUFFIXES = WEIGHTS_SUFFIXES | {".onnx"}
_ALSO_OFFERED: Mapping[str, str] = {"vae": VAE_CHOICES, "diffusers": DIFFUSERS_FOLDERS}
"""The kind of names that loaders offer of a folder beside its files."""
_EMBEDDING = re.compile(r"\bembedding:([^\s,()\[\]:]{1,200})")
_EMBEDDINGS = "embeddings"
_INPUTS: Mapping[str, str] = {
    "ckpt_name": "checkpoints",
    "lora_name": "loras",
    "vae_name": "vae",
    "unet_name": "diffusion_models",
    "clip_name": "text_encoders",
    "control_net_name": "controlnet",
}
"""Folders by the usual names of inputs, for classes that are not installed."""


@dataclass(frozen=True, slots=True)
class ModelNeed:
    """A model file that a workflow needs.

    Attributes:
        name: as the loaders have it, with `/`.
        kind: of its folder, `checkpoints`; None where neither a loader nor the file says it.
        users: the nodes by their ids in the prompt, each with the name of the input.
        is_here: whether the loaders find it.
        declared: what the file says of it, if anything.
        offers: names of files of that kind that differ only by folder or case.
    """

    name: str
    kind: str | None
    users: tuple[tuple[str, str], ...]
    is_here: bool
    declared: DeclaredModel | None = None
    offers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackNeed:
    """A pack that a workflow names.

    Attributes:
        classes: that the workflow takes from it.
        missing: those of them that are not installed, with the ids of their nodes.
        modules: where the installed ones come from, `custom_nodes.NAME`.
    """

    name: str
    repository: str | None
    version: str | None
    classes: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """The list; `omitted` is how many models and packs are not listed.

    Attributes:
        unknown: missing classes of which the file does not say the pack, with their nodes.
    """

    models: tuple[ModelNeed, ...] = ()
    packs: tuple[PackNeed, ...] = ()
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    omitted: int = 0


def find_needs(
    document: object,
    conversion: Conversion,
    catalog: Catalog,
    list_folder: ListFolder,
    has_file: HasFile,
) -> Needs:
    """What a document needs.

    Args:
        document: decoded JSON, from which `conversion` was made.
        conversion: its prompt and its missing classes.
        catalog: the schemas of the classes.
        list_folder: lists the files of a kind.
        has_file: whether there is a file of a kind.
    """
    try:
        declared = read_declarations(recognise(document)[1])
    except WorkflowError:  # a text of another program, which became a prompt
        declared = Declarations()
    collected = _Collected(_Declared(declared.models))
    _collect_values(collected, conversion.prompt, catalog)
    _collect_unknown(collected, declared, conversion.missing)
    folders = _Folders(list_folder, has_file)
    models = [
        _need(key, users, collected.declared.of(*key), folders)
        for key, users in collected.users.items()
    ]
    packs, unknown = _packs(conversion, declared.packs, catalog)
    omitted = collected.omitted + max(0, len(packs) - MOST_PACKS)
    listed = dict(list(unknown.items())[:MOST_PACKS])
    return Needs(tuple(models), tuple(packs[:MOST_PACKS]), listed, omitted)


class _Declared:
    """Finds what the file declares of a name."""

    def __init__(self, models: Sequence[DeclaredModel]) -> None:
        self._exact: dict[str, list[DeclaredModel]] = {}
        self._base: dict[str, list[DeclaredModel]] = {}
        for each in models:
            self._exact.setdefault(each.name, []).append(each)
            self._base.setdefault(_base(each.name), []).append(each)

    def names(self, name: str) -> bool:
        return name in self._exact

    def of(self, name: str, kind: str | None) -> DeclaredModel | None:
        """The one of that name, those of the same folder and those with an address first."""
        found = self._exact.get(name) or self._base.get(_base(name)) or ()
        ordered = sorted(found, key=lambda each: (not _same(each.directory, kind), not each.url))
        return ordered[0] if ordered else None


@dataclass(slots=True)
class _Collected:
    """Models by name and kind, with the inputs that name them."""

    declared: _Declared
    users: dict[tuple[str, str | None], list[tuple[str, str]]] = field(
        default_factory=dict[tuple[str, "str | None"], list[tuple[str, str]]]
    )
    omitted: int = 0

    def add(self, name: str, kind: str | None, node_id: str, input_name: str) -> None:
        if not name or len(name) > _MOST_NAME:
            return
        name = name.replace("\\", "/")
        if kind is not None and (offered := OFFERED.get(kind)) is not None:
            stated = self.declared.of(name, None)
            kind = stated.directory if stated and stated.directory in offered else offered[0]
        if kind is None and (stated := self.declared.of(name, None)) is not None:
            kind = stated.directory
        kind = None if kind in _NOT_MODELS else ALIASES.get(kind or "", kind)
        users = self.users.get((name, kind))
        if users is None:
            if len(self.users) >= MOST_MODELS:
                self.omitted += 1
                return
            users = self.users[name, kind] = []
        if len(users) < MOST_USERS and (node_id, input_name) not in users:
            users.append((node_id, input_name))


class _Folders:
    """The files of each kind, read once: one may hold a hundred thousand."""

    def __init__(self, list_folder: ListFolder, has_file: HasFile) -> None:
        self._list_folder = list_folder
        self._has_file = has_file
        self._by_base: dict[str, dict[str, list[str]]] = {}
        self._stems: frozenset[str] | None = None

    def has(self, kind: str, name: str) -> bool:
        """Whether the loaders find it; embeddings are named without their suffix."""
        if self._has_file(kind, name):
            return True
        if kind != _EMBEDDINGS:
            also = _ALSO_OFFERED.get(kind)
            return also is not None and name in self._list_folder(also)
        if self._stems is None:
            self._stems = frozenset(each.rpartition(".")[0] for each in self._list_folder(kind))
        return name in self._stems

    def similar(self, kind: str, name: str) -> tuple[str, ...]:
        """Files whose names differ only by folder or case."""
        if kind not in self._by_base:
            found = self._by_base[kind] = dict[str, list[str]]()
            for each in self._list_folder(kind):
                found.setdefault(_base(each), []).append(each)
        return tuple(self._by_base[kind].get(_base(name), ())[:_MOST_OFFERS])


def _collect_values(collected: _Collected, prompt: Prompt, catalog: Catalog) -> None:
    """The names in the values of a prompt's nodes."""
    for node_id, node in prompt.nodes.items():
        schema = catalog.get(node.class_type)
        described = {each.name: each for each in schema.inputs} if schema else None
        for name, value in node.inputs.items():
            if not isinstance(value, str):
                continue
            if described is None:
                if _is_model(value) or collected.declared.names(value):
                    collected.add(value, _kind_by_input(name), node_id, name)
                continue
            given = described.get(name)
            if given is None:
                continue
            if given.type == "STRING":
                for found in _EMBEDDING.findall(value):
                    collected.add(found, _EMBEDDINGS, node_id, name)
            elif _names_a_model(given, value):
                collected.add(value, given.folder, node_id, name)


def _names_a_model(given: InputSchema, value: str) -> bool:
    """Whether an input of an installed class chooses a model file by that value."""
    if value in (given.choices or ()):
        return False
    if given.folder is not None:
        return given.folder not in _NOT_MODELS
    return given.choices is not None and _is_model(value)


def _collect_unknown(
    collected: _Collected, declared: Declarations, missing: Mapping[str, Sequence[str]]
) -> None:
    """The names in nodes of missing classes, whose values have no names."""
    for class_type, ids in missing.items():
        by_last: dict[str, str] = {}
        for each in ids:
            by_last.setdefault(each.rsplit(":", 1)[-1], each)
        known = {(each, user) for (each, _), users in collected.users.items() for user, _ in users}
        for local, value in declared.values.get(class_type, ()):
            node_id = by_last.get(local)
            is_named = _is_model(value) or collected.declared.names(value)
            if node_id is None or not is_named or (value.replace("\\", "/"), node_id) in known:
                continue
            collected.add(value, None, node_id, "")


def _need(
    key: tuple[str, str | None],
    users: Sequence[tuple[str, str]],
    declared: DeclaredModel | None,
    folders: _Folders,
) -> ModelNeed:
    name, kind = key
    kind = kind_of_folder(kind)
    if kind is None:
        return ModelNeed(name, None, tuple(users), is_here=False, declared=declared)
    if folders.has(kind, name):
        return ModelNeed(name, kind, tuple(users), is_here=True, declared=declared)
    return ModelNeed(name, kind, tuple(users), False, declared, folders.similar(kind, name))


def _packs(
    conversion: Conversion, declared: Mapping[str, DeclaredPack], catalog: Catalog
) -> tuple[list[PackNeed], dict[str, tuple[str, ...]]]:
    """The packs of the prompt's classes; and missing classes without a pack."""
    classes: dict[str, None] = dict.fromkeys(
        each.class_type for each in conversion.prompt.nodes.values()
    )
    by_pack: dict[str, list[str]] = {}
    unknown: dict[str, tuple[str, ...]] = {}
    for each in classes:
        pack = declared.get(each)
        is_builtin = each in catalog and not catalog[each].python_module.startswith("custom_nodes")
        if pack is not None and not is_builtin:
            by_pack.setdefault(pack.name, []).append(each)
        elif each in conversion.missing:
            unknown[each] = conversion.missing[each]
    return [_pack(declared, taken, conversion, catalog) for taken in by_pack.values()], unknown


def _pack(
    declared: Mapping[str, DeclaredPack],
    classes: Sequence[str],
    conversion: Conversion,
    catalog: Catalog,
) -> PackNeed:
    said = [declared[each] for each in classes]
    missing = {each: conversion.missing[each] for each in classes if each in conversion.missing}
    modules = {catalog[each].python_module: None for each in classes if each in catalog}
    return PackNeed(
        name=said[0].name,
        repository=_first(each.repository for each in said),
        version=_first(each.version for each in said),
        classes=tuple(classes),
        missing=missing,
        modules=tuple(modules),
    )


def _first(texts: Iterable[str | None]) -> str | None:
    return next((each for each in texts if each), None)


def _is_model(value: str) -> bool:
    dot = value.rfind(".")
    return dot > 0 and len(value) <= _MOST_NAME and value[dot:].lower() in _SUFFIXES


def _kind_by_input(name: str) -> str | None:
    return _INPUTS.get(name.rstrip("0123456789"))


def _same(directory: str | None, kind: Any) -> bool:
    return directory is not None and ALIASES.get(directory, directory) == kind


def _base(name: str) -> str:
    """The name without its folder, in one case."""
    return name.replace("\\", "/").rpartition("/")[2].casefold()
