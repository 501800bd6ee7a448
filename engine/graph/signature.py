"""The signature of a node's computation, a short hash: equal signatures, equal outputs.

A Merkle hash (Merkle 1987) over BLAKE2b (RFC 7693): a node's signature is the hash of its class,
its fingerprint, its literal inputs and the signatures of its sources, so each node costs the same
however many ancestors it has. Ids, titles and positions are left out, so equal nodes of two
graphs share results. A literal of an unknown type makes a signature that equals no other.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, cast

from engine.graph.prompt import Link, Prompt, is_mapping

Signature = bytes
"""`DIGEST_BYTES` of hash and one byte that says whether it can ever recur."""

DIGEST_BYTES = 24
_REPEATABLE = b"\x00"
_UNIQUE = b"\x01"
_MAX_DEPTH = 64


def sign(
    prompt: Prompt,
    node_id: str,
    fingerprint: object,
    known: Mapping[str, Signature],
    *,
    include_id: bool = False,
    output: bool = False,
) -> Signature:
    """The signature of one node.

    Args:
        prompt: holds the node, its literals already coerced.
        node_id: which node.
        fingerprint: anything else that determines the result, e.g. a file's size and time; None for
            nothing. NaN, or anything that is not made of plain values, means "never the same
            twice".
        known: the signatures of its sources, by node id.
        include_id: for nodes that use their own id or do not share results.
        output: for output nodes, so that they never share a signature with others.

    Raises:
        KeyError: the signature of a source is not known; sign in the order of `order`.
    """
    node = prompt.nodes[node_id]
    writer = _Writer()
    writer.write(node.class_type)
    writer.write(node_id if include_id else None)
    writer.write(output)
    writer.write(fingerprint)
    inputs = node.inputs
    for name in sorted(inputs):
        writer.write(name)
        value = inputs[name]
        if isinstance(value, Link):
            writer.write_source(known[value.node], value.slot)
        else:
            writer.write(value)
    return writer.signature()


def is_repeatable(signature: Signature) -> bool:
    """Whether this signature can recur; if not, caching its outputs is useless."""
    return signature[-1:] == _REPEATABLE


class _Writer:
    """Gathers values as bytes such that different values never give the same bytes."""

    __slots__ = ("_parts", "_repeatable")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._repeatable = True

    def write_source(self, source: Signature, slot: int) -> None:
        """Note that an input comes from that slot of a node so signed."""
        self._parts.append(b"@%d:" % slot)
        self._parts.append(source)
        if source[-1:] != _REPEATABLE:
            self._repeatable = False

    def write(self, value: Any, depth: int = 0) -> None:
        """Note a literal: each kind with a letter, each of unknown length with its length."""
        kind = cast("type[object]", type(value))
        if kind is str:
            encoded = value.encode("utf-8", "surrogatepass")
            self._parts.append(b"s%d:" % len(encoded))
            self._parts.append(encoded)
        elif kind is int:
            self._parts.append(b"i%x;" % value)
        elif kind is float and value == value:  # noqa: PLR0124 - NaN alone differs from itself
            self._parts.append(b"f" + struct.pack("<d", value))
        elif kind is bool:
            self._parts.append(b"t" if value else b"u")
        elif value is None:
            self._parts.append(b"n")
        elif kind is bytes:
            self._parts.append(b"b%d:" % len(value))
            self._parts.append(value)
        else:
            self._write_nested(value, depth)

    def _write_nested(self, value: Any, depth: int) -> None:
        if depth == _MAX_DEPTH or not self._repeatable:
            self._repeatable = False
        elif isinstance(value, (list, tuple)):
            self._write_list(cast("Sequence[Any]", value), depth)
        elif is_mapping(value) and all(type(key) is str for key in value):
            self._parts.append(b"d%d:" % len(value))
            for key in sorted(value):
                self.write(key)
                self.write(value[key], depth + 1)
        else:
            self._repeatable = False

    def _write_list(self, values: Sequence[Any], depth: int) -> None:
        self._parts.append(b"l%d:" % len(values))
        for each in values:
            self.write(each, depth + 1)

    def signature(self) -> Signature:
        if not self._repeatable:
            self._parts.append(os.urandom(DIGEST_BYTES))
        digest = blake2b(b"".join(self._parts), digest_size=DIGEST_BYTES).digest()
        return digest + (_REPEATABLE if self._repeatable else _UNIQUE)
