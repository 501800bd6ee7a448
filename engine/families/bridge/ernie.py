"""ERNIE-Image and its turbo model: pictures from text (Baidu 2026).

One stream of picture and text tokens with one shared modulation. Names are the class's own, so no
tensor is renamed; sizes and positions: diffusers 0.42 (Apache-2.0), transformer_ernie_image.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import WeightsError
from engine.families.bridge.family import BridgedConfig, BridgedFamily
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import FLUX2_LATENT
from engine.families.shapes import count, matrix, vector
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK, TEXT = "layers.0.adaLN_sa_ln.weight", "text_proj.weight"
SHIFT = 4.0
"""Of the scheduler that Baidu publishes with the model."""
TEXT_TOKENS = 200


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of the encoder.

    Raises:
        WeightsError: it is missing.
    """
    found = encoded.get("ministral3_3b")
    if found is None:
        raise WeightsError(
            "ERNIE-Image needs the text encoder Ministral 3 3B, which is missing; load "
            "ministral-3-3b.safetensors with Load CLIP, type flux2."
        )
    return found.states, {}


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors; None without them."""
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights and f"{prefix}{TEXT}" in weights:
            return weights.part(prefix).refuse_empty()
    return None


def configure(found: StateDict) -> BridgedConfig:
    """The sizes from tensor shapes."""
    patch = found.shape("x_embedder.proj.weight") or ()
    head = vector(found, "layers.0.self_attention.norm_q.weight")
    if len(patch) != 4 or patch[2] != patch[3] or head % 8 or patch[0] % head:
        raise WeightsError(
            f"its x_embedder.proj.weight has the shape {list(patch)} and its heads {head} "
            "channels, expected square patches, and a multiple of the heads, which are one of 8"
        )
    channels, taken, side = patch[:3]
    inner, context = matrix(found, "layers.0.mlp.gate_proj.weight")[0], matrix(found, TEXT)[1]
    arguments = {
        "hidden_size": channels,
        "num_attention_heads": channels // head,
        "num_layers": count(found, "layers."),
        "ffn_hidden_size": inner,
        "in_channels": taken,
        "out_channels": matrix(found, "final_linear.weight")[0] // side**2,
        "patch_size": side,
        "text_in_dim": context,
        "rope_axes_dim": (head // 4, head * 3 // 8, head * 3 // 8),
    }
    return BridgedConfig(tuple(arguments.items()), channels, inner, context)


class ErnieImageFamily(BridgedFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "ERNIE-Image (via diffusers)"
    examples = "ERNIE-Image and ERNIE-Image-Turbo (huggingface.co/baidu)"
    text = TextPlan(
        {"ministral3_3b": TextStyle(layer=-2, normalised=False, weighted=False)},
        combine,
        file_types=frozenset({"flux2"}),
    )
    network_name = "ErnieImageTransformer2DModel"
    blocks = ("ErnieImageSharedAdaLNBlock",)
    tensors = staticmethod(tensors)
    configure = staticmethod(configure)
    latent_format = FLUX2_LATENT

    def parameterization(self, config: BridgedConfig) -> Parameterization:
        """A flow of time 0..1000 with one shift."""
        del config
        return flow(SHIFT)

    def inputs(
        self, config: BridgedConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text.

        Raises `NodeError` if the conditioning is for another model.
        """
        del run, role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with Ministral 3 3B: Load CLIP, type flux2.",
        )
        return {"context": Input(entry.embedding, Join.PAD_WITH_MASK)}

    def call(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """See `BridgedFamily`."""
        context, mask = inputs["context"], inputs.get("context_mask")
        if mask is None:
            lengths = torch.full((len(x),), context.shape[1], device=x.device)
        else:
            lengths = mask.sum(dim=1)
        (out,) = net(x, timestep, context, lengths, return_dict=False)
        return out

    def tokens(self, config: BridgedConfig, shape: Sequence[int]) -> int:
        """One for each patch, and the text's."""
        side = config.argument("patch_size")
        return shape[-1] * shape[-2] // side**2 + TEXT_TOKENS
