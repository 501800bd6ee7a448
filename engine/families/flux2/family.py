"""FLUX.2: dev, klein 4B and 9B, distilled and base (Black Forest Labs 2025 and 2026)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.diffusion.shifts import MuShift
from engine.families import reference_latents
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.flux2 import keys, text
from engine.families.flux2.network import Flux2, Flux2Config
from engine.families.latent_format import FLUX2_LATENT
from engine.families.transformer_family import TransformerFamily
from engine.nets.hooks import NetHooks, Residuals

SHIFT = 2.02
GUIDANCE = 3.5
"""Told to dev where the conditioning has none."""
TOKENS = 512
"""Of a text at least: before a shorter one stand zeros."""


class Flux2Family(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "FLUX.2"
    examples = (
        "FLUX.2 dev, klein 4B, klein 9B and their base models (huggingface.co/black-forest-labs)"
    )
    encoder_prefixes = text.PREFIXES
    text = text.PLAN
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config)
    network = Flux2
    latent_format = FLUX2_LATENT

    def parameterization(self, config: Flux2Config) -> Parameterization:
        """A flow of time 0..1 with one shift; Flux2Scheduler has one for each size."""
        del config
        return flow(MuShift(SHIFT), multiplier=1.0, levels=10_000)

    def dtypes(self, config: Flux2Config) -> Sequence[torch.dtype]:
        """As FLUX.1."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def inputs(
        self, config: Flux2Config, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, the strength of guidance, reference pictures.

        Raises `NodeError` if the conditioning is for another model.
        """
        del run, role
        check_tokens(
            entry,
            config.context_channels,
            advice="Load CLIP, type flux2, takes Mistral Small 3.2 for dev (15,360 numbers), Qwen3 "
            "4B for klein 4B (7,680) and Qwen3 8B for klein 9B (12,288).",
        )
        missing = max(0, TOKENS - entry.embedding.shape[1])
        inputs = {"context": Input(functional.pad(entry.embedding, (0, 0, missing, 0)))}
        guidance = entry.extras.get("guidance", GUIDANCE)
        if config.guidance and guidance is not None:
            inputs["guidance"] = Input(torch.tensor([float(guidance)]))
        usual = reference_latents.Method.INDEX
        return inputs | reference_latents.reference_inputs(entry, FLUX2_LATENT, usual)

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
        method, found = reference_latents.references(inputs)
        sizes = [(each.shape[-2], each.shape[-1]) for each in found]
        places = reference_latents.places(method, x.shape[-2:], sizes)
        return net(
            x,
            timestep,
            inputs["context"],
            inputs.get("guidance"),
            references=list(zip(found, places, strict=True)),
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: Flux2Config) -> Mapping[str, str | Rows]:
        """See `engine.families.flux2.keys`."""
        return keys.diffusers_names(config)

    def activation_bytes(self, config: Flux2Config, shape: Sequence[int], dtype_bytes: int) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        tokens = shape[0] * (shape[-2] * shape[-1] + TOKENS)
        return tokens * (14 * config.channels + 4 * config.inner) * dtype_bytes
