"""Qwen-Image: pictures from text, editing by reference pictures, pictures in layers.

After Qwen Team 2025, "Qwen-Image Technical Report" (arXiv 2508.02324).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.diffusion.shifts import MuShift
from engine.families import reference_latents
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.qwen_image import keys, text
from engine.families.qwen_image.network import QwenImage, QwenImageConfig
from engine.families.reference_latents import Method
from engine.families.transformer_family import TransformerFamily
from engine.families.wan_autoencoder import LATENT
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.transformer_layers import patch_grid
from engine.weights.state_dict import StateDict

SHIFT = 1.15
USUAL_TOKENS = 512
"""Of a text, for the estimate of memory."""
USUAL_REFERENCES = 2
"""Pictures of the size of x beside it, likewise."""


class QwenImageFamily(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Qwen-Image"
    examples = (
        "Qwen-Image, Qwen-Image-2512, Qwen-Image-Edit, Edit-2509 and 2511, Qwen-Image-Layered "
        "(huggingface.co/Qwen)"
    )
    encoder_prefixes = text.PREFIXES
    text = text.PLAN
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config)
    network = QwenImage
    latent_format = LATENT  # frames are the layers of a picture

    def denoiser(self, config: QwenImageConfig, weights: StateDict) -> StateDict:
        """The denoiser's tensors."""
        return keys.denoiser(super().denoiser(config, weights))

    def parameterization(self, config: QwenImageConfig) -> Parameterization:
        """A flow of time 0..1 with a shift that does not depend on the size."""
        del config
        return flow(MuShift(SHIFT), multiplier=1.0, levels=10_000)

    def inputs(
        self, config: QwenImageConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, its mask if some of it does not count, and the reference pictures.

        Raises `NodeError` if the conditioning is for another model.
        """
        del run, role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with Qwen2.5-VL 7B: Load CLIP, type qwen_image.",
        )
        inputs = {"context": Input(entry.embedding)}
        mask = entry.extras.get("attention_mask")
        if isinstance(mask, Tensor) and not mask.bool().all():
            inputs["mask"] = Input(mask.bool().reshape(-1, mask.shape[-1]))
        usual = Method.INDEX
        if config.layered:
            usual = Method.BEHIND
        elif config.clean_references:
            usual = Method.CLEAN
        return inputs | reference_latents.reference_inputs(entry, LATENT, usual)

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
        found = [each[:, :, None] if each.ndim == 4 else each for each in found]
        places = reference_latents.places(
            method, x.shape[-2:], [(each.shape[-2], each.shape[-1]) for each in found]
        )
        return net(
            x,
            timestep,
            inputs["context"],
            inputs.get("mask"),
            references=list(zip(found, places, strict=True)),
            method=method,
            control=control,
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: QwenImageConfig) -> Mapping[str, str]:
        """None: all programs use the original names."""
        del config
        return {}

    def activation_bytes(
        self, config: QwenImageConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        rows, columns = patch_grid(shape[-2], shape[-1])
        tokens = rows * columns * (shape[2] + USUAL_REFERENCES) + USUAL_TOKENS
        return shape[0] * tokens * (14 * config.channels + 3 * config.inner) * dtype_bytes
