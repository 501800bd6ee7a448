"""Stable Zero123: one picture of an object to a view of it from another side.

The UNet of Stable Diffusion 1 with the picture's latent beside the noisy one; a projection joins
the encoded picture with the camera. After Liu et al. 2023, "Zero-1-to-3".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, discrete
from engine.errors import NodeError, WeightsError
from engine.families import picture_channels, picture_prompt
from engine.families.family import Checkpoint, Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import STABLE_DIFFUSION_RGB, LatentFormat
from engine.families.unet_family import UNetFamily, downscale_of
from engine.nets import unet_keys
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.layers import Linear
from engine.nets.unet import UNet, UNetConfig, unet_config
from engine.text.encoder import Encoded
from engine.weights.state_dict import StateDict

HEADS = 8
LATENT_CHANNELS = 4
LATENT_SCALE = 0.18215
PROJECTION = "cc_projection."
NODES = "StableZero123_Conditioning"


@dataclass(frozen=True, slots=True)
class Zero123Config:
    """The configuration of one file; `camera`: numbers that follow the encoded picture."""

    unet: UNetConfig
    camera: int = 4
    downscale: int = 8


class Zero123(UNet):
    """The UNet, and the projection of an encoded picture and a camera to its context."""

    def __init__(self, config: Zero123Config) -> None:
        super().__init__(config.unet)
        width = config.unet.context_channels or 0
        self.cc_projection = Linear(width + config.camera, width)

    def context(self, seen: Tensor, projects: Tensor) -> Tensor:
        """`seen` [B, T, width + camera], projects [B, 1]: 1, or 0 for rows without a camera."""
        width = self.cc_projection.out_features
        return torch.where(projects[..., None] > 0, self.cc_projection(seen), seen[..., :width])


def combine(encoded: Mapping[str, Encoded]) -> NoReturn:
    """Refuse a prompt."""
    del encoded
    raise picture_prompt.refusal("Stable Zero123", NODES)


class StableZero123(UNetFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Zero123"
    examples = "Stable Zero123 (huggingface.co/stabilityai/stable-zero123), object to other views"
    text = TextPlan({}, combine)

    def detect(self, weights: StateDict) -> Zero123Config | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        shape = weights.shape(f"{PROJECTION}weight")
        denoiser = unet_keys.tensors(weights) if shape else None
        if denoiser is None or shape is None:
            return None
        config = unet_config(denoiser.shapes, heads=HEADS)
        width = config.context_channels
        if len(shape) != 2 or shape[0] != width or shape[1] <= shape[0]:
            raise WeightsError(
                f"its {PROJECTION}weight has the shape {list(shape)}, expected {width} rows and "
                "some more columns, for the camera"
            )
        if config.in_channels != picture_channels.EDITING:
            raise WeightsError(
                f"its network takes {config.in_channels} channels, expected "
                f"{picture_channels.EDITING}"
            )
        return Zero123Config(config, shape[1] - shape[0], downscale_of(weights, 8))

    def latent(self, config: Zero123Config) -> LatentFormat:
        """Four channels; an eighth of the picture's side."""
        return LatentFormat(
            channels=LATENT_CHANNELS,
            downscale=(config.downscale, config.downscale),
            scale=LATENT_SCALE,
            rgb_factors=STABLE_DIFFUSION_RGB,
            tiny="taesd",
        )

    def build(self, config: Zero123Config) -> nn.Module:
        """The network on the meta device."""
        with torch.device("meta"):
            return Zero123(config)

    def denoiser(self, config: Zero123Config, weights: StateDict) -> StateDict:
        """The tensors of the UNet and of the projection."""
        del config
        unet = unet_keys.denoiser(weights)
        own = {k: e for k, e in weights.entries.items() if k.startswith(PROJECTION)}
        return StateDict({**unet.entries, **own}, weights.path, weights.metadata, weights.forget)

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """None: it takes no text."""
        del weights, name

    def parameterization(self, config: Zero123Config) -> Parameterization:
        """1,000 levels, eps."""
        del config
        return discrete()

    def inputs(
        self, config: Zero123Config, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The encoded picture, with or without a camera, and its latent as `concat`.

        No latent: zeros.

        Raises `NodeError` if the conditioning is for another model.
        """
        del role
        seen, width = entry.embedding, config.unet.context_channels or 0
        projects = seen.shape[-1] == width + config.camera
        if not projects:
            check_tokens(entry, width, advice=f"Use {NODES} with the checkpoint's CLIP vision.")
            seen = functional.pad(seen, (0, config.camera))
        if len(seen) not in (1, run.shape[0]):
            raise NodeError(
                f"the conditioning has {len(seen)} views, the latent {run.shape[0]} rows; use the "
                f"latent of {NODES}"
            )
        picture = picture_channels.picture_channels(
            config.unet.in_channels, entry, run, self.latent(config)
        )
        return {
            "seen": Input(seen),
            "projects": Input(torch.tensor([[float(projects)]])),
            **picture,
        }

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        control: Residuals | None,
        hooks: NetHooks | None,
        checkpoint: Checkpoint,
    ) -> Tensor:
        """One call of the network. x and inputs are in the dtype it computes in."""
        context = cast("Zero123", net).context(inputs["seen"], inputs["projects"])
        inputs = {**inputs, "context": context}
        return super().predict(
            net, x, timestep, inputs, control=control, hooks=hooks, checkpoint=checkpoint
        )
