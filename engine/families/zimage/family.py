"""Z-Image (turbo and base), and Lumina 2, whose network it has.

Qin et al. 2025, "Lumina-Image 2.0"; Cai et al. 2025, "Z-Image". The sizes come from tensor shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.families.family import Checkpoint, Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import FLUX_LATENT
from engine.families.transformer_family import TransformerFamily
from engine.families.zimage import keys
from engine.families.zimage.network import NextDiT, NextDiTConfig
from engine.families.zimage.text import LUMINA, LUMINA_PREFIXES, Z_IMAGE, Z_IMAGE_PREFIXES
from engine.nets.hooks import NetHooks, Residuals
from engine.weights.state_dict import StateDict

SHIFT = 6.0
"""Of the noise levels without a node; Z-Image's workflows have ModelSamplingAuraFlow with 3."""
TEXT_TOKENS = 256
"""Text tokens that the estimate of memory allows for."""


class _NextDiTFamily(TransformerFamily):
    """The part of `engine.families.family.ModelFamily` that both share."""

    text: TextPlan
    advice: str
    tensors = staticmethod(keys.tensors)
    configure = staticmethod(keys.config_of)
    network = NextDiT
    latent_format = FLUX_LATENT

    def parameterization(self, config: NextDiTConfig) -> Parameterization:
        """A flow whose timestep is its sigma."""
        del config
        return flow(SHIFT, multiplier=1.0)

    def inputs(
        self, config: NextDiTConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text's tokens. Raises `NodeError` if they are another model's."""
        del run, role
        check_tokens(entry, config.context, advice=self.advice)
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
        """One call of the NextDiT; the output is a velocity."""
        del control  # its control networks are patches of the model
        return net(x, timestep, inputs["context"], hooks=hooks, checkpoint=checkpoint)

    def lora_names(self, config: NextDiTConfig) -> Mapping[str, str | Rows]:
        """Diffusers' names."""
        return keys.names_of(config)

    def activation_bytes(
        self, config: NextDiTConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """Three tensors of the feed-forward width, and ten of the width of tokens."""
        tokens = shape[0] * (prod(shape[2:]) // 4 + TEXT_TOKENS)
        return tokens * (3 * config.feed_forward + 10 * config.width) * dtype_bytes


class ZImage(_NextDiTFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Z-Image"
    examples = (
        "Z-Image Turbo, Z-Image (huggingface.co/Tongyi-MAI, huggingface.co/Comfy-Org/z_image_turbo)"
    )
    text = Z_IMAGE
    advice = "Load the text encoder Qwen3 4B with Load CLIP, type lumina2."
    encoder_prefixes = Z_IMAGE_PREFIXES

    def detect(self, weights: StateDict) -> NextDiTConfig | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        return _detect(weights, is_lumina=False)


class Lumina2(_NextDiTFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Lumina 2"
    examples = "Lumina-Image 2.0 (huggingface.co/Alpha-VLLM), NetaLumina (huggingface.co/neta-art)"
    text = LUMINA
    advice = "Load the text encoder Gemma 2 2B with Load CLIP, type lumina2."
    encoder_prefixes = LUMINA_PREFIXES

    def detect(self, weights: StateDict) -> NextDiTConfig | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        return _detect(weights, is_lumina=True)


def _detect(weights: StateDict, *, is_lumina: bool) -> NextDiTConfig | None:
    found = keys.tensors(weights)
    if found is None:
        return None
    if ("layers.0.adaLN_modulation.1.weight" in found) != is_lumina:
        return None
    return keys.config_of(found)
