"""Qwen-Image 2.1 and its turbo: pictures from text, also transparent ones, and from pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.diffusion.shifts import MuShift
from engine.errors import NodeError
from engine.families import reference_latents
from engine.families.family import Checkpoint, Entry, Run, check_tokens
from engine.families.qwen_image21 import keys, text
from engine.families.qwen_image21.network import Picture, QwenImage21, QwenImage21Config
from engine.families.reference_latents import Method
from engine.families.residual_autoencoder import LATENT
from engine.families.transformer_family import TransformerFamily
from engine.nets.hooks import NetHooks, Residuals

SHIFT = 1.15
"""At 1024 x 1024 pixels; larger pictures are trained with more: ModelSamplingFlux sets that."""
USUAL_TOKENS = 512
"""Of a text, for the estimate of memory."""
USUAL_REFERENCES = 2
"""Pictures of the size of x beside it, likewise."""
_PICTURE = "picture"


class QwenImage21Family(TransformerFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Qwen-Image 2.1"
    examples = "Qwen-Image-2.1 and its turbo (huggingface.co/Comfy-Org/Qwen-Image-2.1)"
    encoder_prefixes = text.PREFIXES
    text = text.PLAN
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config)
    network = QwenImage21
    latent_format = LATENT

    def parameterization(self, config: QwenImage21Config) -> Parameterization:
        """A flow of time 0..1 with a shift that does not depend on the size."""
        del config
        return flow(MuShift(SHIFT), multiplier=1.0, levels=10_000)

    def inputs(
        self, config: QwenImage21Config, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, its mask if some of it does not count, and the reference pictures.

        The name of a picture's input holds its tokens, so that texts with pictures in other places
        share no call.

        Raises:
            NodeError: the conditioning is for another model, or its latents are not of the pictures
                that its prompt has.
        """
        del run, role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with Qwen3-VL 8B: Load CLIP, type qwen_image.",
        )
        inputs = {"context": Input(entry.embedding)}
        mask = entry.extras.get("attention_mask")
        if isinstance(mask, Tensor) and not mask.bool().all():
            inputs["mask"] = Input(mask.bool().reshape(-1, mask.shape[-1]))
        found = reference_latents.reference_inputs(entry, LATENT, Method.INDEX)
        if not found:
            return inputs
        places: Sequence[tuple[int, int]] = entry.extras.get(text.PICTURES) or ()
        if len(places) != len(found):
            raise NodeError(
                f"the conditioning has {len(found)} reference latents and its prompt "
                f"{len(places)} pictures; Qwen-Image 2.1 takes both from TextEncodeQwenImage21 "
                "with a VAE, not from ReferenceLatent"
            )
        for number, (place, each) in enumerate(zip(places, found.values(), strict=True)):
            start, stop = place
            inputs[f"{_PICTURE} {number} {start} {stop}"] = Input(each.value, Join.WHOLE)
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
        named = [(name.split(), each) for name, each in inputs.items() if name.startswith(_PICTURE)]
        pictures = [Picture(int(words[2]), int(words[3]), each) for words, each in named]
        return net(
            x,
            timestep,
            inputs["context"],
            sorted(pictures, key=lambda picture: picture.start),
            inputs.get("mask"),
            hooks=hooks,
            checkpoint=checkpoint,
        )

    def lora_names(self, config: QwenImage21Config) -> Mapping[str, str | Rows]:
        """See `engine.families.qwen_image21.keys`."""
        return keys.lora_names(config)

    def activation_bytes(
        self, config: QwenImage21Config, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        tokens = shape[-2] * shape[-1] * (1 + USUAL_REFERENCES) + USUAL_TOKENS
        return shape[0] * tokens * (12 * config.channels + 4 * config.inner) * dtype_bytes
