"""Sources of shaders without comments and directives, and as tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.errors import NodeError

MOST_PASSES = 64
MOST_MACROS = 100
_TOKEN = re.compile(
    r"(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?[fFuU]?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign><<=|>>=|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||\^\^|[-+*/%&|^]=|[-+*/%<>=!&|^~?:;,.(){}\[\]])"
)


def preprocessed(source: str) -> tuple[list[str], int]:
    """Lines without comments and directives, object macros replaced; and the passes."""
    text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), source, flags=re.DOTALL)
    macros: dict[str, str] = {}
    lines: list[str] = []
    passes = 1
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.split("//", 1)[0]
        directive = line.strip()
        if not directive.startswith("#"):
            for name, value in macros.items():
                line = re.sub(rf"\b{name}\b", lambda _, value=value: value, line)
            lines.append(line)
            continue
        lines.append("")
        words = directive[1:].split(None, 2)
        if words[:2] == ["pragma", "passes"] and len(words) > 2 and words[2].isdecimal():
            passes = min(max(int(words[2]), 1), MOST_PASSES)
        elif words[:1] == ["define"] and len(words) > 1 and "(" not in words[1]:
            macros[words[1]] = words[2] if len(words) > 2 else ""
            if len(macros) > MOST_MACROS:
                raise NodeError(f"the shader defines more than {MOST_MACROS} macros")
        elif words[:1] not in (["version"], ["pragma"], ["extension"], ["line"]):
            raise NodeError(f"line {number} of the shader: {directive[:40]!r} is not read here")
    return lines, passes


def tokens_of(lines: Sequence[str]) -> list[tuple[str, str, int]]:
    """Kind, text and line of each token; the last one is the end."""
    found: list[tuple[str, str, int]] = []
    for number, line in enumerate(lines, 1):
        place = 0
        while place < len(line):
            if line[place].isspace():
                place += 1
                continue
            match = _TOKEN.match(line, place)
            if match is None:
                raise NodeError(f"line {number} of the shader: {line[place]!r} is no GLSL")
            found.append((match.lastgroup or "", match[0], number))
            place = match.end()
    found.append(("end", "the end", len(lines)))
    return found
