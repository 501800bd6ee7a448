"""LTX-Video 0.9: videos of text, and of frames given at any place (2 and 13 billion parameters).

HaCohen et al. 2024, "LTX-Video: Realtime Video Latent Diffusion" (arXiv 2501.00103). Sizes, names
and positions: diffusers 0.42 (Apache-2.0), transformer_ltx.py and pipeline_ltx_condition.py. Each
cell has a time of its own: cells that are given have less noise, or none. LTX-2, with sound, is
another network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.diffusion.shifts import MuShift
from engine.errors import NodeError, WeightsError
from engine.families.bridge.family import BridgedConfig, BridgedFamily
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import LatentFormat
from engine.families.shapes import count, matrix
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARKS = ("patchify_proj.weight", "proj_in.weight")
"""The first projection in the original layout, and under the class's name."""
CAPTION, FIRST_BLOCK = "caption_projection.linear_1.weight", "transformer_blocks.0."
TEXT_PREFIXES = ("text_encoders.t5xxl.transformer.",)
HEADS = 32
LATENT = LatentFormat(128, (8, 32, 32), causal_frames=True, keeps_clean=True)
"""Its autoencoder standardises latents itself."""
FRAMES, PIXELS = LATENT.downscale[0], LATENT.pixels
SHIFT = 2.37
SHORTEST_TEXT = 128
TIMES = 1000.0
"""The class's time of pure noise."""
FRAME_RATE, GUIDES, MASK = "frame_rate", "keyframe_idxs", "attention_mask"
"""The keys of a conditioning entry: frames a second; int64 [1, 3, cells], the frame, row and column
in pixels of each cell at the end of the latent that is a guide; 1 where a token counts."""
USUAL_RATE = 25.0
RATE_UNITS = 1000
"""A frame rate is told in thousandths, as a whole number: inputs are rounded to the run's dtype."""
CONFIG, FIRST_IS_ONE_FRAME = "config", "causal_temporal_positioning"
"""Metadata of the original files, JSON, and the setting in its `transformer` that is read: whether
the first cell stands for one frame in positions, too. Releases since 0.9.5 have it."""
WIDE = 4096
"""Channels of the model of 13 billion, all of whose releases have that setting."""
_NAMES = (("patchify_proj", "proj_in"), ("adaln_single", "time_embed"))
_NORMS = (("q_norm", "norm_q"), ("k_norm", "norm_k"))


def combine(encoded: Mapping[str, Encoded]) -> tuple[Tensor, dict[str, Any]]:
    """The states, and which of them are of words.

    Raises:
        WeightsError: the encoder is missing.
    """
    found = encoded.get("t5xxl")
    if found is None:
        raise WeightsError(
            "LTX-Video needs the text encoder T5-XXL, which is missing; load "
            "t5xxl_fp16.safetensors with Load CLIP, type ltxv."
        )
    return found.states, {} if found.mask is None else {MASK: found.mask}


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under the class's names; None without them."""
    for prefix in PREFIXES:
        if f"{prefix}{CAPTION}" not in weights or f"{prefix}audio_patchify_proj.weight" in weights:
            continue
        if any(f"{prefix}{mark}" in weights for mark in MARKS):
            return weights.part(prefix).rename(class_name).refuse_empty()
    return None


def class_name(name: str) -> str:
    """The class's name of one tensor, or module, in the original layout."""
    for theirs, ours in _NAMES:
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    for theirs, ours in _NORMS:
        name = name.replace(theirs, ours)
    return name


def original_name(name: str) -> str:
    """The original layout's name of a tensor of the class; the inverse of `class_name`."""
    for theirs, ours in _NAMES:
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    for theirs, ours in _NORMS:
        name = name.replace(ours, theirs)
    return name


def configure(found: StateDict) -> BridgedConfig:
    """The sizes from tensors under the class's names, and what the file's metadata says."""
    channels, taken = matrix(found, "proj_in.weight")
    if channels % HEADS or taken != LATENT.channels:
        raise WeightsError(
            f"its proj_in.weight has the shape {[channels, taken]}, expected a multiple of "
            f"{HEADS} channels from {LATENT.channels}"
        )
    context = matrix(found, CAPTION)[1]
    inner = matrix(found, f"{FIRST_BLOCK}ff.net.0.proj.weight")[0]
    arguments: dict[str, Any] = {
        "in_channels": taken,
        "out_channels": matrix(found, "proj_out.weight")[0],
        "num_attention_heads": HEADS,
        "attention_head_dim": channels // HEADS,
        "cross_attention_dim": matrix(found, f"{FIRST_BLOCK}attn2.to_k.weight")[1],
        "num_layers": count(found, "transformer_blocks."),
        "caption_channels": context,
    }
    single = _setting(found.metadata, channels)
    return BridgedConfig(tuple(arguments.items()), channels, inner, context, single)


def _setting(metadata: Mapping[str, str], channels: int) -> bool:
    text = metadata.get(CONFIG)
    if text is None:
        return channels == WIDE
    try:
        said = json.loads(text)
        transformer = said.get("transformer", {})
        return bool(transformer.get(FIRST_IS_ONE_FRAME, False))
    except (ValueError, AttributeError) as error:
        raise WeightsError(f"its metadata {CONFIG} cannot be read: {error!r}") from error


