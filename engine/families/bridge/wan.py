"""Wan 2.1 and 2.2: videos of text, of a first picture, and of a first and a last one.

Wan Team 2025, "Wan: Open and Advanced Large-Scale Video Generative Models" (arXiv 2503.20314).
Sizes and names: diffusers 0.42 (Apache-2.0), transformer_wan.py. The models of 14 billion of Wan
2.2 are two experts for two ranges of noise, each a model of its own here. The model of 5 billion
has an autoencoder of its own, and is told the time of each frame: frames that are given have none.
Wan Fun adds a picture to refer to and the rays of a camera (see `engine.nets.wan_parts`); Phantom
is shown pictures as more cells of time (https://github.com/Phantom-video/Phantom); VACE adds blocks
that read videos to follow (see `engine.nets.wan_vace`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import Parameterization, flow
from engine.errors import WeightsError
from engine.families.bridge.family import BridgedConfig, BridgedFamily
from engine.families.bridge.wan_given import (
    LATENT_CHANNELS,
    MASK_CHANNELS,
    VACE_CHANNELS,
    given_frames,
    given_rays,
    given_reference,
    given_subjects,
    given_vace,
    seen,
)
from engine.families.bridge.wan_names import (
    CAMERA_BLOCKS,
    CAMERA_INPUT,
    CLASS_MARK,
    INPUT,
    REFERENCE_INPUT,
    VACE_BLOCKS,
    VACE_INPUT,
    module_names,
    tensors,
)
from engine.families.family import Entry, Run, TextPlan, check_tokens
from engine.families.latent_format import LatentFormat
from engine.families.shapes import count, matrix, vector
from engine.families.wan22_autoencoder import LATENT as LATENT_22
from engine.families.wan_autoencoder import LATENT
from engine.nets.rope import AxisScale
from engine.nets.transformer_layers import patch_grid
from engine.nets.wan_attention import text_for_pictures
from engine.nets.wan_parts import RAY_CHANNELS, CameraAdapter, embedded_with
from engine.nets.wan_positions import positions_scaled
from engine.nets.wan_vace import follow_each
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

HEAD_CHANNELS = 128
PATCH = (1, 2, 2)
TEXT_TOKENS = 512
SHIFT = 8.0


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


def configure(found: StateDict) -> BridgedConfig:
    """The sizes from tensors under the class's names."""
    patch = found.shape(INPUT) or ()
    if len(patch) != 5 or patch[0] % HEAD_CHANNELS or patch[2:] != PATCH:
        raise WeightsError(
            f"its {INPUT} has the shape {list(patch)}, expected a multiple of "
            f"{HEAD_CHANNELS} channels from patches of 1 x 2 x 2 cells"
        )
    channels, taken = patch[:2]
    out = matrix(found, "proj_out.weight")[0] // math.prod(PATCH)
    beside = (0, out, out + MASK_CHANNELS, 2 * out, 2 * out + MASK_CHANNELS)
    if out not in (LATENT_CHANNELS, LATENT_22.channels) or taken - out not in beside:
        raise WeightsError(
            f"it takes {taken} channels and makes {out}; models that make 16 or 48 can be run, and "
            "that take as many, once or twice as many more (of a picture, or of a video to "
            "follow), with or without 4 that say which frames are given"
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
    if VACE_INPUT in found:
        arguments |= _of_vace(found, arguments["num_layers"])
    if "condition_embedder.image_embedder.norm1.weight" in found:
        arguments["image_dim"] = vector(found, "condition_embedder.image_embedder.norm1.weight")
        arguments["added_kv_proj_dim"] = channels
        places = found.shape("condition_embedder.image_embedder.pos_embed")
        arguments["pos_embed_seq_len"] = places[1] if places and len(places) == 3 else None
    further = tuple(_of_fun(found).items())
    return BridgedConfig(tuple(arguments.items()), channels, inner, context, further=further)


def _of_fun(found: StateDict) -> dict[str, Any]:
    """The sizes of parts of Wan Fun: channels that `ref_conv` and `control_adapter` take."""
    sizes: dict[str, Any] = {}
    for name, key in (("reference", REFERENCE_INPUT), ("rays", CAMERA_INPUT)):
        shape = found.shape(key)
        if shape is not None:
            sizes[name] = shape[1]
    if "rays" in sizes:
        sizes["ray_blocks"] = count(found, CAMERA_BLOCKS)
        if sizes["rays"] % RAY_CHANNELS or math.isqrt(sizes["rays"] // RAY_CHANNELS) ** 2 != (
            sizes["rays"] // RAY_CHANNELS
        ):
            raise WeightsError(
                f"its {CAMERA_INPUT} takes {sizes['rays']} channels, expected {RAY_CHANNELS} for "
                "every pixel of a square"
            )
    return sizes


def _of_vace(found: StateDict, blocks: int) -> dict[str, Any]:
    """The further arguments of a network with blocks of VACE, which stand at even distances."""
    of_vace, taken = count(found, VACE_BLOCKS), (found.shape(VACE_INPUT) or (0, 0))[1]
    if not of_vace or blocks % of_vace or taken != VACE_CHANNELS:
        raise WeightsError(
            f"it has {of_vace} blocks of VACE for {blocks} blocks, which take {taken} channels; "
            f"expected a divisor of {blocks}, and {VACE_CHANNELS} channels"
        )
    return {"vace_layers": tuple(range(0, blocks, blocks // of_vace)), "vace_in_channels": taken}


class WanFamily(BridgedFamily):
    """See `engine.families.family.ModelFamily`, which this implements."""

    name = "Wan (via diffusers)"
    examples = (
        "Wan 2.1 text to video (1.3B, 14B), image to video, first and last frame; Wan 2.2 14B text "
        "to video and image to video, 5B; VACE 1.3B and 14B (huggingface.co/Wan-AI); Wan Fun InP, "
        "Control and Camera (huggingface.co/alibaba-pai); Phantom, ATI"
    )
    text = TextPlan(
        {"umt5xxl": TextStyle(shortest=TEXT_TOKENS, masked=True)},
        combine,
        file_types=frozenset({"wan"}),
    )
    network_name = "WanTransformer3DModel"
    vace_network_name = "WanVACETransformer3DModel"
    blocks = ("WanTransformerBlock", "WanVACETransformerBlock")
    place = "double_block"
    block_arguments = ("img", "txt", "vec", "pe")
    tensors = staticmethod(tensors)
    configure = staticmethod(configure)
    latent_format = LATENT

    def latent(self, config: BridgedConfig) -> LatentFormat:
        """That of Wan 2.1's autoencoder, or of Wan 2.2's for the model of 5 billion."""
        return LATENT_22 if _is_22(config) else LATENT

    def class_of(self, config: BridgedConfig) -> str:
        """See `BridgedFamily`."""
        return self.vace_network_name if config.argument("vace_layers") else self.network_name

    def completed(self, net: nn.Module, config: BridgedConfig) -> nn.Module:
        """With the parts of Wan Fun, see `engine.nets.wan_parts`."""
        reference, rays = config.argument("reference"), config.argument("rays")
        if reference is not None:
            net.ref_conv = nn.Conv2d(reference, config.channels, PATCH[1:], PATCH[1:])
        if rays is not None:
            blocks = config.argument("ray_blocks")
            net.control_adapter = CameraAdapter(rays, config.channels, blocks)
        return net

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
        if _is_22(config) and run.mask is not None:
            painted = run.mask.float().mean(dim=(1, 3, 4))
            inputs["painted"] = Input(painted.expand(-1, run.shape[2]), frame_axis=1)
        latent = self.latent(config)
        beside = config.argument("in_channels") - latent.channels
        if beside:
            frames = given_frames(entry, run, latent, beside)
            inputs["frames"] = Input(frames, Join.CROP_TO_AREA)
        elif latent is LATENT:
            subjects = given_subjects(entry, run)
            if subjects is not None:
                inputs["subjects"] = Input(subjects)
        if config.argument("reference"):
            inputs["reference"] = Input(given_reference(entry, run, latent))
        rays = config.argument("rays")
        if rays:
            found = given_rays(entry, run, rays)
            if found is not None:
                inputs["rays"] = Input(found, Join.CROP_TO_AREA)
        if config.argument("vace_layers"):
            followed, strengths = given_vace(entry, run)
            inputs["followed"] = Input(followed, Join.CROP_TO_AREA)
            inputs["strengths"] = Input(strengths)
        width = config.argument("image_dim")
        if width is not None:
            picture = seen(entry, width, config.argument("pos_embed_seq_len"))
            if picture is not None:
                inputs["context"] = Input(entry.embedding[:, :TEXT_TOKENS])
                inputs["picture"] = Input(picture)
        return inputs

    def call(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor]
    ) -> Tensor:
        """See `BridgedFamily`."""
        if "frames" in inputs:
            x = torch.cat((x, inputs["frames"]), dim=1)
        cells, rows, columns = x.shape[-3:]
        if "subjects" in inputs:
            x = torch.cat((x, inputs["subjects"]), dim=2)
        padded, of_frame = _whole_patches(x), math.prod(patch_grid(rows, columns))
        if "painted" in inputs:
            times = timestep[:, None] * inputs["painted"].float()
            timestep = times.repeat_interleave(of_frame, dim=1)
        reference, rays = inputs.get("reference"), inputs.get("rays")
        before = 0 if reference is None else 1
        if reference is not None:
            # A frame more, whose tokens are replaced; it has the time of the last token.
            padded = torch.cat((padded[:, :, :1], padded), dim=2)
            reference = _whole_patches(reference[:, :, None])[:, :, 0]
            if "painted" in inputs:
                of_it = timestep[:, -1:].expand(-1, of_frame)
                timestep = torch.cat((of_it, timestep), dim=1)
        picture = inputs.get("picture")
        if picture is not None:
            picture = picture.reshape(-1, *inputs["picture"].shape[-2:])
        with ExitStack() as stack:
            if picture is None:
                stack.enter_context(text_for_pictures(net))
            more: dict[str, Tensor] = {}
            if reference is not None or rays is not None:
                rays = None if rays is None else _whole_patches(rays)
                stack.enter_context(embedded_with(net, reference, rays))
            if "followed" in inputs:
                stack.enter_context(follow_each(net, inputs["strengths"]))
                more["control_hidden_states"] = _whole_patches(inputs["followed"])
            (out,) = net(padded, timestep, inputs["context"], picture, **more, return_dict=False)
        return out[:, :, before : before + cells, :rows, :columns]

    def positions_scaled(
        self, net: nn.Module, time: AxisScale, rows: AxisScale, columns: AxisScale
    ) -> AbstractContextManager[None]:
        """See `engine.inference.position_scaling.ScalesPositions`."""
        return positions_scaled(net, time, rows, columns)

    def names(self, config: BridgedConfig) -> Mapping[str, str]:
        """See `BridgedFamily`."""
        of_vace = len(config.argument("vace_layers") or ())
        return module_names(config.argument("num_layers"), of_vace)

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
        # What each block of VACE adds waits for its turn.
        added = len(config.argument("vace_layers") or ()) * config.channels * dtype_bytes
        return least + shape[0] * self.tokens(config, shape) * (modulations + added)


def _whole_patches(x: Tensor) -> Tensor:
    """A side of an odd number of cells goes on from its other end."""
    rows, columns = x.shape[-2:]
    return functional.pad(x, (0, columns % 2, 0, rows % 2, 0, 0), mode="circular")


def _is_22(config: BridgedConfig) -> bool:
    return config.argument("out_channels") == LATENT_22.channels
