"""Nodes that choose between values and compute with numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from engine.errors import NodeError
from engine.nodekit.contract import node
from engine.nodekit.markers import Autogrow, Choice, MatchType, Options, Range, Socket, Text
from nodes.arithmetic import evaluate
from nodes.sockets import Anything
from nodes.strings import LETTERS, Lines

_MOST_SEED = 2**64 - 1
Switched = Annotated[Any, MatchType("switch"), Options(lazy=True)]


@node(
    "ComfySwitchNode",
    category="logic",
    display="Switch",
    output_names=("output",),
    experimental=True,
)
def switch_values(
    switch: bool, on_false: Switched, on_true: Switched
) -> Annotated[Any, MatchType("switch")]:
    """One of two values of the same type; only the chosen one is computed."""
    return on_true if switch else on_false


@switch_values.needs
def _(switch: bool) -> Sequence[str]:
    return ("on_true",) if switch else ("on_false",)


class Result(NamedTuple):
    """A number as each of the types that sockets have."""

    FLOAT: float
    INT: int
    BOOL: bool


@node("ComfyMathExpression", category="logic", display="Math Expression")
def math_expression(
    expression: Annotated[str, Text(multiline=True)],
    values: Annotated[
        Mapping[str, float], Autogrow("value", "FLOAT,INT,BOOLEAN", 1, 26, names=LETTERS)
    ],
) -> Result:
    """The value of a formula of the joined numbers a, b, c ..., such as `max(a // 2, 64)`.

    Python's operators, comparisons, `x if y else z`, and functions such as abs, round, floor, ceil,
    min, max, sqrt, log, sin.
    """
    given = {name: value for name, value in values.items() if value is not None}
    found = evaluate(expression, given)
    if isinstance(found, float) and not math.isfinite(found):
        return Result(found, 0, bool(found))
    try:
        return Result(float(found), int(found), bool(found))
    except OverflowError as error:
        raise NodeError(f"the result has {len(str(found)):,} digits, too many") from error


Values = Annotated[Mapping[str, Any], Autogrow("value", "*", 1, 50)]


@node("ComfyAndNode", category="logic", display="And")
def all_true(values: Values) -> bool:
    """Whether every joined value counts as true: not 0, not empty, not nothing."""
    return all(_truth(each) for each in values.values())


@node("ComfyOrNode", category="logic", display="Or")
def any_true(values: Values) -> bool:
    """Whether one of the joined values counts as true: not 0, not empty, not nothing."""
    return any(_truth(each) for each in values.values())


@node("ComfyNotNode", category="logic", display="Not", output_names=("output",))
def not_true(value: Anything) -> bool:
    """Whether a value counts as false: 0, empty, nothing."""
    return not _truth(value)


def _truth(value: Any) -> bool:
    try:
        return bool(value)
    except (RuntimeError, ValueError) as error:
        raise NodeError(
            f"a {type(value).__name__} of several numbers is neither true nor false"
        ) from error


class Converted(NamedTuple):
    """A number as a float and as a whole number."""

    FLOAT: float
    INT: int


@node("ComfyNumberConvert", category="logic", display="Number Convert")
def number_convert(
    value: Annotated[Any, Socket("INT,FLOAT,STRING,BOOLEAN"), Options(forceInput=True)],
) -> Converted:
    """A number, a text with a number, or true and false as a float and as a whole number."""
    try:
        found = float(value.strip() if isinstance(value, str) else value)
        whole = int(value) if isinstance(value, int) else int(found)
    except (ValueError, OverflowError) as error:
        raise NodeError(f"{str(value)[:60]!r} is no number") from error
    return Converted(found, whole)


@node("SeedNode", category="utils/primitive", display="Seed", output_names=("seed",))
def seed_number(
    seed: Annotated[int, Range(0, _MOST_SEED, control_after_generate=True)] = 0,
) -> int:
    """A seed that several nodes share."""
    return seed


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


_PROPORTIONS: Mapping[str, tuple[int, int]] = {
    "1:1 (Square)": (1, 1),
    "3:2 (Photo)": (3, 2),
    "4:3 (Standard)": (4, 3),
    "16:9 (Widescreen)": (16, 9),
    "21:9 (Ultrawide)": (21, 9),
    "2:3 (Portrait Photo)": (2, 3),
    "3:4 (Portrait Standard)": (3, 4),
    "9:16 (Portrait Widescreen)": (9, 16),
}


@node("ResolutionSelector", category="utils", display="Resolution Selector")
def resolution_selector(
    aspect_ratio: Annotated[str, Choice(*_PROPORTIONS)] = "1:1 (Square)",
    megapixels: Annotated[float, Range(0.1, 16.0, step=0.1)] = 1.0,
    multiple: Annotated[int, Range(1, 128)] = 8,
) -> Size:
    """Width and height of these proportions with about so many pixels (one million: 1024 x 1024).

    Both are multiples of `multiple`.
    """
    wide, high = _PROPORTIONS[aspect_ratio]
    unit = math.sqrt(megapixels * 1024 * 1024 / (wide * high))
    sides = (max(round(unit * side / multiple), 1) * multiple for side in (wide, high))
    return Size(*sides)


@node("JsonExtractString", category="utils/string", display="Extract Text from JSON")
def json_extract_string(json_string: Lines, key: Annotated[str, Text()]) -> str:
    """The value of a key of a JSON object as text; a value that is no text as JSON.

    A key with dots leads into objects within, and numbers into lists: `styles.0.name`.
    """
    try:
        found: Any = json.loads(json_string)
    except (ValueError, RecursionError) as error:
        raise NodeError(f"the text is no JSON: {str(error)[:100]}") from error
    if isinstance(found, dict) and key in found:
        found = found[key]
    else:
        for part in key.split("."):
            found = _inside(found, part, key)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def _inside(found: Any, part: str, key: str) -> Any:
    if isinstance(found, dict) and part in found:
        return found[part]
    if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
        return found[int(part)]
    known = ", ".join(list(found)[:10]) if isinstance(found, dict) else type(found).__name__
    raise NodeError(f"the JSON has no key {key[:60]!r}; found {known or 'nothing'}")