class LtxVideoFamily(BridgedFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "LTX-Video (via diffusers)"
    examples = (
        "LTX-Video 0.9, 0.9.1, 0.9.5 to 0.9.8, 2B and 13B, distilled too "
        "(huggingface.co/Lightricks/LTX-Video)"
    )
    text = TextPlan(
        {"t5xxl": TextStyle(shortest=SHORTEST_TEXT, masked=True)},
        combine,
        file_types=frozenset({"ltxv"}),
        places={"t5xxl": TEXT_PREFIXES[0]},
    )
    network_name = "LTXVideoTransformer3DModel"
    blocks = ("LTXVideoTransformerBlock",)
    tensors = staticmethod(tensors)
    configure = staticmethod(configure)
    latent_format = LATENT

    def parameterization(self, config: BridgedConfig) -> Parameterization:
        """A flow of time 0..1 with the shift of a video of medium size; see LTXVScheduler."""
        del config
        return flow(MuShift(SHIFT), multiplier=1.0, levels=10_000)

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """T5-XXL within a checkpoint, where somebody has put it there."""
        parts = (weights.part(prefix) for prefix in TEXT_PREFIXES if name == "t5xxl")
        return next((part for part in parts if len(part)), None)

    def metadata(self, config: BridgedConfig) -> Mapping[str, str]:
        """What `configure` reads."""
        return {CONFIG: json.dumps({"transformer": {FIRST_IS_ONE_FRAME: config.single_first}})}

    def inputs(
        self, config: BridgedConfig, entry: Entry, *, run: Run, role: Role
    ) -> Mapping[str, Input]:
        """The text and its mask, the frame rate, how much of each cell is painted, the guides.

        Raises `NodeError` if the conditioning is for another model.
        """
        del role
        check_tokens(
            entry,
            config.context_channels,
            advice="Encode the prompt with T5-XXL: Load CLIP, type ltxv.",
        )
        rate = float(entry.extras.get(FRAME_RATE) or USUAL_RATE)
        inputs = {
            "context": Input(entry.embedding),
            "rate": Input(torch.tensor([max(1, round(rate * RATE_UNITS))])),
        }
        mask = entry.extras.get(MASK)
        if isinstance(mask, Tensor):
            inputs["context_mask"] = Input(mask.reshape(1, -1).long())
        if run.mask is not None:
            painted = run.mask.float()[:, :1]
            inputs["painted"] = Input(painted.expand(-1, 1, *run.shape[2:]), Join.CROP_TO_AREA)
        places = positions(run.shape[2:], single=config.single_first)
        inputs["places"] = Input(_with_guides(places, entry.extras.get(GUIDES)), Join.CROP_TO_AREA)
        return inputs

    def call(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """See `BridgedFamily`."""
        cells = x.flatten(2).transpose(1, 2)
        times = timestep[:, None] * TIMES
        painted = inputs.get("painted")
        if painted is not None:
            times = times * painted.float().flatten(1)
        places = inputs["places"].flatten(2).float()
        places[:, 0] = places[:, 0] * (1.0 / (inputs["rate"].reshape(-1, 1).float() / RATE_UNITS))
        (out,) = net(
            hidden_states=cells,
            encoder_hidden_states=inputs["context"],
            timestep=times,
            encoder_attention_mask=inputs.get("context_mask"),
            video_coords=places,
            return_dict=False,
        )
        return out.transpose(1, 2).reshape(x.shape)

    def names(self, config: BridgedConfig) -> Mapping[str, str]:
        """See `BridgedFamily`."""
        modules = ["patchify_proj", "adaln_single.linear"]
        modules += [f"adaln_single.emb.timestep_embedder.linear_{number}" for number in (1, 2)]
        for number in range(config.argument("num_layers")):
            for part in ("attn1", "attn2"):
                for norm, _ in _NORMS:
                    modules.append(f"transformer_blocks.{number}.{part}.{norm}")
        return {module: class_name(module) for module in modules}

    def tokens(self, config: BridgedConfig, shape: Sequence[int]) -> int:
        """One for each cell, and the text's."""
        del config
        return prod(shape[2:]) + SHORTEST_TEXT


def positions(size: Sequence[int], *, single: bool, first: int = 0) -> Tensor:
    """Int64 [1, 3, t, h, w]: the frame, row and column in pixels at which each cell begins.

    Args:
        size: cells along time, rows, columns.
        single: whether the first cell is a single frame.
        first: the frame at which the first cell begins.
    """
    frames, rows, columns = (torch.arange(side) for side in size)
    frames = frames * FRAMES
    if single:
        frames = (frames + 1 - FRAMES).clamp(min=0)
    lines = torch.meshgrid(frames + first, rows * PIXELS, columns * PIXELS, indexing="ij")
    return torch.stack(lines)[None]


def _with_guides(places: Tensor, guides: Any) -> Tensor:
    """Positions whose last cells are those of guides [1, 3, cells]; None: there are none."""
    if not isinstance(guides, Tensor):
        return places
    cells = places.flatten(2)
    if guides.ndim != 3 or guides.shape[1] != 3 or guides.shape[2] > cells.shape[2]:
        raise NodeError(
            f"the conditioning has guides of the shape {list(guides.shape)}, the latent "
            f"{cells.shape[2]} cells; take both from the same LTXVAddGuide"
        )
    kept = cells[..., : cells.shape[2] - guides.shape[2]]
    return torch.cat((kept, guides.long().cpu()), dim=2).reshape(places.shape)
