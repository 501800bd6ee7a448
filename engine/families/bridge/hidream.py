"""HiDream-I1: full, dev and fast, pictures of text (HiDream.ai 2025, 17 billion).

Picture and text tokens in blocks with a mixture of experts; every block is also given the states of
one layer of Llama. Names are the class's own; sizes and behaviour: diffusers 0.42 (Apache-2.0),
transformer_hidream_image.py and pipeline_hidream_image.py. As published, pictures that are not
square are filled up with empty tokens to as many as a square one of 1024 pixels has; larger ones
are not filled up. The models that edit (HiDream-E1) put the picture in another way, and do not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import NodeError, WeightsError
from engine.families.bridge.family import BridgedConfig, BridgedFamily
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import FLUX_LATENT
from engine.families.picture_channels import PICTURE
from engine.families.shapes import count, matrix
from engine.nets.transformer_layers import patch_grid, patches
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK, EXPERTS = "caption_projection.0.linear.weight", "double_stream_blocks.0.block.ff_i.experts."
HEAD_CHANNELS = 128
AXES = (64, 32, 32)
PATCH, CHOSEN_EXPERTS = 2, 2
MOST_FILLED = (128, 128)
"""The cells up to whose number pictures that are not square are filled up."""
TEXT_TOKENS = 128
LLAMA_LAYERS = 32
ENCODERS: Mapping[str, str] = {"t5xxl": "T5-XXL", "llama31_8b": "Llama 3.1 8B"}
POOLED, LLAMA = "pooled_output", "llama_states"
"""The keys of a conditioning entry: both CLIP encoders' pooled text; [1, T, layers * C], the states
of all layers of Llama, one layer after the other."""
CLIP_L, CLIP_G = 768, 1280


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states of T5; beside them those of Llama, and the pooled text of both CLIP encoders.

    Raises:
        WeightsError: T5 or Llama is missing.
    """
    missing = [title for name, title in ENCODERS.items() if name not in encoded]
    if missing:
        raise WeightsError(
            f"HiDream-I1 needs the text encoders {' and '.join(ENCODERS.values())}; "
            f"{' and '.join(missing)} is missing. Load clip_l_hidream.safetensors, "
            "clip_g_hidream.safetensors, t5xxl_fp8_e4m3fn_scaled.safetensors and "
            "llama_3.1_8b_instruct_fp8_scaled.safetensors with QuadrupleCLIPLoader."
        )
    parts = [
        torch.zeros(1, width) if found is None or found.pooled is None else found.pooled
        for found, width in ((encoded.get("clip_l"), CLIP_L), (encoded.get("clip_g"), CLIP_G))
    ]
    more = {POOLED: torch.cat(parts, dim=-1), LLAMA: encoded["llama31_8b"].states}
    return encoded["t5xxl"].states, more


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors; None without them."""
    for prefix in PREFIXES:
        if f"{prefix}{MARK}" in weights and f"{prefix}{EXPERTS}0.w1.weight" in weights:
            return weights.part(prefix).refuse_empty()
    return None


def configure(found: StateDict) -> BridgedConfig:
    """The sizes from tensor shapes."""
    channels, taken = matrix(found, "x_embedder.proj.weight")
    double, single = count(found, "double_stream_blocks."), count(found, "single_stream_blocks.")
    projections = count(found, "caption_projection.")
    if channels % HEAD_CHANNELS or taken % PATCH**2 or projections != double + single + 1:
        raise WeightsError(
            f"its tokens have {channels} channels from {taken}, and {projections} projections of "
            f"texts for {double + single} blocks; expected a multiple of {HEAD_CHANNELS} from one "
            f"of {PATCH**2}, and one projection for each block and one more"
        )
    context = matrix(found, f"caption_projection.{projections - 1}.linear.weight")[1]
    llama = matrix(found, MARK)[1]
    arguments: dict[str, Any] = {
        "patch_size": PATCH,
        "in_channels": taken // PATCH**2,
        "out_channels": matrix(found, "final_layer.linear.weight")[0] // PATCH**2,
        "num_layers": double,
        "num_single_layers": single,
        "attention_head_dim": HEAD_CHANNELS,
        "num_attention_heads": channels // HEAD_CHANNELS,
        "caption_channels": (context, llama),
        "text_emb_dim": matrix(found, "p_embedder.pooled_embedder.linear_1.weight")[1],
        "num_routed_experts": count(found, EXPERTS),
        "num_activated_experts": CHOSEN_EXPERTS,
        "axes_dims_rope": AXES,
        "max_resolution": MOST_FILLED,
        "llama_layers": tuple(min(n, LLAMA_LAYERS - 1) for n in range(double + single)),
    }
    inner = matrix(found, f"{EXPERTS}0.w1.weight")[0] * CHOSEN_EXPERTS
    return BridgedConfig(tuple(arguments.items()), channels, inner, context)


class HiDreamFamily(BridgedFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "HiDream-I1 (via diffusers)"
    examples = "HiDream-I1 full, dev and fast (huggingface.co/HiDream-ai)"
    text = TextPlan(
        {
            "clip_l": TextStyle(projected=True),
            "clip_g": TextStyle(projected=True),
            "t5xxl": TextStyle(shortest=TEXT_TOKENS, masked=True),
            "llama31_8b": TextStyle(
                layers=tuple(range(1, LLAMA_LAYERS + 1)),
                normalised=False,
                last_normalised=True,
                shortest=TEXT_TOKENS,
            ),
        },
        combine,
        optional=frozenset({"clip_l", "clip_g"}),
        file_types=frozenset({"hidream"}),
        even=False,
    )
    network_name = "HiDreamImageTransformer2DModel"
    blocks = ("HiDreamBlock",)
    tensors = staticmethod(tensors)
    configure = staticmethod(configure)
    latent_format = FLUX_LATENT

    def parameterization(self, config: BridgedConfig) -> Parameterization:
        """A flow of time 0..1000 without a shift, which workflows set: 3 for full, 6 for dev."""
        del config
        return flow(1.0)

    def inputs(
        self, config: BridgedConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The texts.

        Raises `NodeError` if the conditioning is for another model, or has a picture to edit.
        """
        del run, role
        advice = "Encode the prompt with the text encoders of QuadrupleCLIPLoader."
        check_tokens(entry, config.context_channels, advice=advice)
        if entry.extras.get(PICTURE) is not None:
            raise NodeError(
                "the conditioning has a picture to edit, as HiDream-E1 takes one; HiDream-E1 does "
                "not run here yet. Take InstructPixToPixConditioning out for HiDream-I1."
            )
        width = LLAMA_LAYERS * config.argument("caption_channels")[1]
        llama = entry.extras.get(LLAMA)
        if not isinstance(llama, Tensor) or llama.shape[-1] != width:
            found = "none" if not isinstance(llama, Tensor) else f"{llama.shape[-1]}"
            raise NodeError(
                f"the conditioning has {found} numbers of Llama's layers for a token, HiDream-I1 "
                f"takes {width}. {advice}"
            )
        wide = config.argument("text_emb_dim")
        pooled = entry.extras.get(POOLED)
        if not isinstance(pooled, Tensor):
            pooled = torch.zeros(1, wide)
        if pooled.shape[-1] != wide:
            raise NodeError(
                f"the pooled text has {pooled.shape[-1]} numbers, HiDream-I1 takes {wide}. {advice}"
            )
        return {
            "context": Input(entry.embedding),
            "llama": Input(llama),
            "pooled": Input(pooled),
        }

    def call(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """See `BridgedFamily`. The class predicts the way to the clean picture."""
        height, width = x.shape[-2:]
        short = -height % PATCH, -width % PATCH
        if any(short):
            x = functional.pad(x, (0, short[1], 0, short[0]), mode="circular")
        layers = inputs["llama"].unflatten(2, (LLAMA_LAYERS, -1)).permute(2, 0, 1, 3)
        (out,) = net(
            timesteps=timestep,
            encoder_hidden_states_t5=inputs["context"],
            encoder_hidden_states_llama3=layers,
            pooled_embeds=inputs["pooled"],
            return_dict=False,
            **_picture(x),
        )
        return -out[..., :height, :width]

    def tokens(self, config: BridgedConfig, shape: Sequence[int]) -> int:
        """One for each patch, as many as a filled up picture has, and the texts'."""
        del config
        rows, columns = patch_grid(shape[-2], shape[-1])
        least = 0 if rows == columns else MOST_FILLED[0] * MOST_FILLED[1] // PATCH**2
        return max(rows * columns, least) + 3 * TEXT_TOKENS


def _picture(x: Tensor) -> dict[str, Any]:
    """The class's arguments for a latent [B, C, h, w] with even sides."""
    batch, _, height, width = x.shape
    if height == width or height * width <= MOST_FILLED[0] * MOST_FILLED[1]:
        return {"hidden_states": x}
    rows, columns = patch_grid(height, width)
    lines = (torch.arange(side, device=x.device) for side in (1, rows, columns))
    places = torch.cartesian_prod(*lines).float()
    return {
        "hidden_states": patches(x, channels_last=True),
        "hidden_states_masks": x.new_ones(batch, rows * columns),
        "img_ids": places.expand(batch, -1, -1),
        "img_sizes": [(rows, columns)] * batch,
    }
