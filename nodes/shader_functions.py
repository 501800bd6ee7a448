"""The functions that GLSL ES 3.00 brings, on tensors of all pixels at once.

A scalar is [N], a vector [N, k], a matrix [N, columns, rows]; N is 1 for what is equal everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

_RADIANS = torch.pi / 180


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A picture [H, W, 4] whose first row is the lowest."""

    pixels: Tensor

    def fetch(self, place: Tensor) -> Tensor:
        """The pixels at whole places [N, 2], column first; outside the nearest border."""
        height, width = self.pixels.shape[:2]
        columns = place[..., 0].long().clamp(0, width - 1)
        rows = place[..., 1].long().clamp(0, height - 1)
        return self.pixels[rows, columns]

    def sample(self, place: Tensor) -> Tensor:
        """Colours between pixels, at places [N, 2] from 0 to 1."""
        height, width = self.pixels.shape[:2]
        size = torch.tensor((width, height), dtype=torch.float32)
        at = place.float().nan_to_num(0.0).clamp(-16.0, 16.0) * size - 0.5
        low = at.floor()
        share = at - low
        corners = [
            self.fetch(low + torch.tensor((dx, dy), dtype=torch.float32))
            for dy in (0.0, 1.0)
            for dx in (0.0, 1.0)
        ]
        x, y = share[..., :1], share[..., 1:]
        below = corners[0] * (1 - x) + corners[1] * x
        above = corners[2] * (1 - x) + corners[3] * x
        return below * (1 - y) + above * y

    def size(self) -> Tensor:
        """[1, 2]: columns and rows."""
        size = (self.pixels.shape[1], self.pixels.shape[0])
        return torch.tensor([size], dtype=torch.int32)


def alike(*values: Tensor) -> list[Tensor]:
    """Scalars beside vectors as vectors of one column, so that they broadcast."""
    most = max(value.ndim for value in values)
    found: list[Tensor] = []
    for value in values:
        shape = (*value.shape, *(1,) * (most - value.ndim))
        found.append(value.reshape(shape))
    return found


