"""GLIGEN: opened from files, applied to conditioning entries as phrases with boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from engine.errors import NodeError, WeightsError
from engine.families.detect import recognise
from engine.inference.adapters import shapes_of
from engine.inference.hook_run import HookStart, WeightedHook
from engine.inference.load import module_weights
from engine.inference.values import Conditioning, Model
from engine.nets.gligen import (
    MOST_BOXES,
    Fuser,
    Gligen,
    GligenConfig,
    PositionNet,
    gligen_config,
    gligen_tensors,
    module_names,
)
from engine.nets.hooks import Hook, NetHooks
from engine.nets.unet_places import UNetPlace, place_of, transformers_of
from engine.residency.carriers import Wants
from engine.residency.handles import Weights
from engine.weights.open import open_weights

ENTRY = "gligen"
"""The key in a conditioning entry: `("position", GligenModel, [PlacedPhrase, ...])`."""
POSITION = "position"
CELL = 8
"""Pixels of a cell, in which boxes are given."""
PlacedPhrase = tuple[Tensor, int, int, int, int]
"""(pooled text [1, D], height, width, y, x), the sides in cells; the incumbent's form."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class GligenModel:
    """A GLIGEN file: its sizes and its weights; the value of a GLIGEN wire."""

    name: str
    config: GligenConfig
    weights: Weights


def load_gligen(path: Path) -> GligenModel:
    """The GLIGEN networks of a file. Reads names and shapes, no tensor.

    Raises:
        WeightsError: damaged, hostile, foreign or incomplete.
    """
    weights = open_weights(path)
    tensors = gligen_tensors(weights)
    if tensors is None:
        kind = recognise(weights)
        raise WeightsError(
            f"{weights.origin}: no GLIGEN file: {f'this is {kind}' if kind else 'of no known kind'}"
            "; choose one that holds position_net and fusers, such as "
            "gligen_sd14_textbox_pruned.safetensors."
        )
    try:
        config = gligen_config(tensors.refuse_empty())
    except WeightsError as error:
        raise WeightsError(f"{weights.origin}: looks like a GLIGEN file, but {error}") from error

    def build() -> Gligen:
        with torch.device("meta"):
            return Gligen(config)

    handle = module_weights(
        f"{weights.origin}, GLIGEN", build, module_names(config, tensors), Wants()
    )
    return GligenModel(weights.origin, config, handle)


def placed(conditioning: Conditioning, model: GligenModel, phrase: PlacedPhrase) -> list[list[Any]]:
    """The conditioning with one more phrase in a box at each entry.

    Raises:
        NodeError: the phrase was encoded for another model, or there are too many.
    """
    width = phrase[0].shape[-1]
    if width != model.config.text_channels:
        raise NodeError(
            f"the phrase's embedding has {width} numbers, {model.name} takes "
            f"{model.config.text_channels}: take CLIP from the checkpoint of the family that it "
            "was made for"
        )
    found: list[list[Any]] = []
    for tensor, extras in conditioning:
        before: Sequence[PlacedPhrase] = extras[ENTRY][2] if extras.get(ENTRY) else ()
        if len(before) == MOST_BOXES:
            raise NodeError(f"GLIGEN takes at most {MOST_BOXES} boxes, this is one more")
        found.append([tensor, {**extras, ENTRY: (POSITION, model, [*before, phrase])}])
    return found


def gligen_hooks(value: tuple[str, GligenModel, Sequence[PlacedPhrase]]) -> NetHooks:
    """The hooks of an entry from its value under `ENTRY`."""
    _, model, phrases = value
    return NetHooks().with_patch("middle_patch", GligenHook(model, tuple(phrases)))


@dataclass(frozen=True, slots=True, eq=False)
class GligenHook(WeightedHook):
    """Phrases in boxes, as a patch between the two attentions of each transformer."""

    model: GligenModel
    phrases: tuple[PlacedPhrase, ...]

    @property
    def weights(self) -> Weights:
        """The file's."""
        return self.model.weights

    def check(self, model: Model) -> None:
        """See `WeightedHook`: each fuser needs a transformer of its width at its place."""
        held = transformers_of(shapes_of(model.net.base))
        channels = {each.place: each.channels for each in held}
        for name, fuser in self.model.config.fusers:
            found = channels.get(place_of(name))
            if found != fuser.channels:
                there = f"{found} channels" if found else "no transformer"
                raise NodeError(
                    f"{self.model.name} was made for a model with {fuser.channels} channels at "
                    f"{name}, and this one ({model.family.name}) has {there} there; use a "
                    "checkpoint of the family that the GLIGEN file belongs to, mostly Stable "
                    "Diffusion 1"
                )

    def room_for(self, model: Model, shape: Sequence[int], dtype_bytes: int) -> int:
        """The tokens of the widest fuser at the full size of x, its projections and gates."""
        del model
        widest = max(2 * fuser.feed_forward + 6 * fuser.channels for fuser in self._at_full_size())
        return shape[0] * (prod(shape[2:]) + MOST_BOXES) * widest * dtype_bytes

    def _at_full_size(self) -> list[Any]:
        """Of each width halves the size of the picture, so the narrowest takes the most memory."""
        fusers = [fuser for _, fuser in self.model.config.fusers]
        narrowest = min(fuser.channels for fuser in fusers)
        return [fuser for fuser in fusers if fuser.channels == narrowest]

    def started(self, start: HookStart) -> Hook:
        """See `WeightedHook`. Objects are computed once for each size of x."""
        net = cast("Gligen", start.module)
        places = (place_of(name) for name, _ in self.model.config.fusers)
        fusers = dict(zip(places, cast("list[Fuser]", list(net.fusers)), strict=True))
        known: dict[tuple[int, ...], Tensor] = {}

        def patch(tokens: Tensor, options: Mapping[str, Any]) -> Tensor:
            place: UNetPlace = (*options["block"], options["block_index"])
            if place not in fusers:
                return tokens
            size = tuple(options["original_shape"][-2:])
            if size not in known:
                known[size] = self._objects(net.position_net, size, start)
            found = fusers[place](tokens.to(start.dtype), known[size], options["n_heads"])
            return found.to(tokens.dtype)

        return patch

    def _objects(self, net: PositionNet, size: tuple[int, ...], start: HookStart) -> Tensor:
        """The objects [1, MOST_BOXES, D] for x of that height and width in cells."""
        rows, columns = size
        boxes = [
            (x / columns, y / rows, (x + width) / columns, (y + height) / rows)
            for _, height, width, y, x in self.phrases
        ]
        phrases = torch.cat([pooled.reshape(1, -1) for pooled, *_ in self.phrases])
        return net(
            phrases.to(start.device, start.dtype),
            torch.tensor(boxes, dtype=torch.float32, device=start.device),
        )
