"""The tensors of one module of an adapter file, by meaning."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.weights.state_dict import Entry

Shape = tuple[int, ...]
RESHAPED = "reshape_weight"
"""The part with the shape to which a weight is widened before it is changed."""
NORM_SCALE = "norm_scale"
"""The part with the new values of a norm that calls them `scale`."""
MOST_AXES = 8

_LORA: Mapping[str, str] = {
    "lora_up": "up",
    "lora_down": "down",
    "lora_mid": "mid",
    "lora.up": "up",
    "lora.down": "down",
    "lora_linear_layer.up": "up",
    "lora_linear_layer.down": "down",
    "lora_B": "up",
    "lora_A": "down",
    "lora_embedding_B": "up",
    "lora_embedding_A": "down",
    "lora_magnitude_vector": "magnitude",
}
"""With `.weight`, without, or with an adapter's name between as in peft: `lora_A.my.weight`."""
_PEFT = ("lora_A", "lora_B", "lora_embedding", "lora_magnitude")
"""Parts that may include an adapter's name."""
_PLAIN: tuple[str, ...] = (
    "alpha",
    "dora_scale",
    "diff",
    "diff_b",
    "set_weight",
    "w_norm",
    "b_norm",
    "hada_w1_a",
    "hada_w1_b",
    "hada_w2_a",
    "hada_w2_b",
    "hada_t1",
    "hada_t2",
    "lokr_w1",
    "lokr_w1_a",
    "lokr_w1_b",
    "lokr_w2",
    "lokr_w2_a",
    "lokr_w2_b",
    "lokr_t2",
    "oft_blocks",
    "oft_diag",
    "rescale",
    "on_input",
    "ia3_l",
    RESHAPED,
)
_GLORA: tuple[str, ...] = ("a1", "a2", "b1", "b2")
_PATTERN = re.compile(
    r"(?P<module>.+?)"
    r"(?:[._](?P<lora>" + "|".join(map(re.escape, sorted(_LORA, key=len, reverse=True))) + r")"
    r"(?:\.(?P<adapter>[A-Za-z0-9_-]+))??(?:\.(?P<kind>weight|bias))?"
    r"|\.(?P<plain>" + "|".join(sorted(_PLAIN, key=len, reverse=True)) + r")"
    r"|\.(?P<glora>" + "|".join(_GLORA) + r")\.weight"
    r")"
)
_XLABS = re.compile(r"(?P<module>.+\.processor\.(?:qkv|proj)_lora[12])\.(?P<part>up|down)\.weight")
"""Two adapters of one block, of its picture and of its text tokens."""


def split_name(name: str) -> tuple[str, str] | None:
    """A tensor's name as (module, part); None if it is not an adapter's.

    `lora_unet_mid_block.lora_up.weight` is the part `up` of the module `lora_unet_mid_block`.
    """
    if theirs := _XLABS.fullmatch(name):
        return theirs["module"], theirs["part"]
    found = _PATTERN.fullmatch(name)
    if found is None:
        return None
    if lora := found["lora"]:
        part = _LORA[lora]
        if found["adapter"] and not lora.startswith(_PEFT):
            return None
        if found["kind"] == "bias":
            return (found["module"], "up_bias") if part == "up" else None
        return found["module"], part
    return found["module"], found["plain"] or found["glora"]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The parts of one module.

    Attributes:
        module: the module's name in the file, for messages.
        entries: the tensors by part, not read yet.
        origin: the file's name, for messages.
    """

    module: str
    entries: Mapping[str, Entry]
    origin: str = ""

    def __contains__(self, part: object) -> bool:
        return part in self.entries

    def shape(self, part: str) -> Shape:
        """The shape of one part.

        Raises:
            WeightsError: the module lacks it, it is empty, or it holds no real numbers.
        """
        entry = self.entries.get(part)
        if entry is None:
            raise WeightsError(f"{self.module} has no {part}, found {', '.join(self.entries)}")
        if entry.dtype.is_complex or 0 in entry.shape:
            raise WeightsError(f"{self.module}: {part} is {list(entry.shape)} of {entry.dtype}")
        return entry.shape

    def matrix(self, part: str) -> tuple[int, int]:
        """The shape of one part with the axes after the first flattened. Raises as `shape`."""
        shape = self.shape(part)
        if len(shape) < 2:
            raise WeightsError(f"{self.module}: {part} is {list(shape)}, expected a matrix")
        return shape[0], prod(shape[1:])

    def values(self, part: str, like: Tensor) -> Tensor:
        """The values of one part in float32, on the device of `like`.

        Raises:
            WeightsError: some are NaN or infinite; they would spoil every picture.
        """
        read = self.entries[part].read().to(torch.float32)
        if not torch.isfinite(read).all():
            raise self._not_finite(part)
        return read.to(like.device)

    def flat(self, part: str, like: Tensor) -> Tensor:
        """One part as a matrix, see `matrix`."""
        return self.values(part, like).flatten(1)

    def scale(self, rank: int) -> float:
        """The factor of a product of that rank: alpha / rank, 1 without alpha."""
        alpha = self.alpha()
        return 1.0 if alpha is None else alpha / rank

    def alpha(self) -> float | None:
        """The number stored as alpha, if there is one. Raises as `values`."""
        entry = self.entries.get("alpha")
        if entry is None:
            return None
        found = float(entry.read().reshape(-1)[0])
        if not math.isfinite(found):
            raise self._not_finite("alpha")
        return found

    def check_alpha(self) -> None:
        """Raises `WeightsError` if alpha exists and is not a number."""
        if "alpha" in self and prod(self.shape("alpha")) != 1:
            shape = list(self.shape("alpha"))
            raise WeightsError(f"{self.module}: alpha is {shape}, expected one number")

    def check_reshaped(self, shape: Shape) -> None:
        """Raises `WeightsError` if the file requires a wider target than this shape."""
        if RESHAPED not in self:
            return
        if prod(self.shape(RESHAPED)) > MOST_AXES:
            raise self.refuse(f"{RESHAPED} {list(self.shape(RESHAPED))}", shape)
        sides = self.entries[RESHAPED].read().double().flatten()
        if not torch.isfinite(sides).all():
            raise self._not_finite(RESHAPED)
        wanted = tuple(int(side) for side in sides.tolist())
        if wanted != shape:
            raise WeightsError(
                f"{self.module} is for a weight widened from {list(shape)} to {list(wanted)}; "
                "widening is not supported yet, use a model whose weight has this shape"
            )

    def _not_finite(self, part: str) -> WeightsError:
        file = f"{self.origin}: " if self.origin else ""
        return WeightsError(
            f"{file}{part} of {self.module} holds values that are no finite numbers (NaN or "
            "infinite); its training probably diverged. Choose another file."
        )

    def refuse(self, found: object, expected: Shape) -> WeightsError:
        """The error to raise if this module's result differs in shape from its target."""
        return WeightsError(f"{self.module} makes {found}, its target has {list(expected)}")
