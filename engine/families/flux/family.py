"""FLUX.1: dev, schnell, Krea dev, Fill, Canny, Depth, Kontext (Black Forest Labs 2024 and 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.diffusion.shifts import MuShift
from engine.families import reference_latents
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.flux import keys, pictures, styles, text
from engine.families.flux.network import Flux, FluxConfig
from engine.families.latent_format import FLUX_LATENT
from engine.families.transformer_family import TransformerFamily
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.transformer_layers import patch_grid

PATCH = 2
DEV_SHIFT = 1.15
"""The shift of dev for 1024 x 1024 pixels, which it has at other sizes too without
ModelSamplingFlux."""
GUIDANCE = 3.5
"""Told to dev where the conditioning has none."""


class FluxFamily(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "FLUX.1"
    examples = (
        "FLUX.1 dev, schnell, Krea dev, Kontext dev, Fill dev, Canny dev, Depth dev "
        "(huggingface.co/black-forest-labs)"
    )
    encoder_prefixes = text.PREFIXES
    text = text.PLAN
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config)
    network = Flux
    latent_format = FLUX_LATENT
    first_module = "img_in"

    def parameterization(self, config: FluxConfig) -> Parameterization:
        """A flow of time 0..1: dev with its shift over 10,000 levels, schnell without."""
        if config.guidance:
            return flow(MuShift(DEV_SHIFT), multiplier=1.0, levels=10_000)
        return flow(1.0, multiplier=1.0)

    def dtypes(self, config: FluxConfig) -> Sequence[torch.dtype]:
        """Not fp16 first: activations of the single blocks come close to its largest number."""
        del config
        return (torch.bfloat16, torch.float16, torch.float32)

    def inputs(
        self, config: FluxConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, the pooled text, the strength of guidance, pictures beside the latent.

        Raises `NodeError` if the conditioning is for another model.
        """
        del role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with CLIP L and T5-XXL: DualCLIPLoader, type flux.",
        )
        inputs = {
            "context": Input(entry.embedding),
            "vector": Input(text.pooled(entry, config.vector_channels)),
        }
        guidance = entry.extras.get("guidance", GUIDANCE)
        if config.guidance and guidance is not None:
            inputs["guidance"] = Input(torch.tensor([float(guidance)]))
        inputs |= styles.style_inputs(entry.extras, entry.embedding.shape[1])
        inputs |= pictures.beside(config, entry, run, FLUX_LATENT)
        usual = reference_latents.Method.OFFSET
        return inputs | reference_latents.reference_inputs(entry, FLUX_LATENT, usual)

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
        if method is reference_latents.Method.CLEAN:
            # It has one time for all tokens; the incumbent places them as without the method.
            method = reference_latents.Method.OFFSET
        places = reference_latents.places(
            method, x.shape[-2:], [(each.shape[-2], each.shape[-1]) for each in found]
        )
        beside = inputs.get("concat")
        return net(
            x if beside is None else torch.cat((x, beside), dim=1),
            timestep,
            inputs["context"],
            inputs["vector"],
            inputs.get("guidance"),
            styles=inputs.get("styles"),
            references=list(zip(found, places, strict=True)),
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: FluxConfig) -> Mapping[str, str | Rows]:
        """See `engine.families.flux.keys`."""
        return keys.lora_names(config)

    def widened(self, config: FluxConfig, columns: int) -> FluxConfig | None:
        """The model with a picture beside the latent, as the Canny and Depth LoRAs make it."""
        return replace(config, in_channels=columns) if columns > config.in_channels else None

    def activation_bytes(self, config: FluxConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        rows, columns = patch_grid(shape[-2], shape[-1], PATCH)
        tokens = shape[0] * (rows * columns + text.USUAL_TOKENS)
        return tokens * (14 * config.channels + 3 * config.inner) * dtype_bytes
