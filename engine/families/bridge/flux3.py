"""FLUX.3 klein: base and step-distilled, with reference pictures (Black Forest Labs 2026).

Sizes, names, positions and the recipe of the text: diffusers 0.42 (Apache-2.0), modular_pipelines/
flux3. Blocks of the picture, of references and of the text each attend to themselves; then all to
all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role, Step
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import WeightsError
from engine.families import reference_latents
from engine.families.bridge.family import BridgedConfig, BridgedFamily
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import FLUX2_LATENT
from engine.families.other_layouts import original_layout
from engine.families.reference_latents import Method
from engine.families.shapes import count, matrix, vector
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK, CLASS_MARK = "emb_in.image.weight", "x_embedders.image.weight"
"""A tensor in the original layout, and the same under the class's name."""
DISTILLED = "target_timestep_embedder.linear_1.weight"
SHIFT = 6.93
STEP_OF_POSITIONS = 0.5
"""Between two neighbouring tokens of a picture."""
TEXT_TOKENS = 160
_BLOCK: Mapping[str, str] = {
    "q_proj": "attn.to_q",
    "k_proj": "attn.to_k",
    "v_proj": "attn.to_v",
    "attn_out": "attn.to_out.0",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
    "mlp_in": "ff.linear_in",
    "mlp_out": "ff.linear_out",
}
_LISTS: Mapping[str, str] = {
    "content_mode_blocks.image": "mode_blocks.image",
    "content_mode_blocks.image_cond": "mode_blocks.image_cond",
    "txt_mode_blocks": "txt_mode_blocks",
}


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states, padding among them: the network was trained to attend to it.

    Raises:
        WeightsError: the encoder is missing.
    """
    found = encoded.get("qwen3vl_4b")
    if found is None:
        raise WeightsError(
            "FLUX.3 needs the text encoder Qwen3-VL 4B, which is missing; load "
            "qwen3vl_4b.safetensors with Load CLIP, type flux3."
        )
    return found.states, {}


def names(blocks: int, singles: int, channels: int) -> dict[str, str | Rows]:
    """Original modules to those of the class."""
    found: dict[str, str | Rows] = {
        "emb_in.image": "x_embedders.image",
        "emb_in.image_cond": "x_embedders.image_cond",
        "txt_in": "context_embedder",
        "time_in.in_layer": "timestep_embedder.linear_1",
        "time_in.out_layer": "timestep_embedder.linear_2",
        "ref_time_in.in_layer": "target_timestep_embedder.linear_1",
        "ref_time_in.out_layer": "target_timestep_embedder.linear_2",
        "final_layer.image.linear": "proj_out",
        "final_layer.image.adaLN_modulation.1": Rows("norm_out.linear", 0, 2 * channels, True),
    }
    for place in ("early", "single"):
        for kind in ("image", "image_cond", "txt"):
            module = f"{place}_stream_modulations.{kind}"
            found[f"{module}.lin"] = f"{module}.linear"
    places = [(a, b, i) for a, b in _LISTS.items() for i in range(blocks)]
    places += [("single_blocks", "single_transformer_blocks", i) for i in range(singles)]
    for theirs, ours, number in places:
        for part, module in _BLOCK.items():
            found[f"{theirs}.{number}.{part}"] = f"{ours}.{number}.{module}"
    return found


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under the class's names; None without them."""
    for prefix in PREFIXES:
        if f"{prefix}{CLASS_MARK}" in weights:
            return weights.part(prefix).refuse_empty()
        if f"{prefix}{MARK}" in weights:
            part = weights.part(prefix).refuse_empty()
            blocks, singles = count(part, "txt_mode_blocks."), count(part, "single_blocks.")
            found = names(blocks, singles, matrix(part, MARK)[0])
            return original_layout(part, found, parameter=_parameter)
    return None


def _parameter(name: str) -> str:
    return f"{name.removesuffix('.scale')}.weight" if name.endswith(".scale") else name


