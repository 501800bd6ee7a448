"""The editor's types are those of the server's messages."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    path = ROOT / "tools" / "write_types.py"
    spec = importlib.util.spec_from_file_location("write_types", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Inner(msgspec.Struct):
    """An inner one."""

    kinds: tuple[Literal["a", "b"], ...]


class Outer(msgspec.Struct):
    """An outer one; with more to say."""

    inner: dict[str, Inner]
    maybe: int | None
    left_out: str | msgspec.UnsetType = msgspec.UNSET


@dataclass
class Plain:
    """A dataclass."""

    anything: Mapping[str, Any]
    several: frozenset[str]


def test_a_struct_becomes_an_interface(writer):
    assert writer.interface(Outer).splitlines() == [
        "/** An outer one; with more to say. */",
        "export interface Outer {",
        "  inner: Record<string, Inner>;",
        "  maybe: number | null;",
        "  left_out?: string;",
        "}",
    ]
    assert '  kinds: ("a" | "b")[];' in writer.interface(Inner)
    assert "  anything: Record<string, unknown>;" in writer.interface(Plain)
    assert "  several: string[];" in writer.interface(Plain)


def test_what_a_struct_is_made_of_comes_first(writer):
    assert writer.parts_of(Outer) == [Inner, Outer]


def test_a_type_without_a_translation_is_refused(writer):
    with pytest.raises(TypeError, match="write_types"):
        writer.typescript(complex)


def test_the_committed_types_are_the_server_s(writer):
    assert writer.TARGET.read_text(encoding="utf-8") == writer.written() + "\n"
