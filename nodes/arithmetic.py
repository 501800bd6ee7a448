"""Evaluates a formula of numbers that a workflow brings, which may be hostile.

Only numbers, names, operators, comparisons and a few functions: no attributes, no calls of anything
else. Sizes are limited, so that no formula takes longer than a moment.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from engine.errors import NodeError

Number = int | float
LONGEST = 10_000
"""Characters of a formula."""
MOST_BITS = 4096
"""Of a whole number on the way: 2 ** 4096 is more than any float."""
_MOST_DEPTH = 200


def _power(base: Number, exponent: Number) -> Number:
    digits = base.bit_length() if isinstance(base, int) else 0
    if isinstance(exponent, int) and digits * exponent > MOST_BITS:
        raise NodeError(f"{base} ** {exponent} is too large a number")
    return base**exponent


def _shift(value: Number, by: Number) -> Number:
    whole, places = operator.index(value), operator.index(by)  # pyright: ignore[reportArgumentType]
    if places > MOST_BITS:
        raise NodeError(f"{value} << {by} is too large a number")
    return whole << places


_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = MappingProxyType(
    {
        ast.Add: operator.add,
        ast.Sub: operator.sub,
        ast.Mult: operator.mul,
        ast.Div: operator.truediv,
        ast.FloorDiv: operator.floordiv,
        ast.Mod: operator.mod,
        ast.Pow: _power,
        ast.LShift: _shift,
        ast.RShift: operator.rshift,
        ast.BitAnd: operator.and_,
        ast.BitOr: operator.or_,
        ast.BitXor: operator.xor,
        ast.UAdd: operator.pos,
        ast.USub: operator.neg,
        ast.Invert: operator.invert,
        ast.Not: operator.not_,
        ast.Eq: operator.eq,
        ast.NotEq: operator.ne,
        ast.Lt: operator.lt,
        ast.LtE: operator.le,
        ast.Gt: operator.gt,
        ast.GtE: operator.ge,
    }
)
FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "abs": abs,
        "ceil": math.ceil,
        "cos": math.cos,
        "exp": math.exp,
        "float": float,
        "floor": math.floor,
        "gcd": math.gcd,
        "hypot": math.hypot,
        "int": int,
        "lcm": math.lcm,
        "log": math.log,
        "log10": math.log10,
        "log2": math.log2,
        "max": max,
        "min": min,
        "pow": _power,
        "round": round,
        "sin": math.sin,
        "sqrt": math.sqrt,
        "tan": math.tan,
        "trunc": math.trunc,
    }
)
CONSTANTS: Mapping[str, Number] = MappingProxyType({"pi": math.pi, "e": math.e, "tau": math.tau})


def evaluate(formula: str, values: Mapping[str, Number]) -> Number | bool:
    """The value of a formula in Python's notation, such as `max(a // 2, 64)`.

    Args:
        formula: the text.
        values: numbers by name.

    Raises:
        NodeError: it is no formula, holds something unknown, or has no value.
    """
    text = formula.strip()
    if len(text) > LONGEST:
        raise NodeError(f"the formula has {len(text):,} characters; {LONGEST:,} are possible")
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NodeError(
            f"{text[:100]!r} is no formula: {str(error)[:80]}. Write one like max(a // 2, 64)"
        ) from error
    try:
        return _value(tree.body, values, 0)
    except (ArithmeticError, TypeError, ValueError) as error:
        raise NodeError(f"{text[:100]!r} has no value: {error}") from error


def _value(part: ast.expr, values: Mapping[str, Number], depth: int) -> Any:
    if depth > _MOST_DEPTH:
        raise NodeError(f"the formula is nested deeper than {_MOST_DEPTH} levels")

    def value(inner: ast.expr) -> Any:
        return _value(inner, values, depth + 1)

    match part:
        case ast.Constant(value=bool() | int() | float() as found):
            return _limited(found)
        case ast.Name(id=name):
            return _named(name, values)
        case ast.BinOp(left=left, op=op, right=right):
            return _limited(_operator(op)(value(left), value(right)))
        case ast.UnaryOp(op=op, operand=operand):
            return _operator(op)(value(operand))
        case ast.BoolOp(op=op, values=parts):
            found = value(parts[0])
            for each in parts[1:]:
                if bool(found) is isinstance(op, ast.Or):
                    return found
                found = value(each)
            return found
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            first = value(left)
            for op, each in zip(ops, comparators, strict=True):
                second = value(each)
                if not _operator(op)(first, second):
                    return False
                first = second
            return True
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return value(body) if value(test) else value(orelse)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in FUNCTIONS:
                raise NodeError(
                    f"there is no function {name[:40]!r}; there are {', '.join(FUNCTIONS)}"
                )
            return _limited(FUNCTIONS[name](*map(value, arguments)))
        case _:
            raise NodeError(
                f"{ast.unparse(part)[:60]!r} cannot be part of a formula; it holds numbers, names, "
                "operators and functions"
            )


def _named(name: str, values: Mapping[str, Number]) -> Number:
    for known in (values, CONSTANTS):
        if name in known:
            return known[name]
    raise NodeError(
        f"the formula names {name[:40]!r}, and joined are {', '.join(values) or 'no numbers'}"
    )


def _operator(op: ast.AST) -> Callable[..., Any]:
    found = _OPERATORS.get(type(op))
    if found is None:
        raise NodeError(f"a formula has no operator {type(op).__name__}")
    return found


def _limited(found: Any) -> Any:
    if isinstance(found, int) and found.bit_length() > MOST_BITS:
        raise NodeError("a number of the formula is too large")
    if isinstance(found, complex):
        raise NodeError("the root of a negative number is no real number")
    return found
