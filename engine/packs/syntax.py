"""The parts of a file's syntax that `packs check` asks for, gathered in one pass."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

_LEAVES = frozenset({ast.Load, ast.Store, ast.Del, ast.Constant, ast.Pass, ast.Break, ast.Continue})
_TABLES = (ast.Assign, ast.AnnAssign, ast.AugAssign)


@dataclass(slots=True)
class Syntax:
    """Nodes of one file, each kind in no particular order.

    Attributes:
        imports: statements that import, at any depth.
        arguments: names of the arguments of functions.
        stored: names that are assigned.
        attributes: chains of attributes that begin with a name, with its name.
        assignments: statements that assign.
        calls: calls.
        loops: `for` statements.
    """

    imports: list[ast.Import | ast.ImportFrom] = field(
        default_factory=list["ast.Import | ast.ImportFrom"]
    )
    arguments: set[str] = field(default_factory=set[str])
    stored: set[str] = field(default_factory=set[str])
    attributes: list[tuple[ast.Attribute, str]] = field(
        default_factory=list["tuple[ast.Attribute, str]"]
    )
    assignments: list[ast.Assign | ast.AnnAssign | ast.AugAssign] = field(
        default_factory=list["ast.Assign | ast.AnnAssign | ast.AugAssign"]
    )
    calls: list[ast.Call] = field(default_factory=list["ast.Call"])
    loops: list[ast.For] = field(default_factory=list["ast.For"])


def read_syntax(tree: ast.Module) -> Syntax:
    """Gather them. A pass with `ast.walk` for each kind would take many times as long."""
    found = Syntax()
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                found.stored.add(node.id)
            continue
        if isinstance(node, ast.Attribute):
            base: ast.expr = node
            while isinstance(base, ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name):
                found.attributes.append((node, base.id))
            else:
                stack.append(base)
            continue
        _note(node, found)
        fields: dict[str, Any] = node.__dict__
        for value in fields.values():
            if value.__class__ is list:
                stack += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST) and value.__class__ not in _LEAVES:
                stack.append(value)
    return found


def _note(node: ast.AST, found: Syntax) -> None:
    if isinstance(node, ast.Call):
        found.calls.append(node)
    elif isinstance(node, ast.arg):
        found.arguments.add(node.arg)
    elif isinstance(node, _TABLES):
        found.assignments.append(node)
    elif isinstance(node, ast.Import | ast.ImportFrom):
        found.imports.append(node)
    elif isinstance(node, ast.For):
        found.loops.append(node)


def last_name(node: ast.AST) -> str:
    """Of a name or a chain of attributes the last part, else an empty text."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
