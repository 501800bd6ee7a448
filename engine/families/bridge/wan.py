"""Wan 2.1 and 2.2: videos of text, of a first picture, and of a first and a last one.

Wan Team 2025, "Wan: Open and Advanced Large-Scale Video Generative Models" (arXiv 2503.20314).
Sizes and names: diffusers 0.42 (Apache-2.0), transformer_wan.py. The models of 14 billion of Wan
2.2 are two experts for two ranges of noise, each a model of its own here. The model of 5 billion
has an autoencoder of its own, and is told the time of each frame: frames that are given have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import NodeError, WeightsError
from engine.families.bridge.family import BridgedConfig, BridgedFamily
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import LatentFormat
from engine.families.picture_channels import MASK, PICTURE
from engine.families.shapes import count, matrix, vector
from engine.families.wan22_autoencoder import LATENT as LATENT_22
from engine.families.wan_autoencoder import LATENT
from engine.nets.rope import AxisScale
from engine.nets.transformer_layers import patch_grid
from engine.nets.wan_attention import text_for_pictures
from engine.nets.wan_positions import positions_scaled
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK, CLASS_MARK = "head.modulation", "condition_embedder.time_embedder.linear_1.weight"
"""A tensor in the original layout, and one under the class's names."""
INPUT = "patch_embedding.weight"
PARTS = ("patch_embedding", "text_embedding", "time_embedding", "time_projection", "blocks", "head")
PARTS_OF_BLOCK = ("modulation", "norm3", "self_attn", "cross_attn", "ffn")
PICTURES = "img_emb"
SEEN = "clip_vision_output"
"""The key of a conditioning entry for what CLIP sees in the picture."""
LATENT_CHANNELS = 16
MASK_CHANNELS = 4
"""Frames of a latent cell, each of which is given or not."""
WITH_CONTROL = 3 * LATENT_CHANNELS
"""Channels that Fun Control takes: the noisy latent, a video to follow, how the video begins."""
HEAD_CHANNELS = 128
PATCH = (1, 2, 2)
TEXT_TOKENS = 512
SHIFT = 8.0
_OUTER: Mapping[str, str] = {
    "patch_embedding": "patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "img_emb.proj.0": "condition_embedder.image_embedder.norm1",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "img_emb.proj.4": "condition_embedder.image_embedder.norm2",
    "head.head": "proj_out",
}
_ATTENTION: Mapping[str, str] = {
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "o": "to_out.0",
    "norm_q": "norm_q",
    "norm_k": "norm_k",
    "k_img": "add_k_proj",
    "v_img": "add_v_proj",
    "norm_k_img": "norm_added_k",
}
_BLOCK: Mapping[str, str] = {
    **{f"self_attn.{theirs}": f"attn1.{ours}" for theirs, ours in _ATTENTION.items()},
    **{f"cross_attn.{theirs}": f"attn2.{ours}" for theirs, ours in _ATTENTION.items()},
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
_ALONE: Mapping[str, str] = {
    "head.modulation": "scale_shift_table",
    "img_emb.emb_pos": "condition_embedder.image_embedder.pos_embed",
}
"""Tensors that are no module's weight."""


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states, zero where there is padding.

    Raises:
        WeightsError: the encoder is missing.
    """
    found = encoded.get("umt5xxl")
    if found is None:
        raise WeightsError(
            "Wan needs the text encoder UMT5 XXL, which is missing; load umt5_xxl_fp16.safetensors "
            "with Load CLIP, type wan."
        )
    states = found.states if found.mask is None else found.states * found.mask[..., None]
    return states, {}


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under the class's names.

    None without them, and for models of Wan with further parts (VACE, Animate, S2V ...).
    """
    for prefix in PREFIXES:
        if f"{prefix}{INPUT}" not in weights:
            continue
        if f"{prefix}{CLASS_MARK}" in weights:
            part = weights.part(prefix).refuse_empty()
            return None if any(name.startswith("vace_") for name in part) else part
        if f"{prefix}{MARK}" in weights:
            part = weights.part(prefix)
            if all(_is_known(name) for name in part):
                return part.rename(class_name).refuse_empty()
            return None
    return None


def _is_known(name: str) -> bool:
    outer, *inner = name.split(".")
    if outer == "blocks":
        return len(inner) > 1 and inner[1] in PARTS_OF_BLOCK
    return outer in (*PARTS, PICTURES) or not inner


def class_name(name: str) -> str | None:
    """The class's name of one tensor in the original layout; None if it has none."""
    if name in _ALONE:
        return _ALONE[name]
    module, _, kind = name.rpartition(".")
    if module in _OUTER:
        return f"{_OUTER[module]}.{kind}"
    _, number, inner = (*module.split(".", 2), "", "")[:3]
    if kind == "modulation":
        return f"blocks.{number}.scale_shift_table"
    return f"blocks.{number}.{_BLOCK[inner]}.{kind}" if inner in _BLOCK else None


def original_name(name: str) -> str:
    """The original layout's name of a tensor of the class; the inverse of `class_name`."""
    alone = {ours: theirs for theirs, ours in _ALONE.items()}
    if name in alone:
        return alone[name]
    module, _, kind = name.rpartition(".")
    outer = {ours: theirs for theirs, ours in _OUTER.items()}
    if module in outer:
        return f"{outer[module]}.{kind}"
    first, _, rest = module.partition(".")
    number, _, inner = rest.partition(".")
    if first == "blocks" and kind == "scale_shift_table":
        return f"blocks.{number}.modulation"
    block = {ours: theirs for theirs, ours in _BLOCK.items()}
    return f"blocks.{number}.{block.get(inner, inner)}.{kind}"


def configure(found: StateDict) -> BridgedConfig:
    """The sizes from tensors under the class's names."""
    patch = found.shape(INPUT) or ()
    if len(patch) != 5 or patch[0] % HEAD_CHANNELS or patch[2:] != PATCH:
        raise WeightsError(
            f"its {INPUT} has the shape {list(patch)}, expected a multiple of "
            f"{HEAD_CHANNELS} channels from patches of 1 x 2 x 2 cells"
        )
    channels, taken = patch[:2]
    out = matrix(found, "proj_out.weight")[0] // prod(PATCH)
    of_pictures = 2 * LATENT_CHANNELS + MASK_CHANNELS
    of_text = (LATENT_CHANNELS, of_pictures, WITH_CONTROL)
    known = {LATENT_CHANNELS: of_text, LATENT_22.channels: (out,)}
    if taken not in known.get(out, ()):
        raise WeightsError(
            f"it takes {taken} channels and makes {out}; models that take 16 (of text), 36 (of a "
            "picture) or 48 (of a video to follow) and make 16, and those of 48 both can be run"
        )
    inner = matrix(found, "blocks.0.ffn.net.0.proj.weight")[0]
    context = matrix(found, "condition_embedder.text_embedder.linear_1.weight")[1]
    arguments: dict[str, Any] = {
        "patch_size": PATCH,
        "num_attention_heads": channels // HEAD_CHANNELS,
        "attention_head_dim": HEAD_CHANNELS,
        "in_channels": taken,
        "out_channels": out,
        "text_dim": context,
        "freq_dim": matrix(found, CLASS_MARK)[1],
        "ffn_dim": inner,
        "num_layers": count(found, "blocks."),
    }
    if "condition_embedder.image_embedder.norm1.weight" in found:
        arguments["image_dim"] = vector(found, "condition_embedder.image_embedder.norm1.weight")
        arguments["added_kv_proj_dim"] = channels
        places = found.shape("condition_embedder.image_embedder.pos_embed")
        arguments["pos_embed_seq_len"] = places[1] if places and len(places) == 3 else None
    return BridgedConfig(tuple(arguments.items()), channels, inner, context)


class WanFamily(BridgedFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Wan (via diffusers)"
    examples = (
        "Wan 2.1 text to video (1.3B, 14B), image to video, first and last frame; Wan 2.2 14B text "
        "to video and image to video, 5B (huggingface.co/Wan-AI)"
    )
    text = TextPlan(
        {"umt5xxl": TextStyle(shortest=TEXT_TOKENS, masked=True)},
        combine,
        file_types=frozenset({"wan"}),
    )
    network_name = "WanTransformer3DModel"
    blocks = ("WanTransformerBlock",)
    place = "double_block"
    block_arguments = ("img", "txt", "vec", "pe")
    tensors = staticmethod(tensors)
    configure = staticmethod(configure)
    latent_format = LATENT

    def latent(self, config: BridgedConfig) -> LatentFormat:
        """That of Wan 2.1's autoencoder, or of Wan 2.2's for the model of 5 billion."""
        return LATENT_22 if _is_22(config) else LATENT

    def parameterization(self, config: BridgedConfig) -> Parameterization:
        """A flow of time 0..1000 with one shift; workflows often set another."""
        del config
        return flow(SHIFT)

    def inputs(
        self, config: BridgedConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text, the given frames or how much of each is painted, and what CLIP sees.

        Raises `NodeError` if the conditioning is for another model.
        """
        del role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with UMT5 XXL: Load CLIP, type wan.",
        )
        inputs = {"context": Input(entry.embedding)}
        if _is_22(config):
            if run.mask is not None:
                painted = run.mask.float().mean(dim=(1, 3, 4))
                inputs["painted"] = Input(painted.expand(-1, run.shape[2]), frame_axis=1)
        elif config.argument("in_channels") == WITH_CONTROL:
            inputs["frames"] = Input(given_control(entry, run), Join.CROP_TO_AREA)
        elif config.argument("in_channels") > LATENT_CHANNELS:
            inputs["frames"] = Input(given_frames(entry, run), Join.CROP_TO_AREA)
        width = config.argument("image_dim")
        if width is not None:
            seen = _seen(entry, width, config.argument("pos_embed_seq_len"))
            if seen is not None:
                inputs["context"] = Input(entry.embedding[:, :TEXT_TOKENS])
                inputs["picture"] = Input(seen)
        return inputs

    def call(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """See `BridgedFamily`."""
        if "frames" in inputs:
            x = torch.cat((x, inputs["frames"]), dim=1)
        rows, columns = x.shape[-2:]
        # A side of an odd number of cells is completed to whole patches.
        padded = functional.pad(x, (0, columns % 2, 0, rows % 2, 0, 0), mode="circular")
        if "painted" in inputs:
            of_frame = patch_grid(rows, columns)
            times = timestep[:, None] * inputs["painted"].float()
            timestep = times.repeat_interleave(of_frame[0] * of_frame[1], dim=1)
        picture = inputs.get("picture")
        if picture is not None:
            picture = picture.reshape(-1, *inputs["picture"].shape[-2:])
        with nullcontext() if picture is not None else text_for_pictures(net):
            (out,) = net(padded, timestep, inputs["context"], picture, return_dict=False)
        return out[..., :rows, :columns]

    def positions_scaled(
        self, net: nn.Module, time: AxisScale, rows: AxisScale, columns: AxisScale
    ) -> AbstractContextManager[None]:
        """See `engine.inference.position_scaling.ScalesPositions`."""
        return positions_scaled(net, time, rows, columns)

    def names(self, config: BridgedConfig) -> Mapping[str, str]:
        """See `BridgedFamily`."""
        found = dict(_OUTER)
        for number in range(config.argument("num_layers")):
            for theirs, ours in _BLOCK.items():
                found[f"blocks.{number}.{theirs}"] = f"blocks.{number}.{ours}"
        return found

    def tokens(self, config: BridgedConfig, shape: Sequence[int]) -> int:
        """One for each patch of 2 x 2 cells of a frame."""
        del config
        rows, columns = patch_grid(shape[-2], shape[-1])
        return shape[-3] * rows * columns + TEXT_TOKENS

    def activation_bytes(
        self, config: BridgedConfig, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """The tensors of one block, and a modulation for each token where frames have times."""
        least = super().activation_bytes(config, shape, dtype_bytes)
        modulations = 2 * 6 * config.channels * torch.float32.itemsize if _is_22(config) else 0
        return least + shape[0] * self.tokens(config, shape) * modulations


def _is_22(config: BridgedConfig) -> bool:
    return config.argument("out_channels") == LATENT_22.channels


def given_frames(entry: Entry, run: Run) -> Tensor:
    """[1, 20, t, h, w]: which frames are given, as four ones for a whole cell; and their latents.

    An entry has `PICTURE` [1, 16, t, h, w] as the autoencoder encodes it, and `MASK` [1, 1, t, h,
    w], 0 where a cell is given. Without a picture nothing is given, and all is zero.

    Raises:
        NodeError: the picture is no latent of Wan's autoencoder, or has another size than x.
    """
    picture, mask = entry.extras.get(PICTURE), entry.extras.get(MASK)
    size = tuple(run.shape[2:])
    if not isinstance(picture, Tensor):
        return torch.zeros(1, LATENT_CHANNELS + MASK_CHANNELS, *size)
    _check(picture, LATENT_CHANNELS, size)
    latent = _as_long(LATENT.into(picture.float().cpu()), size[0])
    if not isinstance(mask, Tensor):
        return torch.cat((torch.zeros(len(latent), MASK_CHANNELS, *size), latent), dim=1)
    mask = mask.float().cpu()
    mask = mask if mask.shape[1] == MASK_CHANNELS else mask.mean(dim=1, keepdim=True)
    if mask.shape[3:] != size[1:]:
        mask = functional.interpolate(mask, (mask.shape[2], *size[1:]))
    given = _as_long(1.0 - mask, size[0]).expand(len(latent), MASK_CHANNELS, *size)
    return torch.cat((given, latent), dim=1)


def given_control(entry: Entry, run: Run) -> Tensor:
    """[1, 32, t, h, w]: the latents of the video to follow, and of how the video begins.

    An entry has both in `PICTURE`, as the autoencoder encodes them; without, all is zero.

    Raises:
        NodeError: it is no such latent, or has another size than x.
    """
    found, size = entry.extras.get(PICTURE), tuple(run.shape[2:])
    if not isinstance(found, Tensor):
        return torch.zeros(1, WITH_CONTROL - LATENT_CHANNELS, *size)
    _check(found, WITH_CONTROL - LATENT_CHANNELS, size)
    parts = found.float().cpu().split(LATENT_CHANNELS, dim=1)
    return torch.cat([_as_long(LATENT.into(part), size[0]) for part in parts], dim=1)


def _check(picture: Tensor, channels: int, size: Sequence[int]) -> None:
    if picture.ndim != 5 or picture.shape[1] != channels:
        raise NodeError(
            f"the picture in the conditioning has the shape {list(picture.shape)}, the model takes "
            f"a video's latent of {channels} channels; encode it with the VAE of Wan 2.1, with "
            f"{'WanFunControlToVideo' if channels > LATENT_CHANNELS else 'WanImageToVideo'}"
        )
    if picture.shape[3:] != tuple(size[1:]):
        raise NodeError(
            f"the picture in the conditioning has {picture.shape[3]} x {picture.shape[4]} cells, "
            f"the latent {size[1]} x {size[2]}; take both from the same node"
        )


def _as_long(value: Tensor, cells: int) -> Tensor:
    """[B, C, t, h, w] with so many cells of time: cut, or with zeros behind."""
    missing = max(0, cells - value.shape[2])
    return functional.pad(value[:, :, :cells], (0, 0, 0, 0, 0, missing))


def _seen(entry: Entry, width: int, places: int | None) -> Tensor | None:
    """[1, pictures, T, D]: what CLIP sees in the first picture, or in the first and the last.

    None where the workflow connects no CLIP vision: see `text_for_pictures`.
    """
    found = entry.extras.get(SEEN)
    states = getattr(found, "penultimate_hidden_states", None)
    if not isinstance(states, Tensor):
        return None
    if states.shape[-1] != width:
        raise NodeError(
            f"what CLIP sees has {states.shape[-1]} numbers, the model takes {width}: load "
            "clip_vision_h.safetensors with Load CLIP Vision"
        )
    states = states.float().cpu()
    if places is None:
        return states[:1, None]
    if states.shape[1] != places:
        raise NodeError(
            f"this model of Wan takes a first and a last picture, {places} tokens of CLIP; found "
            f"{states.shape[1]}. Use WanFirstLastFrameToVideo with both"
        )
    return states[:1].unflatten(1, (2, places // 2))
