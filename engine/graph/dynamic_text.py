"""Texts that the client completes when a run is requested.

`{a|b}` picks one, comments are removed, `%Node.widget%` becomes that widget's value. Pure: the
random generator is passed in.
"""

from __future__ import annotations

import random
import re
from typing import Any

from engine.graph.prompt import Link, Prompt, PromptNode

_NAME = re.compile(r"%([^%.\n]+)\.([^%\n]+)%")
_ILLEGAL = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def expand_text(text: str, chance: random.Random) -> str:
    """The text without comments, one part drawn from each `{a|b|{c|d}}`.

    A backslash escapes a brace or a bar. A brace that is never closed, or never opened, stays as
    it is.
    """
    # Each level of braces: the parts before the last bar, and the pieces after it. Pieces are
    # texts or pieces again, put together once at the end: a text may nest as deep as it is long.
    levels: list[tuple[list[_Pieces], _Pieces]] = [([], [])]
    signs = iter(without_comments(text))
    for sign in signs:
        parts, pieces = levels[-1]
        if sign == "\\":
            following = next(signs, "")
            pieces.append(following if following in _SIGNS else sign + following)
        elif sign == "{":
            levels.append(([], []))
        elif sign == "|" and len(levels) > 1:
            parts.append(pieces)
            levels[-1] = (parts, [])
        elif sign == "}" and len(levels) > 1:
            levels.pop()
            levels[-1][1].append(chance.choice([*parts, pieces]))
        else:
            pieces.append(sign)
    while len(levels) > 1:
        parts, pieces = levels.pop()
        unclosed: _Pieces = ["{"]
        for part in parts:
            unclosed += [part, "|"]
        levels[-1][1].append([*unclosed, pieces])
    return _joined(levels[0][1])


_Pieces = list["str | _Pieces"]


def _joined(pieces: _Pieces) -> str:
    texts: list[str] = []
    left: _Pieces = list(reversed(pieces))
    while left:
        piece = left.pop()
        if isinstance(piece, str):
            texts.append(piece)
        else:
            left.extend(reversed(piece))
    return "".join(texts)


_SIGNS = frozenset("{}|")


def without_comments(text: str) -> str:
    """The text without `/* ... */` and without `//` to the end of its line.

    A comment that is never closed stays. Takes linear time, whatever the text holds.
    """
    kept: list[str] = []
    place, last_close = 0, text.rfind("*/")
    while (slash := text.find("/", place)) >= 0:
        kept.append(text[place:slash])
        if text.startswith("//", slash):
            line_end = text.find("\n", slash)
            place = len(text) if line_end < 0 else line_end
        elif text.startswith("/*", slash) and last_close >= slash + 2:
            place = text.index("*/", slash + 2) + 2
        else:
            kept.append("/")
            place = slash + 1
    return "".join([*kept, text[place:]])


class NodeNames:
    """Which node is meant by a name, as in `%Node.widget%`.

    The name that a node has for this ("Node name for S&R") goes before its title, that before its
    class; of several nodes of one name the first in the file is meant.
    """

    def __init__(self) -> None:
        self._by_rank: tuple[dict[str, str], ...] = ({}, {}, {})

    def add(self, node_id: str, *names: object) -> None:
        """Add a node and its names, the one with the highest priority first."""
        for named, name in zip(self._by_rank, names, strict=True):
            if isinstance(name, str):
                named.setdefault(name, node_id)

    def find(self, name: str) -> str | None:
        """The id of the node of that name, or None."""
        return next((named[name] for named in self._by_rank if name in named), None)


def fill_names(prompt: Prompt, names: NodeNames, input_name: str) -> Prompt:
    """The prompt with `%Node.widget%` filled in wherever `input_name` is given a text.

    A reference to no node or to no constant stays.
    """
    filled: dict[str, PromptNode] = {}
    for node_id, node in prompt.nodes.items():
        text = node.inputs.get(input_name)
        if not isinstance(text, str) or "%" not in text:
            continue

        def value_of(match: re.Match[str]) -> str:
            source = prompt.nodes.get(names.find(match[1]) or "")
            value: Any = source.inputs.get(match[2]) if source else None
            if value is None or isinstance(value, Link):
                return match[0]
            return _ILLEGAL.sub("_", _as_text(value))

        inputs = {**node.inputs, input_name: _NAME.sub(value_of, text)}
        filled[node_id] = PromptNode(node.class_type, inputs, node.title)
    return Prompt({**prompt.nodes, **filled}) if filled else prompt


def _as_text(value: Any) -> str:
    """A widget's value as a browser writes it: 1.0 as `1`, True as `true`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)
