"""The syntax of fragment shaders: GLSL ES 3.00 (Khronos, 2012) as a tree.

No `struct`, no `switch`, no `#if`: a shader with one of them is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from engine.errors import NodeError
from nodes.shader_tokens import preprocessed, tokens_of

NUMBERS = ("float", "int", "uint", "bool")
VECTORS = tuple(f"{kind}vec{size}" for kind in ("", "i", "u", "b") for size in (2, 3, 4))
MATRICES = ("mat2", "mat3", "mat4")
TYPES = frozenset({*NUMBERS, *VECTORS, *MATRICES, "sampler2D", "void"})
MOST_CHARACTERS = 200_000
MOST_DEPTH = 40
_QUALIFIERS = frozenset(
    {"const", "in", "out", "inout", "uniform", "highp", "mediump", "lowp", "flat"}
)
_REFUSED = frozenset({"struct", "switch", "case", "while_", "do"})
_BINARY: Sequence[Sequence[str]] = (
    ("||",), ("^^",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", ">", "<=", ">="),
    ("<<", ">>"), ("+", "-"), ("*", "/", "%"),
)  # fmt: skip
ASSIGNMENTS = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a tree: its kind, its text and its inner parts."""

    kind: str
    text: str = ""
    inner: tuple[Part, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Function:
    """A function: parameters as (qualifier, type, name), and its body."""

    result: str
    parameters: tuple[tuple[str, str, str], ...]
    body: Part


@dataclass(frozen=True, slots=True)
class Shader:
    """What a source declares.

    Attributes:
        functions: by name; overloads in order.
        constants: declarations of globals, in order.
        uniforms: types by name.
        outputs: locations by name.
        passes: how often it runs.
    """

    functions: Mapping[str, tuple[Function, ...]]
    constants: tuple[Part, ...]
    uniforms: Mapping[str, str]
    outputs: Mapping[str, int]
    passes: int


def parse(source: str) -> Shader:
    """Read a source.

    Raises:
        NodeError: it is no shader, or uses what is not read here; says where.
    """
    if len(source) > MOST_CHARACTERS:
        raise NodeError(f"the shader has {len(source):,} characters, at most {MOST_CHARACTERS:,}")
    lines, passes = preprocessed(source)
    return _Parser(tokens_of(lines)).shader(passes)


class _Parser:
    def __init__(self, tokens: list[tuple[str, str, int]]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    @property
    def _text(self) -> str:
        return self._tokens[self._place][1]

    def _fail(self, wanted: str) -> NoReturn:
        _, text, line = self._tokens[self._place]
        raise NodeError(f"line {line} of the shader: expected {wanted}, found {text[:40]!r}")

    def _take(self) -> str:
        text = self._text
        if self._tokens[self._place][0] == "end":
            self._fail("more")
        self._place += 1
        return text

    def _has(self, *texts: str) -> bool:
        if self._tokens[self._place][0] != "end" and self._text in texts:
            self._place += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._has(text):
            self._fail(repr(text))

    def _name(self) -> str:
        if self._tokens[self._place][0] != "name":
            self._fail("a name")
        return self._take()

    def _type(self) -> str:
        if self._text not in TYPES:
            self._fail("a type")
        kind = self._take()
        if self._has("["):
            if self._text != "]":
                self._expression()
            self._need("]")
            kind += "[]"
        return kind

    def shader(self, passes: int) -> Shader:
        functions: dict[str, tuple[Function, ...]] = {}
        constants: list[Part] = []
        uniforms: dict[str, str] = {}
        outputs: dict[str, int] = {}
        while self._tokens[self._place][0] != "end":
            if self._has("precision"):
                while self._take() != ";":
                    pass
                continue
            location, qualifiers = self._layout(), self._qualifiers()
            kind, name = self._type(), self._name()
            if self._has("("):
                made = self._function(kind)
                if made is not None:
                    functions[name] = (*functions.get(name, ()), made)
            elif "uniform" in qualifiers:
                uniforms[name] = kind
                self._need(";")
            elif "out" in qualifiers:
                outputs[name] = location if location is not None else len(outputs)
                self._need(";")
            elif "in" in qualifiers:
                self._need(";")
            else:
                constants.append(self._declared(kind, name))
        if "main" not in functions:
            raise NodeError("the shader has no function main")
        return Shader(functions, tuple(constants), uniforms, outputs, passes)

    def _layout(self) -> int | None:
        if not self._has("layout"):
            return None
        location = None
        self._need("(")
        while not self._has(")"):
            if self._take() == "location" and self._has("="):
                location = int(self._take())
        return location

    def _qualifiers(self) -> set[str]:
        found: set[str] = set()
        while self._text in _QUALIFIERS:
            found.add(self._take())
        return found

    def _function(self, result: str) -> Function | None:
        parameters: list[tuple[str, str, str]] = []
        while not self._has(")"):
            if self._has("void") or self._has(","):
                continue
            qualifiers = self._qualifiers()
            way = next((each for each in ("inout", "out") if each in qualifiers), "in")
            kind, name = self._type(), self._name()
            if self._has("["):
                self._expression()
                self._need("]")
                kind += "[]"
            parameters.append((way, kind, name))
        if self._has(";"):
            return None
        self._need("{")
        return Function(result, tuple(parameters), self._block())

    def _block(self) -> Part:
        inner: list[Part] = []
        while not self._has("}"):
            inner.append(self._statement())
        return Part("block", inner=tuple(inner))

    def _statement(self) -> Part:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            self._fail(f"at most {MOST_DEPTH} levels of nesting")
        try:
            return self._plain_statement()
        finally:
            self._depth -= 1

    def _plain_statement(self) -> Part:
        line = self._tokens[self._place][2]
        if self._text in _REFUSED:
            self._fail("what is read here (no struct, no switch, no do)")
        if self._has(";"):
            return Part("block")
        if self._has("{"):
            return self._block()
        if self._has("if"):
            self._need("(")
            condition = self._expression()
            self._need(")")
            then = self._statement()
            other = self._statement() if self._has("else") else Part("block")
            return Part("if", inner=(condition, then, other), line=line)
        if self._has("for"):
            return self._for(line)
        if self._has("while"):
            self._need("(")
            condition = self._expression()
            self._need(")")
            parts = (Part("block"), condition, Part("block"), self._statement())
            return Part("for", inner=parts, line=line)
        for word in ("break", "continue", "discard"):
            if self._has(word):
                self._need(";")
                return Part(word, line=line)
        if self._has("return"):
            inner = () if self._text == ";" else (self._expression(),)
            self._need(";")
            return Part("return", inner=inner, line=line)
        return self._simple()

    def _simple(self) -> Part:
        """A declaration or an expression, with its semicolon."""
        qualifiers = self._qualifiers()
        following = self._tokens[self._place + 1][1] if self._text in TYPES else ""
        if qualifiers or (self._text in TYPES and following not in ("(", "[")) or self._is_array():
            kind = self._type()
            return self._declared(kind, self._name())
        line = self._tokens[self._place][2]
        found = Part("do", inner=(self._expression(),), line=line)
        self._need(";")
        return found

    def _is_array(self) -> bool:
        """Whether `float[3] name` follows, and not the constructor `float[3](`."""
        if self._text not in TYPES or self._tokens[self._place + 1][1] != "[":
            return False
        place = self._place + 2
        while self._tokens[place][1] != "]" and self._tokens[place][0] != "end":
            place += 1
        return self._tokens[min(place + 1, len(self._tokens) - 1)][0] == "name"

    def _declared(self, kind: str, name: str) -> Part:
        found: list[Part] = []
        while True:
            line = self._tokens[self._place][2]
            own = kind
            size: tuple[Part, ...] = ()
            if self._has("["):
                if self._text != "]":
                    size = (self._expression(),)
                self._need("]")
                own += "[]"
            value = (self._assignment(),) if self._has("=") else ()
            inner = (Part("type", own), *(value or (Part("nothing", inner=size),)))
            found.append(Part("declare", name, inner, line))
            if not self._has(","):
                break
            name = self._name()
        self._need(";")
        return found[0] if len(found) == 1 else Part("several", inner=tuple(found))

    def _for(self, line: int) -> Part:
        self._need("(")
        start = Part("block") if self._has(";") else self._simple()
        condition = Part("number", "true") if self._text == ";" else self._expression()
        self._need(";")
        step = Part("block") if self._text == ")" else Part("do", inner=(self._expression(),))
        self._need(")")
        return Part("for", inner=(start, condition, step, self._statement()), line=line)

    def _expression(self) -> Part:
        found = self._assignment()
        while self._has(","):
            found = Part("comma", inner=(found, self._assignment()))
        return found

    def _assignment(self) -> Part:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            self._fail(f"at most {MOST_DEPTH} levels of nesting")
        line = self._tokens[self._place][2]
        found = self._level(0)
        if self._has("?"):
            then = self._assignment()
            self._need(":")
            found = Part("choose", inner=(found, then, self._assignment()), line=line)
        elif self._text in ASSIGNMENTS:
            sign = self._take()
            found = Part("assign", sign, (found, self._assignment()), line)
        self._depth -= 1
        return found

    def _level(self, level: int) -> Part:
        if level == len(_BINARY):
            return self._unary()
        found = self._level(level + 1)
        while self._text in _BINARY[level]:
            line = self._tokens[self._place][2]
            sign = self._take()
            found = Part("binary", sign, (found, self._level(level + 1)), line)
        return found

    def _unary(self) -> Part:
        line = self._tokens[self._place][2]
        for sign in ("-", "+", "!", "~", "++", "--"):
            if self._has(sign):
                self._depth += 1
                if self._depth > MOST_DEPTH:
                    self._fail(f"at most {MOST_DEPTH} levels of nesting")
                inner = self._unary()
                self._depth -= 1
                return Part("before" if sign in ("++", "--") else "unary", sign, (inner,), line)
        found = self._primary()
        while True:
            line = self._tokens[self._place][2]
            if self._has("."):
                found = Part("part", self._name(), (found,), line)
            elif self._has("["):
                found = Part("index", inner=(found, self._expression()), line=line)
                self._need("]")
            elif self._text in ("++", "--"):
                found = Part("after", self._take(), (found,), line)
            else:
                return found

    def _primary(self) -> Part:
        kind, text, line = self._tokens[self._place]
        if self._has("("):
            found = self._expression()
            self._need(")")
            return found
        if kind == "number" or text in ("true", "false"):
            self._place += 1
            return Part("number", text, line=line)
        if kind != "name":
            self._fail("a value")
        if text in TYPES:
            name = self._type()
            self._need("(")
            return Part("call", name, self._arguments(), line)
        self._place += 1
        if self._has("("):
            return Part("call", text, self._arguments(), line)
        return Part("name", text, line=line)

    def _arguments(self) -> tuple[Part, ...]:
        found: list[Part] = []
        while not self._has(")"):
            found.append(self._assignment())
            if self._text != ")":
                self._need(",")
        return tuple(found)
