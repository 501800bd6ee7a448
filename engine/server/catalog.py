"""The node catalog, and `/object_info` made from it, compressed and cached until a change.

Schemas are read from files, and those of plugins come from a worker: no plugin and no tensor is
ever loaded here.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from engine.graph.catalog_file import read_catalog, read_pack_catalog
from engine.graph.object_info import object_info
from engine.graph.schema import NodeSchema
from engine.server.listing import Listing

BUILTIN = Path(__file__).with_name("builtin_catalog.json")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """`/object_info` as it is sent: `etag` changes when and only when the content does."""

    content: bytes
    gzipped: bytes
    etag: str


class NodeCatalog:
    """The built-in nodes and those of plugins, with the files their combos offer."""

    def __init__(self, listing: Listing, path: Path = BUILTIN) -> None:
        self._listing = listing
        self._builtin = read_catalog(path)
        self._schemas: Mapping[str, NodeSchema] = self._builtin
        self._plugins: bytes = b""
        self._kinds = _kinds(self._builtin)
        self._cached: tuple[object, ...] = ()

    @property
    def schemas(self) -> Mapping[str, NodeSchema]:
        """By class; the same object until the catalog changes."""
        return self._schemas

    def set_plugins(self, content: bytes) -> bool:
        """Use these schemas of plugins from now on; whether they differ from those before.

        Args:
            content: as `pack_catalog` writes it. A built-in class in it replaces ours: plugins may
                have added to its choices.

        Raises:
            CalotypeError: it cannot be read; what was before stays.
        """
        if content == self._plugins:
            return False
        self._schemas = MappingProxyType({**self._builtin, **read_pack_catalog(content)})
        self._kinds = _kinds(self._schemas)
        self._plugins = content
        return True

    def class_info(self, class_type: str) -> dict[str, Any]:
        """`{class: info}`, or `{}` where there is no such class."""
        schema = self._schemas.get(class_type)
        return {} if schema is None else {class_type: object_info(schema, self._listing.list)}

    def info(self) -> ObjectInfo:
        """The whole `/object_info`. Made again only when a folder's files have changed."""
        schemas, kinds = self._schemas, self._kinds
        offered = tuple(self._listing.list(kind) for kind in kinds)
        match self._cached:
            case (before, names, ObjectInfo() as info) if before is schemas and names == offered:
                return info
            case _:
                pass
        content = msgspec.json.encode(
            {name: object_info(schema, self._listing.list) for name, schema in schemas.items()},
            enc_hook=str,
        )
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        info = ObjectInfo(content, gzip.compress(content, compresslevel=6, mtime=0), etag)
        self._cached = (schemas, offered, info)
        return info


def _kinds(schemas: Mapping[str, NodeSchema]) -> list[str]:
    """The kinds of files that combos offer."""
    kinds = {each.folder for schema in schemas.values() for each in schema.inputs}
    return sorted(kind for kind in kinds if kind is not None)
