"""The node catalog, and `/object_info` made from it, compressed and cached until a change.

Schemas are read from files: no plugin and no tensor is ever loaded here.
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
class ObjectInfo:
    """`/object_info` as it is sent: `etag` changes when and only when the content does."""

    content: bytes
    gzipped: bytes
    etag: str


class NodeCatalog:
    """The built-in nodes, with the files their combos offer."""

    def __init__(self, listing: Listing, path: Path = BUILTIN) -> None:
        self._listing = listing
        self._schemas: Mapping[str, NodeSchema] = MappingProxyType(read_catalog(path))
        kinds = {each.folder for schema in self._schemas.values() for each in schema.inputs}
        self._kinds = sorted(kind for kind in kinds if kind is not None)
        self._cached: tuple[tuple[Any, ...], ObjectInfo] | None = None

    @property
    def schemas(self) -> Mapping[str, NodeSchema]:
        """By class; the same object until the catalog changes."""
        return self._schemas

    def class_info(self, class_type: str) -> dict[str, Any]:
        """`{class: info}`, or `{}` where there is no such class."""
        schema = self._schemas.get(class_type)
        return {} if schema is None else {class_type: object_info(schema, self._listing.list)}

    def info(self) -> ObjectInfo:
        """The whole `/object_info`. Made again only when a folder's files have changed."""
        offered = tuple(self._listing.list(kind) for kind in self._kinds)
        if self._cached is not None and self._cached[0] == offered:
            return self._cached[1]
        content = msgspec.json.encode(
            {
                name: object_info(schema, self._listing.list)
                for name, schema in self._schemas.items()
            }
        )
        etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        info = ObjectInfo(content, gzip.compress(content, compresslevel=6, mtime=0), etag)
        self._cached = (offered, info)
        return info
