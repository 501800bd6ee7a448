"""Hypernetworks: opened from files, applied to models as hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.inference.hook_run import HookStart, WeightedHook
from engine.inference.load import module_weights
from engine.inference.values import Model
from engine.nets.hooks import Hook
from engine.nets.hypernetwork import (
    ACTIVATIONS,
    LINEAR,
    Hypernetwork,
    HypernetworkConfig,
    Layer,
    layers_of,
)
from engine.residency.carriers import Wants
from engine.residency.handles import Weights
from engine.weights.open import open_document
from engine.weights.state_dict import StateDict

KIND = "a hypernetwork"
OLD_NAMES: Mapping[str, str] = {"linear1": "linear.0", "linear2": "linear.1"}
"""Names of the first files, which had two layers."""
ADVICE = "Choose a hypernetwork as AUTOMATIC1111's web UI saves it (.pt)."


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class OpenHypernetwork:
    """A hypernetwork: its sizes and its weights."""

    name: str
    config: HypernetworkConfig
    weights: Weights


@dataclass(frozen=True, slots=True, eq=False)
class HypernetworkHook(WeightedHook):
    """A hypernetwork at a strength, as a patch of `attn1` and `attn2`."""

    opened: OpenHypernetwork
    strength: float

    @property
    def weights(self) -> Weights:
        """The file's."""
        return self.opened.weights

    def check(self, model: Model) -> None:
        """Nothing: widths that the model does not have are not used."""

    def room_for(self, model: Model, shape: Sequence[int], dtype_bytes: int) -> int:
        """The changed tokens, and those between two layers, at the full size of x."""
        del model
        layers = self.opened.config.layers
        narrowest = min(layers)
        widest = max(layer.size for pair in layers[narrowest] for layer in pair)
        return 4 * shape[0] * prod(shape[2:]) * max(widest, narrowest) * dtype_bytes

    def started(self, start: HookStart) -> Hook:
        """See `WeightedHook`."""
        return cast("Hypernetwork", start.module).patch(self.strength, start.dtype)


def load_hypernetwork(path: Path) -> OpenHypernetwork:
    """The hypernetwork of a file.

    Raises:
        WeightsError: damaged, hostile, foreign or incomplete.
    """
    document = open_document(path, KIND)
    name = path.name
    networks = dict(_networks(document, name))
    if not networks:
        raise WeightsError(
            f"{name}: not {KIND}: it should hold two lists of layers by width (320, 768 ...), "
            f"found {_seen(document)}. {ADVICE}"
        )
    layers: dict[int, tuple[tuple[Layer, ...], tuple[Layer, ...]]] = {}
    tensors: dict[str, Tensor] = {}
    for width, pair in networks.items():
        found: list[tuple[Layer, ...]] = []
        for number, held in enumerate(pair):
            try:
                shapes = {key: tuple(each.shape) for key, each in held.items()}
                found.append(layers_of(shapes, width))
            except WeightsError as error:
                raise WeightsError(f"{name}: a damaged hypernetwork: {error}. {ADVICE}") from error
            tensors |= {f"networks.{width}.{number}.{key}": each for key, each in held.items()}
        layers[width] = (found[0], found[1])
    config = _config(document, layers, name)

    def build() -> Hypernetwork:
        with torch.device("meta"):
            return Hypernetwork(config)

    weights = module_weights(
        f"{name}, hypernetwork", build, StateDict.of(tensors, path=path), Wants()
    )
    return OpenHypernetwork(name, config, weights)


def _networks(document: Any, name: str) -> Iterator[tuple[int, list[dict[str, Tensor]]]]:
    """The tensors for keys and values by width, under today's names."""
    for width, pair in document.items() if isinstance(document, Mapping) else ():
        if not isinstance(width, int) or isinstance(width, bool):
            continue
        is_pair = isinstance(pair, Sequence) and len(pair) == 2
        held = [each for each in pair if isinstance(each, Mapping)] if is_pair else []
        if len(held) != 2:
            raise WeightsError(
                f"{name}: a damaged hypernetwork: for {width} channels it should hold two lists "
                f"of layers, found {_seen(pair)}. {ADVICE}"
            )
        yield width, [_renamed(each) for each in held]


def _renamed(held: Mapping[Any, Any]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for key, tensor in held.items():
        if isinstance(key, str) and isinstance(tensor, Tensor):
            first, _, rest = key.partition(".")
            found[f"{OLD_NAMES[first]}.{rest}" if first in OLD_NAMES else key] = tensor.detach()
    return found


def _config(
    document: Mapping[Any, Any],
    layers: Mapping[int, tuple[tuple[Layer, ...], tuple[Layer, ...]]],
    name: str,
) -> HypernetworkConfig:
    """With the settings of the file.

    Files that say nothing of the output were trained with an activated one.
    """
    activation = document.get("activation_func") or LINEAR
    if activation not in ACTIVATIONS:
        raise WeightsError(
            f"{name}: its activation is {str(activation)[:50]!r}; known are "
            f"{', '.join(sorted(ACTIVATIONS))}."
        )
    output = bool(document.get("activate_output", True))
    return HypernetworkConfig(layers, activation, activate_output=output)


def _seen(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} entries, first {[str(key)[:40] for key in list(value)[:3]]}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{len(value)} items"
    return type(value).__name__


def with_hypernetwork(model: Model, opened: OpenHypernetwork, strength: float) -> Model:
    """The model with a hypernetwork applied to the keys and values of all attentions."""
    hook = HypernetworkHook(opened, strength)
    hooks = model.hooks.with_patch("attn1_patch", hook).with_patch("attn2_patch", hook)
    return replace(model, hooks=hooks)


def said_of(model: Model, opened: OpenHypernetwork) -> str | None:
    """A sentence if no attention of the model has tokens of the hypernetwork's widths."""
    ends = ("attn1.to_k.weight", "attn2.to_k.weight")
    widths = {source.shape[-1] for name, source in model.net.sources.items() if name.endswith(ends)}
    if widths & opened.config.layers.keys():
        return None
    return (
        f"{opened.name} has no effect: it was made for tokens of "
        f"{', '.join(map(str, sorted(opened.config.layers)))} numbers, and this model "
        f"({model.family.name}) has {', '.join(map(str, sorted(widths))) or 'none'}; use it with a "
        "model of the family that it was trained for"
    )
