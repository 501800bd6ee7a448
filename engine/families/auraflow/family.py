"""AuraFlow and Pony v7: pictures from text (fal 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import WeightsError
from engine.families.auraflow import keys
from engine.families.auraflow.network import AuraFlow, AuraFlowConfig
from engine.families.family import Checkpoint, Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import LatentFormat
from engine.families.transformer_family import TransformerFamily
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.transformer_layers import patch_grid
from engine.text.encoder import Encoded, TextStyle

ENCODER = "pile_t5xl"
PREFIXES: Mapping[str, tuple[str, ...]] = {
    ENCODER: ("text_encoders.pile_t5xl.transformer.", "text_encoder.")
}
SHIFT = 1.73
TOKENS = 256
"""Of a text at least: padding counts, as zeros."""
LATENT = LatentFormat(4, (8, 8), scale=0.13025, tiny="taesdxl")
"""Stable Diffusion XL's."""


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of pile-T5, zeros where there is padding.

    Raises:
        WeightsError: it is missing.
    """
    found = encoded.get(ENCODER)
    if found is None:
        raise WeightsError(
            "AuraFlow needs the text encoder pile-T5 XL, which is missing. It is in AuraFlow's "
            "checkpoints (Load Checkpoint); load a separate file with Load CLIP, type "
            "stable_diffusion."
        )
    if found.mask is None:
        return found.states, {}
    return found.states * found.mask[..., None].to(found.states), {}


class AuraFlowFamily(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "AuraFlow"
    examples = "AuraFlow 0.1 to 0.3 (huggingface.co/fal), Pony v7 (huggingface.co/purplesmartai)"
    text = TextPlan(
        {ENCODER: TextStyle(shortest=TOKENS, masked=True)},
        combine,
        file_types=frozenset({"stable_diffusion"}),
        places={ENCODER: PREFIXES[ENCODER][0]},
    )
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config)
    network = AuraFlow
    latent_format = LATENT
    encoder_prefixes = PREFIXES

    def parameterization(self, config: AuraFlowConfig) -> Parameterization:
        """A flow of time 0..1."""
        del config
        return flow(SHIFT, multiplier=1.0)

    def inputs(
        self, config: AuraFlowConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text. Raises `NodeError` if the conditioning is for another model."""
        del run, role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with AuraFlow's own text encoder, pile-T5 XL.",
        )
        return {"context": Input(entry.embedding)}

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
        return net(x, timestep, inputs["context"], hooks=hooks, checkpoint=checkpoint)

    def lora_names(self, config: AuraFlowConfig) -> Mapping[str, str | Rows]:
        """See `engine.families.auraflow.keys`."""
        return keys.lora_names(config)

    def activation_bytes(
        self, config: AuraFlowConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        rows, columns = patch_grid(shape[-2], shape[-1])
        tokens = shape[0] * (rows * columns + TOKENS + config.registers)
        return tokens * (16 * config.channels + 3 * config.inner) * dtype_bytes
