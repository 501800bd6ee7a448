"""Krea 2, raw and turbo: pictures from text (Krea 2026)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.diffusion.shifts import MuShift
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.krea2 import keys, text
from engine.families.krea2.network import Krea2, Krea2Config
from engine.families.transformer_family import TransformerFamily
from engine.families.wan_autoencoder import LATENT
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.transformer_layers import patch_grid

SHIFT = 1.15
"""Turbo's at every size. Raw is trained with 0.5 at 256 x 256 pixels up to this at 1280 x 1280:
ModelSamplingFlux sets those."""
USUAL_TOKENS = 512
"""Of a text, for the estimate of memory."""


class Krea2Family(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Krea 2"
    examples = "Krea 2 raw and turbo (huggingface.co/Comfy-Org/Krea-2)"
    encoder_prefixes = text.PREFIXES
    text = text.PLAN
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config)
    network = Krea2
    latent_format = LATENT

    def parameterization(self, config: Krea2Config) -> Parameterization:
        """A flow of time 0..1 with a shift that does not depend on the size."""
        del config
        return flow(MuShift(SHIFT), multiplier=1.0, levels=10_000)

    def inputs(
        self, config: Krea2Config, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, and its mask if some of it does not count.

        Raises `NodeError` if the conditioning is for another model.
        """
        del run, role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with Qwen3-VL 4B: Load CLIP, type krea2.",
        )
        inputs = {"context": Input(entry.embedding)}
        mask = entry.extras.get("attention_mask")
        if isinstance(mask, Tensor) and not mask.bool().all():
            inputs["mask"] = Input(mask.bool().reshape(-1, mask.shape[-1]))
        return inputs

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
        """One call of the denoiser; see `ModelFamily`."""
        del control
        return net(
            x, timestep, inputs["context"], inputs.get("mask"), hooks=hooks, checkpoint=checkpoint
        )

    def lora_names(self, config: Krea2Config) -> Mapping[str, str]:
        """See `engine.families.krea2.keys`."""
        return keys.lora_names(config)

    def activation_bytes(self, config: Krea2Config, shape: Sequence[int], dtype_bytes: int) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        rows, columns = patch_grid(shape[-2], shape[-1])
        tokens = shape[0] * (rows * columns * shape[2] + USUAL_TOKENS)
        return tokens * (14 * config.block.channels + 3 * config.block.inner) * dtype_bytes
