"""Stable Diffusion 3 and 3.5: medium, large, and large turbo.

Esser et al. 2024, "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis". The
sizes come from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import NodeError
from engine.families import preview_factors
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.latent_format import LatentFormat
from engine.families.sd3 import keys, text
from engine.families.sd3.network import MMDiT, MMDiTConfig, check_size
from engine.families.transformer_family import TransformerFamily
from engine.nets.hooks import NetHooks, Residuals
from engine.text import clip_keys
from engine.weights.state_dict import StateDict

LATENT_SCALE, LATENT_SHIFT = 1.5305, 0.0609
SHIFT = 3.0
"""Of the noise levels, for 1024 x 1024 pixels."""
TAKE_CLIP = (
    "Encode the prompt with the CLIP of an SD3 checkpoint, or with that of TripleCLIPLoader or "
    "DualCLIPLoader with type sd3."
)
TEXT_TOKENS = 512
"""Text tokens that the estimate of memory allows for."""


class StableDiffusion3(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Stable Diffusion 3"
    examples = (
        "SD3 medium, SD3.5 medium, large and large turbo (huggingface.co/stabilityai), with or "
        "without text encoders in the file"
    )
    encoder_prefixes = text.PREFIXES
    text = text.PLAN
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config_of)
    network = MMDiT

    def latent(self, config: MMDiTConfig) -> LatentFormat:
        """Sixteen channels, of an autoencoder of its own."""
        return LatentFormat(
            channels=config.channels,
            downscale=(8, 8),
            scale=LATENT_SCALE,
            shift=LATENT_SHIFT,
            rgb_factors=preview_factors.SD3
            if config.channels == len(preview_factors.SD3)
            else None,
            tiny="taesd3",
        )

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """CLIP L, CLIP bigG and T5 XXL within a checkpoint."""
        if name == "t5xxl":
            return super().encoder(weights, name)
        return clip_keys.within(weights, self.encoder_prefixes.get(name, ()))

    def parameterization(self, config: MMDiTConfig) -> Parameterization:
        """A flow whose timestep runs to 1000."""
        del config
        return flow(SHIFT)

    def dtypes(self, config: MMDiTConfig) -> Sequence[torch.dtype]:
        """Any."""
        del config
        return ()

    def inputs(
        self, config: MMDiTConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text's tokens and its pooled vector.

        Raises:
            NodeError: the conditioning is another model's, or the picture is too large.
        """
        del role
        check_size(config.positions, *run.shape[-2:])
        check_tokens(entry, config.context, advice=TAKE_CLIP)
        pooled: Tensor | None = entry.extras.get("pooled_output")
        if pooled is None or pooled.shape[-1] != config.vector:
            found = "none" if pooled is None else f"one of {pooled.shape[-1]} numbers"
            raise NodeError(
                f"the model takes a pooled text of {config.vector} numbers, the conditioning has "
                f"{found}. {TAKE_CLIP}"
            )
        return {"context": Input(entry.embedding), "vector": Input(pooled)}

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
        """One call of the MMDiT; the output is a velocity."""
        return net(
            x,
            timestep,
            inputs["context"],
            inputs["vector"],
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: MMDiTConfig) -> Mapping[str, str | Rows]:
        """Diffusers' names."""
        return keys.diffusers_names(config.depth, config.width)

    def activation_bytes(self, config: MMDiTConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """Two tensors of the feed-forward width, and a dozen of the width of tokens."""
        tokens = shape[0] * (prod(shape[2:]) // 4 + TEXT_TOKENS)
        return tokens * (2 * config.feed_forward + 14 * config.width) * dtype_bytes
