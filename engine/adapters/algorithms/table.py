"""The algorithms, and the detection of a module's algorithm from its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from engine.adapters.algorithms.boft import Boft
from engine.adapters.algorithms.dora import Decomposed
from engine.adapters.algorithms.full import FullDelta, Replaced
from engine.adapters.algorithms.glora import GloraDelta
from engine.adapters.algorithms.ia3 import PEFT, SCALES, Ia3
from engine.adapters.algorithms.loha import LohaDelta
from engine.adapters.algorithms.lokr import LokrDelta
from engine.adapters.algorithms.lora import LoraBiasDelta, LoraDelta
from engine.adapters.algorithms.oft import Oft
from engine.adapters.change import Added, Change, Delta
from engine.adapters.parts import NORM_SCALE, Parts

WEIGHT, BIAS, SCALE = "weight", "bias", "scale"
"""The tensors of a module that adapters change."""
_DELTAS: Mapping[str, Callable[[Parts], Delta]] = MappingProxyType(
    {
        "up": LoraDelta,
        "down": LoraDelta,
        "hada_": LohaDelta,
        "lokr_": LokrDelta,
        "a1": GloraDelta,
        "b1": GloraDelta,
    }
)
"""By the prefix of a part's name."""


def changes(parts: Parts) -> Iterator[tuple[str, Change]]:
    """(tensor of the module, its change); shapes are not checked yet."""
    delta = next((make for start, make in _DELTAS.items() if _has(parts, start)), None)
    if delta is not None:
        made = delta(parts)
        decomposed = "dora_scale" in parts or "magnitude" in parts
        yield WEIGHT, Decomposed(parts, made) if decomposed else Added(made)
    if "oft_blocks" in parts or "oft_diag" in parts:
        blocks = parts.entries.get("oft_blocks")
        yield WEIGHT, Boft(parts) if blocks and len(blocks.shape) == 4 else Oft(parts)
    if SCALES in parts or PEFT in parts:
        yield WEIGHT, Ia3(parts)
    if "up_bias" in parts:
        yield BIAS, Added(LoraBiasDelta(parts))
    for part, tensor in (("diff", WEIGHT), ("diff_b", BIAS), ("w_norm", WEIGHT), ("b_norm", BIAS)):
        if part in parts:
            yield tensor, Added(FullDelta(parts, part))
    if "set_weight" in parts:
        yield WEIGHT, Replaced(parts, "set_weight")
    if NORM_SCALE in parts:
        yield SCALE, Replaced(parts, NORM_SCALE)


def _has(parts: Parts, start: str) -> bool:
    if start.endswith("_"):
        return any(part.startswith(start) for part in parts.entries)
    return start in parts