def _floats(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(*values: Tensor) -> Tensor:
        return function(*alike(*(value.float() for value in values)))

    return call


def _numbers(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def call(*values: Tensor) -> Tensor:
        return function(*alike(*values))

    return call


def _mix(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    a, b, share = alike(a, b, t)
    if t.dtype == torch.bool:
        return torch.where(share, b, a)
    return a.float() * (1 - share.float()) + b.float() * share.float()


def _smoothstep(low: Tensor, high: Tensor, x: Tensor) -> Tensor:
    t = ((x - low) / (high - low)).nan_to_num(0.0).clamp(0.0, 1.0)
    return t * t * (3 - 2 * t)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1) if a.ndim > 1 else a * b


def _length(a: Tensor) -> Tensor:
    return a.float().square().sum(-1).sqrt() if a.ndim > 1 else a.float().abs()


def _normalize(a: Tensor) -> Tensor:
    return a.float() / _length(a).clamp(min=1e-30).reshape(-1, *(1,) * (a.ndim - 1))


def _reflect(incoming: Tensor, normal: Tensor) -> Tensor:
    return incoming - 2 * _dot(normal, incoming).reshape(-1, *(1,) * (incoming.ndim - 1)) * normal


def _cross(a: Tensor, b: Tensor) -> Tensor:
    a, b = torch.broadcast_tensors(a, b)
    return torch.linalg.cross(a, b)


def _modulo(a: Tensor, b: Tensor) -> Tensor:
    return a - b * torch.floor(a / b)


def _round(a: Tensor) -> Tensor:
    return torch.floor(a + 0.5)


def _atan(y: Tensor, x: Tensor | None = None) -> Tensor:
    return torch.atan(y) if x is None else torch.atan2(y, x)


def _clamp(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(x, low), high)


def _extreme(choose: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def call(a: Tensor, b: Tensor) -> Tensor:
        kind = torch.promote_types(a.dtype, b.dtype)
        return choose(a.to(kind), b.to(kind))

    return call


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **{
            name: _floats(getattr(torch, name))
            for name in (
                *("sin", "cos", "tan", "asin", "acos", "sinh", "cosh", "tanh", "asinh", "acosh"),
                *("atanh", "exp", "log", "exp2", "log2", "sqrt", "floor", "ceil", "trunc"),
            )
        },
        "atan": _floats(_atan),
        "pow": _floats(torch.pow),
        "inversesqrt": _floats(torch.rsqrt),
        "radians": _floats(lambda x: x * _RADIANS),
        "degrees": _floats(lambda x: x / _RADIANS),
        "fract": _floats(lambda x: x - x.floor()),
        "round": _floats(_round),
        "roundEven": _floats(torch.round),
        "mod": _floats(_modulo),
        "step": _floats(lambda edge, x: (x >= edge).float()),
        "smoothstep": _floats(_smoothstep),
        "abs": _numbers(torch.abs),
        "sign": _numbers(torch.sign),
        "min": _numbers(_extreme(torch.minimum)),
        "max": _numbers(_extreme(torch.maximum)),
        "clamp": _numbers(_clamp),
        "mix": _mix,
        "dot": _dot,
        "length": _length,
        "distance": lambda a, b: _length(a - b),
        "normalize": _normalize,
        "reflect": _reflect,
        "cross": _cross,
        "any": lambda a: a.any(-1),
        "all": lambda a: a.all(-1),
        "not": torch.logical_not,
        "lessThan": torch.lt,
        "lessThanEqual": torch.le,
        "greaterThan": torch.gt,
        "greaterThanEqual": torch.ge,
        "equal": torch.eq,
        "notEqual": torch.ne,
        "isnan": torch.isnan,
        "isinf": torch.isinf,
        "transpose": lambda a: a.transpose(-1, -2),
        "texture": lambda texture, place, *_: texture.sample(place),
        "textureLod": lambda texture, place, *_: texture.sample(place),
        "texelFetch": lambda texture, place, *_: texture.fetch(place),
        "textureSize": lambda texture, *_: texture.size(),
    }
)


def built(kind: str, values: Sequence[Tensor]) -> Tensor:
    """What the constructor of a type makes: `vec3(1.0)`, `vec4(color, 1.0)`, `int(x)`."""
    dtype = dtype_of(kind)
    given = [value.to(dtype) if dtype != torch.bool else value != 0 for value in values]
    if dtype == torch.int64:
        given = [value & 0xFFFFFFFF for value in given]
    size = size_of(kind)
    if kind.startswith("mat"):
        return _matrix(given, size)
    if size == 1:
        return given[0] if given[0].ndim == 1 else given[0].flatten(1)[:, 0]
    if len(given) == 1 and given[0].ndim == 1:
        return given[0][:, None].expand(-1, size)
    return _joined(given)[:, :size]


def _joined(values: Sequence[Tensor]) -> Tensor:
    rows = max(value.shape[0] for value in values)
    flat = [value[:, None] if value.ndim == 1 else value.flatten(1) for value in values]
    return torch.cat([each.expand(rows, -1) for each in flat], dim=1)


def _matrix(values: Sequence[Tensor], size: int) -> Tensor:
    if len(values) == 1 and values[0].ndim == 1:
        return torch.eye(size) * values[0][:, None, None]
    if len(values) == 1 and values[0].ndim == 3:
        return values[0][:, :size, :size]
    return _joined(values)[:, : size * size].reshape(-1, size, size)


def dtype_of(kind: str) -> torch.dtype:
    """The dtype of a type's numbers; `uint` has 64 bits, of which 32 are used."""
    if kind.startswith(("uint", "uvec")):
        return torch.int64
    if kind.startswith(("int", "ivec")):
        return torch.int32
    return torch.bool if kind.startswith("b") else torch.float32


def size_of(kind: str) -> int:
    """The numbers of a vector or of a column; 1 for a scalar."""
    return int(kind[-1]) if kind[-1].isdigit() else 1


def zero(kind: str) -> Tensor:
    """The value of a variable without one."""
    size = size_of(kind)
    shape = (1, size, size) if kind.startswith("mat") else (1, size) if size > 1 else (1,)
    return torch.zeros(shape, dtype=dtype_of(kind))
