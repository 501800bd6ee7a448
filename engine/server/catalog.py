"""Every node that can be used, and `/object_info` made of them once, compressed, for each change.

Knows schemas from files, not nodes: no plugin and no tensor is ever loaded here.
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

from engine.graph.catalog_file import read_catalog
from engine.graph.object_info import object_info
from engine.graph.schema import NodeSchema
from engine.server.listing import Listing

BUILTIN = Path(__file__).with_name("builtin_catalog.json")


@dataclass(frozen=True, slots=True)
class Info:
    """`/object_info` as it is sent: `etag` changes when and only when the content does."""

    content: bytes
    gzipped: bytes
    etag: str


class NodeCatalog:
    """The built-in nodes, with the files their combos offer."""

    def __init__(self, listing: Listing, path: Path = BUILTIN) -> None:
        self._listing = listing
        self._schemas = read_catalog(path)
        kinds = {each.folder for schema in self._schemas.values() for each in schema.inputs}
        self._kinds = sorted(kind for kind in kinds if kind is not None)
        self._made: tuple[tuple[Any, ...], Info] | None = None

    @property
    def schemas(self) -> Mapping[str, NodeSchema]:
        """By class."""
        return MappingProxyType(self._schemas)

    def one(self, class_type: str) -> dict[str, Any]:
        """`{class: info}`, or `{}` where there is no such class."""
        schema = self._schemas.get(class_type)
        return {} if schema is None else {class_type: object_info(schema, self._listing.list)}

    def info(self) -> Info:
        """All of it. Made again only when a folder's files have changed."""
        offered = tuple(self._listing.list(kind) for kind in self._kinds)
        if self._made is not None and self._made[0] == offered:
            return self._made[1]
        content = msgspec.json.encode(
            {
                name: object_info(schema, self._listing.list)
                for name, schema in self._schemas.items()
            }
        )
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        info = Info(content, gzip.compress(content, compresslevel=6, mtime=0), etag)
        self._made = (offered, info)
        return info
