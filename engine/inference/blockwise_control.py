"""Blockwise control networks of Qwen-Image in runs: hooks after each block of the denoiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.families.qwen_image.blockwise import BlockwiseConfig, BlockwiseControl
from engine.families.qwen_image.network import QwenImageConfig
from engine.inference.hook_run import HookStart, WeightedHook
from engine.inference.pictures import for_network
from engine.inference.vae import encode
from engine.inference.values import Model, Start, Vae
from engine.nets.hooks import Hook
from engine.residency.handles import Weights

if TYPE_CHECKING:
    from engine.inference.model_patches import ModelPatch

PLACE = "double_block"


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The picture [1 or B, H, W, C] that a network is shown, and its holes [M, H, W], if any."""

    vae: Vae
    image: Tensor
    mask: Tensor | None


def blockwise(
    model: Model, patch: ModelPatch, config: BlockwiseConfig, shown: Shown, strength: float
) -> Model:
    """The model with a control network, which sees the picture at the size of each run.

    Raises:
        NodeError: the model is no Qwen-Image of that width, the VAE is another's, or the network
            takes no mask.
    """
    _check(patch, config, model)
    latent, found = model.latent, shown.vae.latent
    if (found.channels, found.downscale) != (latent.channels, latent.downscale):
        raise NodeError(
            f"{patch.name} takes pictures encoded with the VAE of Qwen-Image ({latent.channels} "
            f"channels, {latent.dims} axes), the connected VAE makes latents of {found.channels} "
            f"channels and {found.dims} axes; connect the VAE of Qwen-Image"
        )
    if shown.mask is not None and not config.mask:
        raise NodeError(
            f"{patch.name} takes no mask; leave it out, or use the inpainting network of Qwen-Image"
        )
    change = partial(_started, patch=patch, config=config, shown=shown, strength=strength)
    return replace(model, per_run=(*model.per_run, change))


def _check(patch: ModelPatch, config: BlockwiseConfig, model: Model) -> None:
    sizes = model.config
    if not isinstance(sizes, QwenImageConfig) or sizes.channels != config.channels:
        raise NodeError(
            f"{patch.name} is a control network of Qwen-Image with tokens of {config.channels} "
            f"numbers; {model.net.name}, of the family {model.family.name}, is no such model"
        )


def _started(
    model: Model,
    start: Start,
    *,
    patch: ModelPatch,
    config: BlockwiseConfig,
    shown: Shown,
    strength: float,
) -> Model:
    """The model of one run."""
    hook = _Blockwise(patch, config, _encoded(model, config, shown, start.run.shape), strength)
    return replace(model, hooks=model.hooks.with_patch(PLACE, hook))


def _encoded(model: Model, config: BlockwiseConfig, shown: Shown, shape: Sequence[int]) -> Tensor:
    """The network's input [B, C, 1, h, w]; holes are black, and 0 in the mask."""
    height, width = shape[-2:]
    rows, columns = height * model.latent.pixels, width * model.latent.pixels
    pixels = for_network(shown.image, rows, columns)
    holes = torch.zeros(1, 1, rows, columns)
    if shown.mask is not None:
        mask = shown.mask.float().reshape(-1, *shown.mask.shape[-2:], 1)
        holes = for_network(mask, rows, columns)[:, :1]
        holes = holes[torch.arange(len(pixels)) % len(holes)]
        pixels = pixels * (holes <= 0.5)
    # One by one: the autoencoder would take them as frames.
    encoded = [encode(shown.vae, row[None]) for row in pixels.movedim(1, -1)]
    found = model.latent.into(torch.cat(encoded).float())
    if not config.mask:
        return found
    kept = torch.nn.functional.interpolate(1.0 - holes, size=(height, width), mode="nearest")
    return torch.cat((found, kept.expand(len(found), -1, -1, -1)[:, :, None]), dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Blockwise(WeightedHook):
    """A control network in a run."""

    patch: ModelPatch
    config: BlockwiseConfig
    picture: Tensor
    strength: float

    @property
    def weights(self) -> Weights:
        """See `WeightedHook`."""
        return self.patch.weights

    def check(self, model: Model) -> None:
        """See `WeightedHook`."""
        _check(self.patch, self.config, model)

    def room_for(self, model: Model, shape: Sequence[int], dtype_bytes: int) -> int:
        """The tensors of one block, and the picture's tokens."""
        del model
        return 6 * shape[0] * (prod(shape[2:]) // 4) * self.config.channels * dtype_bytes

    def started(self, start: HookStart) -> Hook:
        """See `WeightedHook`."""
        net = cast("BlockwiseControl", start.module)
        picture = self.picture.to(start.device, start.dtype)
        tokens: list[Tensor] = []

        def added(given: Mapping[str, Any]) -> dict[str, Tensor]:
            if given["x"].shape[2:] != picture.shape[2:]:
                raise NodeError(
                    "a blockwise control network of Qwen-Image sees the whole of one picture; it "
                    "cannot be used with conditionings for areas of it, or with layers"
                )
            if not tokens:
                tokens.append(net(picture))
            image, number = given["img"], given["block_index"]
            if number >= len(net.controlnet_blocks):
                return {"txt": given["txt"], "img": image}
            seen = tokens[0][torch.arange(len(image), device=image.device) % len(tokens[0])]
            ours = image[:, : seen.shape[1]]
            found = net.controlnet_blocks[number](ours, seen)
            image = torch.cat((ours + self.strength * found, image[:, seen.shape[1] :]), dim=1)
            return {"txt": given["txt"], "img": image}

        return added
