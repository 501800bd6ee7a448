"""Which node classes a file adds to tables such as `NODE_CLASS_MAPPINGS`, by its syntax.

Names are read where they are written: in a table, in one that it is made of, or in one that a loop,
a comprehension or a function of the pack makes it from. Others are counted, if that can be done.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.packs.syntax import Syntax, last_name

_TABLE = "NODE_CLASS_MAPPINGS"
_GROWING = frozenset({"append", "extend", "insert", "update", "add", "setdefault"})
_VIEWS = frozenset({"items", "keys"})


@dataclass(slots=True)
class NodeTables:
    """The node classes of one file.

    Attributes:
        names: that are written literally.
        unnamed: how many others there are whose names are computed.
        is_open: whether there may be more.
    """

    names: list[str] = field(default_factory=list[str])
    unnamed: int = 0
    is_open: bool = False


def read_tables(syntax: Syntax) -> NodeTables:
    """The node classes that a file's tables and V3 schemas have."""
    reader = _Reader(syntax)
    for node in syntax.assignments:
        reader.assigned(node)
    for node in syntax.calls:
        reader.called(node)
    reader.out.names.reverse()  # as they were written, about
    return reader.out


class _Reader:
    def __init__(self, syntax: Syntax) -> None:
        self.out = NodeTables()
        self._tables = {
            each.asname
            for node in syntax.imports
            if isinstance(node, ast.ImportFrom)
            for each in node.names
            if each.asname and _is_table_name(each.name)
        }
        self._literals: dict[str, ast.expr] = {}
        for node in syntax.assignments:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(node.value, ast.Dict | ast.List | ast.Tuple | ast.Set):
                for each in targets:
                    if isinstance(each, ast.Name):
                        self._literals.setdefault(each.id, node.value)
        self._grown = {
            node.func.value.id
            for node in syntax.calls
            if isinstance(node.func, ast.Attribute)
            and node.func.attr in _GROWING
            and isinstance(node.func.value, ast.Name)
        }
        self._syntax = syntax
        self._loops: dict[int, ast.expr] | None = None

    def _loop_of(self, node: ast.AST) -> ast.expr | None:
        """What the loop around an assignment goes through."""
        if self._loops is None:
            self._loops = {
                id(inner): loop.iter
                for loop in self._syntax.loops
                for inner in ast.walk(loop)
                if isinstance(inner, ast.Assign)
            }
        return self._loops.get(id(node))

    def assigned(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        """Read one assignment."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        flat = [
            inner
            for each in targets
            for inner in (each.elts if isinstance(each, ast.Tuple | ast.List) else [each])
        ]
        if any(map(self._is_table, flat)) and node.value is not None:
            self._value(node.value)
        for each in flat:
            if isinstance(each, ast.Subscript) and self._is_table(each.value):
                self._subscript(node, each.slice)

    def _subscript(self, node: ast.AST, key: ast.expr) -> None:
        name = _text(key)
        source = None if name is not None else self._loop_of(node)
        if name is not None:
            self.out.names.append(name)
        elif source is not None:
            self._source(source)
        else:
            self.out.unnamed += 1

    def called(self, node: ast.Call) -> None:
        """Read `TABLE.update(...)` and the V3 interface's `Schema(node_id=...)`."""
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr == "update" and self._is_table(func.value):
            for each in node.args:
                self._value(each)
        elif last_name(func) == "Schema":
            for each in node.keywords:
                if each.arg == "node_id":
                    name = _text(each.value)
                    self.out.names += [name] if name is not None else []
                    self.out.is_open = self.out.is_open or name is None

    def _value(self, value: ast.expr) -> None:
        """A table's value: a literal, or what it is made of."""
        if isinstance(value, ast.Dict):
            for key, inner in zip(reversed(value.keys), reversed(value.values), strict=True):
                if key is None:
                    self._value(inner)
                else:
                    self._subscript(value, key)
        elif isinstance(value, ast.BinOp):
            self._value(value.left)
            self._value(value.right)
        elif isinstance(value, ast.DictComp):
            self._source(value.generators[0].iter)
        elif isinstance(value, ast.Name) and not self._is_table(value):
            self._named(value)
        elif isinstance(value, ast.Call):
            given = [*value.args, *(each.value for each in value.keywords)]
            for each in given:
                self._source(each)
            self.out.is_open = self.out.is_open or last_name(value.func) != "dict" or not given
        elif not self._is_table(value):
            self.out.is_open = True

    def _source(self, value: ast.expr) -> None:
        """What a loop, a comprehension or a call makes a table of: one class from each entry."""
        if self._is_view_of_table(value):
            return
        if isinstance(value, ast.Call) and last_name(value.func) in _VIEWS and not value.args:
            value = value.func.value if isinstance(value.func, ast.Attribute) else value
        if isinstance(value, ast.Name):
            self._named(value)
        elif isinstance(value, ast.Dict):
            self._value(value)
        elif isinstance(value, ast.List | ast.Tuple | ast.Set):
            self._listed(value.elts)
        else:
            self.out.is_open = True

    def _named(self, name: ast.Name) -> None:
        literal = self._literals.get(name.id)
        # What is empty where it is written is filled elsewhere.
        is_empty = not (getattr(literal, "elts", None) or getattr(literal, "keys", None))
        self.out.is_open |= is_empty or name.id in self._grown
        if isinstance(literal, ast.Dict):
            self._value(literal)
        elif isinstance(literal, ast.List | ast.Tuple | ast.Set):
            self._listed(literal.elts)
        else:
            self.out.is_open = True

    def _listed(self, elements: Iterable[ast.expr]) -> None:
        for each in elements:
            if isinstance(each, ast.Starred):
                self._source(each.value)
            else:
                self.out.unnamed += 1

    def _is_view_of_table(self, value: ast.expr) -> bool:
        """Whether it is a table, or its `.items()`."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            return value.func.attr in _VIEWS and self._is_table(value.func.value)
        return self._is_table(value)

    def _is_table(self, node: ast.AST) -> bool:
        name = last_name(node)
        return _is_table_name(name) or (isinstance(node, ast.Name) and name in self._tables)


def _is_table_name(name: str) -> bool:
    return _TABLE in name or (name.endswith("CLASS_MAPPINGS") and "DISPLAY" not in name)


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and type(node.value) is str else None
