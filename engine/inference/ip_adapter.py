"""IP-Adapter: opened from files, applied to models with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, prod
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from engine.diffusion import regions
from engine.diffusion.conditioning import Step
from engine.diffusion.regions import Area
from engine.errors import NodeError, WeightsError
from engine.families.detect import recognise
from engine.inference.adapters import shapes_of
from engine.inference.hook_run import HookStart, WeightedHook
from engine.inference.load import module_weights
from engine.inference.values import Model
from engine.inference.vision import ClipVisionOutput
from engine.nets.attention import attend
from engine.nets.hooks import Hook
from engine.nets.ip_adapter import (
    IpAdapter,
    IpAdapterConfig,
    Projection,
    at_grid,
    ip_adapter_config,
    is_ip_adapter,
    module_names,
    token_grid,
)
from engine.nets.unet_places import UNetPlace, transformers_of
from engine.residency.carriers import Wants
from engine.residency.handles import Weights
from engine.weights.open import open_weights

ENCODERS: Mapping[tuple[bool, int], str] = {
    (True, 768): "ViT-L/14",
    (True, 1024): "ViT-H/14",
    (True, 1280): "ViT-bigG/14",
    (False, 1024): "ViT-L/14",
    (False, 1280): "ViT-H/14",
    (False, 1664): "ViT-bigG/14",
}
"""CLIP vision encoders by (whether their vectors are taken, else hidden states; its width)."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class OpenIpAdapter:
    """An IP-Adapter: its sizes and its weights; the value of an IP_ADAPTER wire."""

    name: str
    config: IpAdapterConfig
    weights: Weights


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What an image encoder found in the pictures of one application.

    Attributes:
        shown: [P, C] or [P, T, C], for the positive.
        hidden: [1, C] or [1, T, C], for the negative.
        per_row: whether each picture is for one row of the batch; else all are for every row.
    """

    shown: Tensor
    hidden: Tensor
    per_row: bool = False


def load_ip_adapter(path: Path) -> OpenIpAdapter:
    """The IP-Adapter of a file. Reads names and shapes, no tensor.

    Raises:
        WeightsError: damaged, hostile, foreign or incomplete, or for face recognition.
    """
    weights = open_weights(path)
    if not is_ip_adapter(weights):
        kind = recognise(weights)
        raise WeightsError(
            f"{weights.origin}: no IP-Adapter: {f'this is {kind}' if kind else 'of no known kind'}"
            "; choose a file that holds image_proj and ip_adapter, such as those of "
            "huggingface.co/h94/IP-Adapter."
        )
    try:
        config = ip_adapter_config(weights.refuse_empty())
    except WeightsError as error:
        raise WeightsError(f"{weights.origin}: looks like an IP-Adapter, but {error}") from error

    def build() -> IpAdapter:
        with torch.device("meta"):
            return IpAdapter(config)

    tensors = module_names(config, weights)
    handle = module_weights(f"{weights.origin}, IP-Adapter", build, tensors, Wants())
    return OpenIpAdapter(weights.origin, config, handle)


def features_of(adapter: OpenIpAdapter, seen: ClipVisionOutput) -> Tensor:
    """What an adapter takes of an image encoder's result: [P, C] or [P, T, C].

    Raises:
        NodeError: the encoder is another than that of the adapter's training.
    """
    config = adapter.config
    embeds = config.projection is Projection.EMBEDS
    found = seen.image_embeds if embeds else seen.penultimate_hidden_states
    if found.shape[-1] != config.channels:
        what = "vectors" if embeds else "hidden states"
        wanted = ENCODERS.get((embeds, config.channels))
        used = ENCODERS.get((embeds, found.shape[-1]))
        raise NodeError(
            f"{adapter.name} takes {what} of {config.channels} numbers"
            f"{f', those of CLIP vision {wanted}' if wanted else ''}; this CLIP vision encoder "
            f"makes {found.shape[-1]}{f' (probably {used})' if used else ''}. Load the encoder "
            "that the IP-Adapter was made for"
        )
    return found


def applied(
    model: Model,
    adapter: OpenIpAdapter,
    pictures: Pictures,
    *,
    weight: float,
    start: float = 0.0,
    end: float = 1.0,
    mask: Tensor | None = None,
) -> Model:
    """The model with pictures as a further prompt.

    Args:
        model: its attentions must be those of the adapter.
        adapter: the file.
        pictures: see `Pictures`.
        weight: the factor of what the pictures add.
        start: share of the run, 0..1, from which it is active.
        end: share of the run until which it is.
        mask: [B, H, W], where it applies; None: everywhere.

    Raises:
        NodeError: the adapter was made for another model.
    """
    hook = IpAdapterHook(adapter, pictures, weight, start, end, mask)
    hook.check(model)
    return replace(model, hooks=model.hooks.with_patch("attn2_addition", hook))


@dataclass(frozen=True, slots=True, eq=False)
class IpAdapterHook(WeightedHook):
    """Pictures at a weight, as an addition to every attention to the text; see `applied`."""

    adapter: OpenIpAdapter
    pictures: Pictures
    weight: float
    start: float
    end: float
    mask: Tensor | None

    @property
    def weights(self) -> Weights:
        """The file's."""
        return self.adapter.weights

    def check(self, model: Model) -> None:
        """See `WeightedHook`: one pair of keys and values for each attention, of its width."""
        found = [each.inner for each in transformers_of(shapes_of(model.net.base))]
        wanted = self.adapter.config.inner
        if list(wanted) != found:
            raise NodeError(
                f"{self.adapter.name} was made for a model with {_attentions(wanted)}; this one "
                f"({model.family.name}) has {_attentions(found)}: use an IP-Adapter of the model's "
                "family"
            )

    def room_for(self, model: Model, shape: Sequence[int], dtype_bytes: int) -> int:
        """Its tokens beside the attention's, and those of the pictures."""
        del model
        added = 4 * shape[0] * prod(shape[2:]) * min(self.adapter.config.inner)
        return (added + 16 * self.pictures.shown.numel()) * dtype_bytes

    def started(self, start: HookStart) -> Hook:
        """See `WeightedHook`. The tokens of the pictures are computed once."""
        net = cast("IpAdapter", start.module)
        tokens, shown = self._tokens(net, start)
        held = transformers_of(shapes_of(start.model.net.base))
        pairs = {each.place: pair for each, pair in zip(held, net.pairs, strict=True)}
        to_sigma = start.model.parameterization.percent_to_sigma
        first = inf if self.start <= 0 else to_sigma(self.start)
        last = to_sigma(self.end)
        fitted = _Masks(self.mask, start)
        indices: dict[tuple[int, ...], Tensor] = {}
        known: list[tuple[Step, bool]] = []

        def is_active(step: Step) -> bool:
            if (first, last) == (inf, 0.0):
                return True
            if not known or known[0][0] is not step:
                known[:] = [(step, first >= step.level >= last)]
            return known[0][1]

        def addition(query: Tensor, options: Mapping[str, Any]) -> Tensor | None:
            if not is_active(options["step"]):
                return None
            place: UNetPlace = (*options["block"], options["block_index"])
            rows = (len(query), *options["cond_or_uncond"])
            if rows not in indices:
                indices[rows] = torch.tensor(_rows(rows[1:], rows[0], shown), device=query.device)
            keys, values = (each[indices[rows]].to(query.dtype) for each in pairs[place](tokens))
            found = attend(query, keys, values, options["n_heads"]) * self.weight
            mask = fitted.at(query, options)
            return found if mask is None else found * mask

        return addition

    def _tokens(self, net: IpAdapter, start: HookStart) -> tuple[Tensor, int]:
        """(tokens [P + 1, T, D] for the positive, last those for the negative; P)."""
        shown, hidden = (
            net.image_proj(each.to(start.device, start.dtype))
            for each in (self.pictures.shown, self.pictures.hidden)
        )
        if not self.pictures.per_row:
            hidden = hidden.repeat(1, len(shown), 1)  # attention to repeated tokens is the same
            shown = shown.flatten(0, 1)[None]
        return torch.cat((shown, hidden)), len(shown)