def configure(found: StateDict) -> BridgedConfig:
    """The sizes from tensors under the class's names."""
    channels, taken = matrix(found, CLASS_MARK)
    head = vector(found, "single_transformer_blocks.0.attn.norm_q.weight")
    inner = matrix(found, "single_transformer_blocks.0.ff.linear_in.weight")[0] // 2
    context = matrix(found, "context_embedder.weight")[1]
    if not head or channels % head or head % 8:
        raise WeightsError(
            f"its tokens have {channels} channels, its heads {head}: expected a multiple of "
            "the heads, and heads of a multiple of 8"
        )
    arguments = {
        "in_channels": taken,
        "cond_in_channels": matrix(found, "x_embedders.image_cond.weight")[1],
        "num_layers": count(found, "txt_mode_blocks."),
        "num_single_layers": count(found, "single_transformer_blocks."),
        "attention_head_dim": head,
        "num_attention_heads": channels // head,
        "joint_attention_dim": context,
        "timestep_channels": matrix(found, "timestep_embedder.linear_1.weight")[1],
        "mlp_ratio": inner / channels,
        "axes_dims_rope": (head // 4,) * 4,
        "flow_map": DISTILLED in found,
    }
    return BridgedConfig(tuple(arguments.items()), channels, inner, context)


class Flux3Family(BridgedFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "FLUX.3 (via diffusers)"
    examples = "FLUX.3 klein and its base model (huggingface.co/black-forest-labs)"
    text = TextPlan(
        {
            "qwen3vl_4b": TextStyle(
                layers=(4, 8, 12, 16, 20, 24, 28, 32),
                normalised=False,
                weighted=False,
                template="<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
                multiple=80,
                padding_place=1,
            )
        },
        combine,
        file_types=frozenset({"flux3"}),
    )
    network_name = "Flux3Transformer2DModel"
    blocks = ("Flux3ModeTransformerBlock", "Flux3SingleTransformerBlock")
    tensors = staticmethod(tensors)
    configure = staticmethod(configure)
    latent_format = FLUX2_LATENT

    def parameterization(self, config: BridgedConfig) -> Parameterization:
        """A flow of time 0..1 with one shift."""
        del config
        return flow(SHIFT, multiplier=1.0)

    def inputs(
        self, config: BridgedConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, reference pictures, and for distilled models the next noise level.

        Raises `NodeError` if the conditioning is for another model.
        """
        del run, role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with Qwen3-VL 4B: Load CLIP, type flux3.",
        )
        inputs = {"context": Input(entry.embedding)}
        if config.argument("flow_map"):
            inputs["target"] = Input(torch.zeros(1), at=_next_level)
        return inputs | reference_latents.reference_inputs(entry, FLUX2_LATENT, Method.BEHIND)

    def call(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """See `BridgedFamily`."""
        context, device = inputs["context"], x.device
        _, found = reference_latents.references(inputs)
        text = torch.zeros(context.shape[1], 4, device=device)
        text[:, 3] = torch.arange(context.shape[1], device=device)
        further: dict[str, Tensor] = {}
        if found:
            places = [_positions(each, -1.0 - number) for number, each in enumerate(found)]
            further["image_cond_hidden_states"] = torch.cat([_tokens(each) for each in found], 1)
            further["image_cond_ids"] = torch.cat(places)
        if "target" in inputs:
            further["target_timestep"] = inputs["target"].expand(len(x))
        (out,) = net(
            hidden_states=_tokens(x),
            encoder_hidden_states=context,
            timestep=timestep,
            img_ids=_positions(x, 0.0),
            txt_ids=text,
            return_dict=False,
            **further,
        )
        return out.transpose(1, 2).reshape(x.shape)

    def names(self, config: BridgedConfig) -> Mapping[str, str | Rows]:
        """See `BridgedFamily`."""
        blocks, singles = (config.argument(each) for each in ("num_layers", "num_single_layers"))
        return names(blocks, singles, config.channels)

    def tokens(self, config: BridgedConfig, shape: Sequence[int]) -> int:
        """One for each cell, as many for a reference, and the text's."""
        del config
        return 2 * shape[-1] * shape[-2] + TEXT_TOKENS


def _next_level(step: Step) -> Tensor:
    """[1]: the level that a step leads to; 0 where there is no run."""
    following = step.sigmas[step.index + 1 : step.index + 2]
    return following.float() if len(following) else torch.zeros(1)


def _tokens(latent: Tensor) -> Tensor:
    """[B, C, h, w] -> [B, h * w, C]."""
    return latent.flatten(2).transpose(1, 2)


def _positions(latent: Tensor, layer: float) -> Tensor:
    """[h * w, 4] of a picture's tokens: frame, row, column, number of the picture."""
    rows, columns = latent.shape[-2:]

    def line(length: int) -> Iterator[float]:
        return (number * STEP_OF_POSITIONS for number in range(length))

    places = [(0.0, row, column, layer) for row in line(rows) for column in line(columns)]
    return torch.tensor(places, device=latent.device)
