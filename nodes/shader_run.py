"""Runs a fragment shader on a CPU: every operation on all pixels at once.

Where a condition differs between pixels both ways are computed, and each pixel keeps its own. The
number of operations is bounded, so that no shader runs for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import torch
from torch import Tensor

from engine.errors import NodeError
from nodes.shader_functions import FUNCTIONS, built, dtype_of, zero
from nodes.shader_syntax import TYPES, Function, Part, Shader
from nodes.shader_values import like, literal, operated, put, signed, where

MOST_OPERATIONS = 2_000_000
MOST_CALLS = 64
MOST_ARRAY = 4096
_LETTERS = ("xyzw", "rgba", "stpq")


class _Frame:
    """One call: its variables, and the pixels that have returned or left a loop."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = [{}]
        self.gone = torch.zeros(1, dtype=torch.bool)
        self.left: list[list[Tensor]] = []
        self.result: Any = None


class Machine:
    """A shader with its uniforms, for some pixels."""

    def __init__(
        self, shader: Shader, uniforms: Mapping[str, Any], checkpoint: Callable[[], None]
    ) -> None:
        self._shader = shader
        self._checkpoint = checkpoint
        self._globals: dict[str, Any] = dict(uniforms)
        self._mask = torch.ones(1, dtype=torch.bool)
        self._discarded = torch.zeros(1, dtype=torch.bool)
        self._frames: list[_Frame] = [_Frame()]
        self._frames[0].scopes[0] = self._globals
        self._left = MOST_OPERATIONS
        self._line = 0
        for each in shader.constants:
            self._execute(each)

    def run(self, varying: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
        """The outputs [count, 4] by name, of pixels with these values."""
        self._globals |= varying
        self._globals |= {name: torch.zeros(1, 4) for name in self._shader.outputs}
        self._call(self._shader.functions["main"][0], ())
        gone = self._discarded[:, None]
        found: dict[str, Tensor] = {}
        for name in self._shader.outputs:
            color = torch.where(gone, 0.0, self._globals[name].float())
            found[name] = color.expand(count, -1)
        return found

    def _fail(self, text: str) -> NoReturn:
        raise NodeError(f"line {self._line} of the shader: {text}")

    # Statements

    def _active(self) -> Tensor:
        frame = self._frames[-1]
        found = self._mask & ~frame.gone & ~self._discarded
        for masks in frame.left:
            for mask in masks:
                found = found & ~mask
        return found

    def _execute(self, part: Part) -> None:
        self._left -= 1
        if self._left < 0:
            self._fail(f"it takes more than {MOST_OPERATIONS:,} operations")
        self._checkpoint()
        self._line = part.line or self._line
        frame = self._frames[-1]
        match part.kind:
            case "block":
                frame.scopes.append({})
                for inner in part.inner:
                    if not bool(self._active().any()):
                        break
                    self._execute(inner)
                frame.scopes.pop()
            case "several":
                for inner in part.inner:
                    self._execute(inner)
            case "declare":
                self._declare(part)
            case "do":
                self._value(part.inner[0])
            case "if":
                self._branch(part)
            case "for":
                self._loop(part)
            case "return":
                self._return(part)
            case "break":
                frame.left[-1][0] = frame.left[-1][0] | self._active()
            case "continue":
                frame.left[-1][1] = frame.left[-1][1] | self._active()
            case "discard":
                self._discarded = self._discarded | self._active()
            case _:
                self._fail(f"{part.kind} cannot be computed")

    def _declare(self, part: Part) -> None:
        kind, given = part.inner
        value: Any
        if given.kind != "nothing":
            value = self._value(given)
        elif kind.text.endswith("[]"):
            size = int(self._value(given.inner[0])) if given.inner else 0
            if not 0 < size <= MOST_ARRAY:
                self._fail(f"an array of {size}; at most {MOST_ARRAY}")
            value = [zero(kind.text[:-2]) for _ in range(size)]
        else:
            value = zero(kind.text)
        if isinstance(value, Tensor) and kind.text in TYPES:
            value = value.to(dtype_of(kind.text))
        self._frames[-1].scopes[-1][part.text] = value

    def _branch(self, part: Part) -> None:
        condition, then, other = part.inner
        found = self._value(condition)
        before = self._mask
        for mask, body in ((found, then), (~found, other)):
            self._mask = before & mask
            if bool(self._active().any()):
                self._execute(body)
        self._mask = before

    def _loop(self, part: Part) -> None:
        start, condition, step, body = part.inner
        frame, before = self._frames[-1], self._mask
        frame.scopes.append({})
        none = torch.zeros(1, dtype=torch.bool)
        self._execute(start)
        frame.left.append([none, none])
        while True:
            self._mask = self._mask & self._value(condition)
            if not bool(self._active().any()):
                break
            self._execute(body)
            frame.left[-1][1] = none
            if bool(self._active().any()):
                self._execute(step)
        frame.left.pop()
        frame.scopes.pop()
        self._mask = before

    def _return(self, part: Part) -> None:
        frame, active = self._frames[-1], self._active()
        if part.inner:
            value = self._value(part.inner[0])
            frame.result = value if frame.result is None else where(active, value, frame.result)
        frame.gone = frame.gone | active

    def _call(self, function: Function, arguments: tuple[Part, ...]) -> Any:
        if len(self._frames) > MOST_CALLS:
            self._fail("functions call each other too deeply")
        values = [self._value(each) for each in arguments]
        frame = _Frame()
        for (way, kind, name), value in zip(function.parameters, values, strict=True):
            fresh = zero(kind) if way == "out" and kind in TYPES else value
            frame.scopes[0][name] = fresh
        outer, self._mask = self._mask, self._active()
        self._frames.append(frame)
        self._execute(function.body)
        self._frames.pop()
        self._mask = outer
        for (way, _, name), argument in zip(function.parameters, arguments, strict=True):
            if way != "in":
                self._store(argument, frame.scopes[0][name])
        return frame.result

    # Values

    def _value(self, part: Part) -> Any:
        self._left -= 1
        if self._left < 0:
            self._fail(f"it takes more than {MOST_OPERATIONS:,} operations")
        self._line = part.line or self._line
        try:
            return self._computed(part)
        except (RuntimeError, IndexError, TypeError, AttributeError) as error:
            self._fail(f"the values do not fit: {str(error).splitlines()[0][:120]}")

    def _computed(self, part: Part) -> Any:
        match part.kind:
            case "number":
                return literal(part.text)
            case "name":
                return self._find(part.text)[part.text]
            case "unary":
                return signed(part.text, self._value(part.inner[0]))
            case "binary":
                return self._binary(part)
            case "choose":
                condition, then, other = (self._value(each) for each in part.inner)
                return where(condition, then, other)
            case "assign":
                return self._assign(part)
            case "before" | "after":
                old = self._value(part.inner[0])
                new = old + 1 if part.text == "++" else old - 1
                self._store(part.inner[0], new)
                return new if part.kind == "before" else old
            case "part":
                return self._swizzle(self._value(part.inner[0]), part.text)
            case "index":
                return self._indexed(*(self._value(each) for each in part.inner))
            case "comma":
                self._value(part.inner[0])
                return self._value(part.inner[1])
            case "call":
                return self._called(part)
            case _:
                return self._fail(f"{part.kind} has no value")

    def _find(self, name: str) -> dict[str, Any]:
        for scope in (*reversed(self._frames[-1].scopes), self._globals):
            if name in scope:
                return scope
        return self._fail(f"{name[:40]} is not declared")

    def _binary(self, part: Part) -> Tensor:
        left = self._value(part.inner[0])
        right = self._value(part.inner[1])
        return operated(part.text, left, right)

    def _assign(self, part: Part) -> Any:
        target, given = part.inner
        value = self._value(given)
        if part.text != "=":
            value = operated(part.text[:-1], self._value(target), value)
        self._store(target, value)
        return value

    def _store(self, target: Part, value: Any) -> None:
        match target.kind:
            case "name":
                scope = self._find(target.text)
                old = scope[target.text]
                scope[target.text] = where(self._active(), like(value, old), old)
            case "part":
                old = self._value(target.inner[0])
                places = self._places(target.text, old.shape[-1])
                self._store(target.inner[0], put(old, places, value))
            case "index":
                old, at = (self._value(each) for each in target.inner)
                if at.numel() != 1:
                    self._fail("a place that differs between pixels cannot be assigned to")
                place = int(at)
                if isinstance(old, list):
                    new = [*old]
                    new[place] = like(value, old[place])
                    self._store(target.inner[0], new)
                elif old.ndim == 3:
                    rows = max(old.shape[0], value.shape[0])
                    new = old.expand(rows, -1, -1).clone()
                    new[:, place] = value
                    self._store(target.inner[0], new)
                else:
                    self._store(target.inner[0], put(old, (place,), value))
            case _:
                self._fail("this cannot be assigned to")

    def _places(self, letters: str, size: int) -> tuple[int, ...]:
        for names in _LETTERS:
            if all(letter in names for letter in letters) and 0 < len(letters) <= 4:
                places = tuple(names.index(letter) for letter in letters)
                if max(places) < size:
                    return places
        return self._fail(f".{letters[:20]} is no part of a vector of {size}")

    def _swizzle(self, value: Any, letters: str) -> Tensor:
        if not isinstance(value, Tensor) or value.ndim != 2:
            self._fail(f".{letters[:20]} of what is no vector")
        places = self._places(letters, value.shape[1])
        return value[:, places[0]] if len(places) == 1 else value[:, list(places)]

    def _indexed(self, value: Any, at: Tensor) -> Tensor:
        if isinstance(value, list):
            if at.numel() == 1:
                return value[min(max(int(at), 0), len(value) - 1)]
            found = value[0]
            for place in range(1, len(value)):
                found = where(at == place, value[place], found)
            return found
        if at.numel() == 1:
            return value[:, min(max(int(at), 0), value.shape[1] - 1)]
        rows = value.expand(at.shape[0], *value.shape[1:])
        return rows[torch.arange(at.shape[0]), at.long().clamp(0, value.shape[1] - 1)]

    def _called(self, part: Part) -> Any:
        name, arguments = part.text, part.inner
        if name.endswith("[]"):
            return [self._value(each) for each in arguments]
        if name in TYPES:
            return built(name, [self._value(each) for each in arguments])
        own = [
            each
            for each in self._shader.functions.get(name, ())
            if len(each.parameters) == len(arguments)
        ]
        if own:
            return self._call(self._overload(own, arguments), arguments)
        function = FUNCTIONS.get(name)
        if function is None:
            self._fail(f"there is no function {name[:40]}")
        return function(*(self._value(each) for each in arguments))

    def _overload(self, own: list[Function], arguments: tuple[Part, ...]) -> Function:
        if len(own) == 1:
            return own[0]
        values = [self._value(each) for each in arguments]
        for each in own:
            kinds = [kind for _, kind, _ in each.parameters]
            if all(_fits(value, kind) for value, kind in zip(values, kinds, strict=True)):
                return each
        return self._fail("no overload takes these values")


def _fits(value: Any, kind: str) -> bool:
    if kind not in TYPES or kind == "sampler2D" or not isinstance(value, Tensor):
        return not isinstance(value, Tensor)
    like = zero(kind)
    return value.shape[1:] == like.shape[1:] and value.dtype == like.dtype