class _Masks:
    """A mask at the tokens of every attention, for the part of the latent that each entry has."""

    def __init__(self, mask: Tensor | None, start: HookStart) -> None:
        self._mask = mask
        self._start = start
        self._known: dict[tuple[object, ...], Tensor] = {}

    def at(self, query: Tensor, options: Mapping[str, Any]) -> Tensor | None:
        """The mask for queries [B, N, C]: [B, N, 1], in their dtype; None if there is none."""
        if self._mask is None:
            return None
        areas: Sequence[Area | None] = options["areas"]
        count, tokens, _ = query.shape
        key = (count, tokens, query.dtype, *areas)
        if key not in self._known:
            size = self._start.shape[2:]
            rows = count // len(areas)
            mask = regions.fitted_mask(self._mask, size, rows)
            parts: list[Tensor] = []
            for area in areas:
                part = regions.cropped(mask[:, None], area)[:, 0]
                grid = token_grid((part.shape[1], part.shape[2]), tokens)
                if grid is None:
                    raise NodeError(
                        f"the IP-Adapter's mask needs the tokens of the whole picture in each "
                        f"attention, found {tokens}: leave out the mask, or the patch that changes "
                        "their number, such as Deep Shrink"
                    )
                parts.append(at_grid(part, grid).expand(rows, -1, -1))
            self._known[key] = torch.cat(parts).to(query.device, query.dtype)
        return self._known[key]


def _rows(unwanted: Sequence[int], count: int, shown: int) -> list[int]:
    """Which of the tokens each of `count` rows takes; those after `shown` are the negative's."""
    rows = count // len(unwanted)
    return [
        shown if is_negative else row % shown for is_negative in unwanted for row in range(rows)
    ]


def _attentions(inner: Sequence[int]) -> str:
    if not inner:
        return "no attentions to a text"
    widths = ", ".join(map(str, sorted(set(inner))))
    return f"{len(inner)} attentions to the text of {widths} channels"
