"""What the families of one network, the UNet of latent diffusion, have in common.

They differ in their sizes, in what they attend to and in what they are given beside the latent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.families import autoencoders, picture_channels
from engine.families.family import Checkpoint
from engine.nets import unet_keys
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.unet import UNet, UNetConfig
from engine.nets.unet_names import unet_names
from engine.weights.state_dict import StateDict


class HasUNet(Protocol):
    """A configuration of one of these families."""

    @property
    def unet(self) -> UNetConfig:
        """The sizes of the UNet."""
        ...


class UNetFamily:
    """The part of `engine.families.family.ModelFamily` that these families share.

    Attributes:
        widest_tensors: the memory of a call as a multiple of a tensor of the first width at full
            size. For Stable Diffusion 1, which attends at full size, 45 to 57 were measured in
            bf16 on a CPU, with all that kernels allocate.
    """

    widest_tensors: int = 70

    def build(self, config: Any) -> nn.Module:
        """The UNet on the meta device."""
        with torch.device("meta"):
            return UNet(config.unet)

    def denoiser(self, config: Any, weights: StateDict) -> StateDict:
        """The UNet's tensors."""
        del config
        return unet_keys.denoiser(weights)

    def autoencoder(self, weights: StateDict) -> StateDict | None:
        """The autoencoder within a checkpoint."""
        return autoencoders.within(weights)

    def metadata(self, config: Any) -> Mapping[str, str]:
        """Nothing: the tensors are sufficient."""
        del config
        return {}

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """Any."""
        del config
        return ()

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
        """One call of the UNet. x and inputs are in the dtype the net computes in.

        Of the inputs, `concat` are further channels of x, `vector` is the UNet's `y`, and `frame`
        [1, F] numbers the frames of a video.
        """
        return net(
            picture_channels.with_picture(x, inputs),
            timestep,
            inputs["context"],
            inputs.get("vector"),
            control=control,
            hooks=hooks,
            frames=inputs["frame"].shape[1] if "frame" in inputs else 1,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: HasUNet) -> Mapping[str, str]:
        """See `engine.nets.unet_names`."""
        return unet_names(config.unet)

    def activation_bytes(self, config: HasUNet, shape: Sequence[int], dtype_bytes: int) -> int:
        """See `widest_tensors`."""
        widest = shape[0] * prod(shape[2:]) * config.unet.model_channels
        return self.widest_tensors * widest * dtype_bytes


@dataclass(frozen=True, slots=True)
class UNetTraits:
    """What tells these families apart, from the shapes of a UNet's tensors.

    Attributes:
        channels: of its input; 0 if that is no convolution.
        context: the width of the text that it attends to; None if it attends to none.
        vector: the width of its `y`; None without one.
        projects_linearly: whether its transformers begin with a matrix, not with a convolution;
            None without transformers.
        has_labels: whether it is given something beside time and text, a vector or a class.
        is_temporal: whether it has layers over frames.
    """

    channels: int
    context: int | None
    vector: int | None
    projects_linearly: bool | None
    has_labels: bool
    is_temporal: bool


def unet_traits(denoiser: StateDict) -> UNetTraits:
    """The traits of a UNet under its original names."""
    entry = denoiser.shape(unet_keys.MARK) or ()
    context = _first_shape(denoiser, ".attn2.to_k.weight")
    projection = _first_shape(denoiser, ".1.proj_in.weight")
    vector = denoiser.shape("label_emb.0.0.weight") or ()
    return UNetTraits(
        channels=entry[1] if len(entry) == 4 else 0,
        context=context[1] if len(context) == 2 else None,
        vector=vector[-1] if vector else None,
        projects_linearly={2: True, 4: False}.get(len(projection)),
        has_labels=any(name.startswith("label_emb.") for name in denoiser),
        is_temporal=any(".time_stack." in name for name in denoiser),
    )


def downscale_of(weights: StateDict, usual: int) -> int:
    """Pixels per latent cell along one side, by the autoencoder in the file; `usual` without."""
    autoencoder = autoencoders.within(weights)
    return autoencoders.downscale(autoencoder) if autoencoder else usual


def _first_shape(denoiser: StateDict, ending: str) -> Sequence[int]:
    return denoiser.shape(next((n for n in denoiser if n.endswith(ending)), "")) or ()
