"""The UNet of latent diffusion: SD1, SD2, SDXL and their inpainting, editing and pruned variants.

Keys are those of the original checkpoints (`input_blocks.i.j`, `middle_block.j`,
`output_blocks.i.j`, `out`). Every size is read from tensor shapes. The family defines the content
of `y`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import NodeError, WeightsError
from engine.nets.hooks import BlockHooks, NetHooks, Place, Residuals
from engine.nets.layers import Convolution, Linear, timestep_embedding
from engine.nets.unet_blocks import (
    GROUPS,
    ConvolutionConfig,
    DownsampleConfig,
    LayerConfig,
    ResidualConfig,
    Stage,
    TransformerConfig,
    UpsampleConfig,
)

Shapes = Mapping[str, tuple[int, ...]]
Block = tuple[LayerConfig, ...]
CLASSES = "label_emb.weight"
MIXER = "time_mixer.mix_factor"
"""The mark of a layer that is followed by one over frames."""


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Every size of one UNet.

    Attributes:
        in_channels: 4; 8 with a picture to edit, 9 with a mask and a masked picture.
        out_channels: of the prediction.
        model_channels: width of the first level and of the timestep's sinusoid.
        time_channels: width of the time embedding.
        vector_channels: width of `y` (pooled text, sizes); None for a network without such a `y`.
        classes: the number of classes of which `y` is one; None for a network without them.
        input_blocks, middle_block, output_blocks: the layers, in the order of their keys.
    """

    in_channels: int
    out_channels: int
    model_channels: int
    time_channels: int
    vector_channels: int | None
    input_blocks: tuple[Block, ...]
    middle_block: Block
    output_blocks: tuple[Block, ...]
    classes: int | None = None

    @property
    def context_channels(self) -> int | None:
        """Width of the text tokens; None for a network without transformers."""
        return text_width((*self.input_blocks, self.middle_block, *self.output_blocks))

    @property
    def downsamplings(self) -> int:
        """The number of times the latent's size is halved."""
        return sum(isinstance(block[0], DownsampleConfig) for block in self.input_blocks)


def text_width(blocks: Sequence[Block]) -> int | None:
    """Width of the text tokens that these blocks attend to; None if none does."""
    for layer in (layer for block in blocks for layer in block):
        if isinstance(layer, TransformerConfig) and layer.depth:
            return layer.context_channels
    return None


def unet_config(
    shapes: Shapes, *, heads: int | None = None, head_channels: int | None = None
) -> UNetConfig:
    """The configuration from tensor shapes.

    Args:
        shapes: of the UNet's tensors, without the checkpoint's prefix.
        heads: number of attention heads in every transformer (SD1: 8); shapes do not show it.
        head_channels: or channels per head (SD2, SDXL: 64).

    Raises:
        WeightsError: a tensor is missing, or the layers do not fit together.
    """
    if (heads is None) == (head_channels is None):
        raise ValueError("give either the number of heads or the channels per head")
    reader = UNetReader(shapes, heads, head_channels)
    config = UNetConfig(
        in_channels=reader.size("input_blocks.0.0.weight", 1),
        out_channels=reader.size("out.2.weight", 0),
        model_channels=reader.size("time_embed.0.weight", 1),
        time_channels=reader.size("time_embed.2.weight", 0),
        vector_channels=(
            reader.size("label_emb.0.0.weight", 1) if "label_emb.0.0.weight" in shapes else None
        ),
        input_blocks=reader.blocks("input_blocks"),
        middle_block=reader.block("middle_block"),
        output_blocks=reader.blocks("output_blocks"),
        classes=reader.size(CLASSES, 0) if CLASSES in shapes else None,
    )
    _check_flow(config, reader.size("out.2.weight", 1))
    return config


@dataclass(frozen=True, slots=True)
class UNetReader:
    """Reads layers from tensor shapes; see `unet_config` for the arguments and the errors."""

    shapes: Shapes
    heads: int | None
    head_channels: int | None

    def size(self, key: str, axis: int) -> int:
        """The size of one axis of one tensor."""
        shape = self.shapes.get(key)
        if shape is None or len(shape) <= axis:
            found = "no such tensor" if shape is None else f"shape {list(shape)}"
            raise WeightsError(
                f"not a complete UNet: {key} should have at least {axis + 1} axes, found {found}"
            )
        return shape[axis]

    def blocks(self, name: str) -> tuple[Block, ...]:
        """A list of blocks, such as `input_blocks`."""
        blocks = tuple(self.block(f"{name}.{i}") for i in range(self._count(name)))
        if not all(blocks):
            raise WeightsError(f"not a complete UNet: {name}.{blocks.index(())} has no tensors")
        return blocks

    def block(self, prefix: str) -> Block:
        """The layers under a prefix."""
        return tuple(self._layer(f"{prefix}.{j}") for j in range(self._count(prefix)))

    def _count(self, prefix: str) -> int:
        """The number of items numbered after `prefix.`: one more than the highest number."""
        start = len(prefix) + 1
        numbers = (
            key[start:].split(".", 1)[0] for key in self.shapes if key.startswith(f"{prefix}.")
        )
        # More digits than any network needs can only be an attempt to exhaust memory.
        return max((int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4), default=0)

    def _layer(self, prefix: str) -> LayerConfig:
        if f"{prefix}.in_layers.2.weight" in self.shapes:
            convolution = f"{prefix}.in_layers.2.weight"
            return ResidualConfig(
                channels_in=self.size(convolution, 1),
                channels_out=self.size(convolution, 0),
                time_channels=self.size(f"{prefix}.emb_layers.1.weight", 1),
                temporal=f"{prefix}.{MIXER}" in self.shapes,
            )
        if f"{prefix}.proj_in.weight" in self.shapes:
            return self._transformer(prefix)
        if f"{prefix}.op.weight" in self.shapes:
            key, kind = f"{prefix}.op.weight", DownsampleConfig
        elif f"{prefix}.conv.weight" in self.shapes:
            key, kind = f"{prefix}.conv.weight", UpsampleConfig
        else:
            key, kind = f"{prefix}.weight", ConvolutionConfig
        return kind(self.size(key, 1), self.size(key, 0))

    def _transformer(self, prefix: str) -> TransformerConfig:
        inner = self.size(f"{prefix}.proj_in.weight", 0)
        first = f"{prefix}.transformer_blocks.0"
        depth = self._count(f"{prefix}.transformer_blocks")
        heads = self.heads or inner // (self.head_channels or inner)
        if not heads or inner % heads:
            raise WeightsError(f"{prefix}: {inner} channels do not split into {heads} heads")
        return TransformerConfig(
            channels_in=self.size(f"{prefix}.proj_in.weight", 1),
            inner=inner,
            context_channels=self.size(f"{first}.attn2.to_k.weight", 1) if depth else 0,
            depth=depth,
            heads=heads,
            feed_forward=self.size(f"{first}.ff.net.2.weight", 1) if depth else 0,
            linear=len(self.shapes[f"{prefix}.proj_in.weight"]) == 2,
            self_attention=self.shapes.get(f"{first}.attn1.to_k.weight", (0, inner))[1:]
            == (inner,),
            temporal=f"{prefix}.{MIXER}" in self.shapes,
        )


def walk_block(name: str, block: Block, channels: int) -> int:
    """The output channels of a block; raises WeightsError if two layers do not match."""
    for j, layer in enumerate(block):
        normalised = isinstance(layer, ResidualConfig | TransformerConfig)
        if layer.channels_in != channels or (normalised and channels % GROUPS):
            raise WeightsError(
                f"not a UNet that works: {name}.{j} takes {layer.channels_in} channels, "
                f"{channels} come in (and a normalised layer wants a multiple of {GROUPS})"
            )
        channels = layer.channels_out
    return channels


def walk_down(input_blocks: Sequence[Block], middle_block: Block, channels: int) -> list[int]:
    """The channels after each input block, and after the middle; raises like `walk_block`."""
    passed: list[int] = []
    for i, block in enumerate(input_blocks):
        channels = walk_block(f"input_blocks.{i}", block, channels)
        passed.append(channels)
    return [*passed, walk_block("middle_block", middle_block, channels)]


def _check_flow(config: UNetConfig, last: int) -> None:
    """Follow the channels through the network; raise WeightsError if two layers do not match."""
    *skips, channels = walk_down(config.input_blocks, config.middle_block, config.in_channels)
    if len(config.output_blocks) != len(skips):
        raise WeightsError(
            f"not a complete UNet: {len(skips)} blocks lead down, {len(config.output_blocks)} up"
        )
    for i, block in enumerate(config.output_blocks):
        channels = walk_block(f"output_blocks.{i}", block, channels + skips.pop())
    if channels != last:
        raise WeightsError(f"not a UNet that works: out takes {last} channels, {channels} come in")


class _Instead:
    """What plugins put in the place of `UNet.forward`, in all UNets of this process."""

    forward: Callable[..., Tensor | None] | None = None


def forward_by(function: Callable[..., Tensor | None] | None) -> None:
    """Ask this function, with the arguments of `UNet.forward`; where it answers None, compute."""
    _Instead.forward = function


class UNet(nn.Module):
    """The UNet: a noisy latent, its timestep and a text to a prediction."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.first_transformers = _transformer_indices(config)
        self.time_embed = two_layers(config.model_channels, config.time_channels)
        if config.vector_channels is not None:
            self.label_emb = nn.Sequential(two_layers(config.vector_channels, config.time_channels))
        elif config.classes is not None:
            self.label_emb = nn.Embedding(config.classes, config.time_channels)
        self.input_blocks = nn.ModuleList(stage(block) for block in config.input_blocks)
        self.middle_block = stage(config.middle_block)
        self.output_blocks = nn.ModuleList(stage(block) for block in config.output_blocks)
        last = config.output_blocks[-1][-1].channels_out
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, last),
            nn.SiLU(inplace=True),
            Convolution(last, config.out_channels, 3, padding=1),
        )

    def forward(
        self,
        x: Tensor,
        timesteps: Tensor,
        context: Tensor | None = None,
        y: Tensor | None = None,
        *,
        control: Residuals | None = None,
        hooks: NetHooks | None = None,
        frames: int = 1,
        checkpoint: Callable[[], None] | None = None,
    ) -> Tensor:
        """`x` [B, C, h, w], timesteps [B], context [B, T, D], y [B, V] -> [B, C', h, w].

        x, context and y are of the weights' dtype; classes are y [B], int64. Any size works, even
        odd ones. `checkpoint` is called before every block and may raise. Of a network for videos,
        so many rows are the `frames` of one.
        """
        if control:
            _check_places(control, len(self.input_blocks))
        if _Instead.forward is not None:
            given: dict[str, Any] = {"control": control, "hooks": hooks, "frames": frames}
            instead = _Instead.forward(
                self, x, timesteps, context, y, checkpoint=checkpoint, **given
            )
            if instead is not None:
                return instead
        time = functional.silu(self.embedded(timesteps, y, hooks, x.dtype))

        skips: list[Tensor] = []
        for number, block in enumerate(self.input_blocks):
            if checkpoint:
                checkpoint()
            x = block(x, time, context, _size(x), self._at(hooks, "input", number), frames)
            x = _added(x, control.input if control else (), number)
            skips.append(_patched(x, hooks, "input_block_patch", "input", number))
            x = _patched(skips[-1], hooks, "input_block_patch_after_skip", "input", number)
        if checkpoint:
            checkpoint()
        x = self.middle_block(x, time, context, _size(x), self._at(hooks, "middle", 0), frames)
        x = _added(x, control.middle if control else (), 0)
        x = _patched(x, hooks, "middle_block_patch", "middle", 0)
        for number, block in enumerate(self.output_blocks):
            if checkpoint:
                checkpoint()
            skip = _added(skips.pop(), control.output if control else (), number)
            if hooks is not None:
                for patch in hooks.of("output_block_patch"):
                    x, skip = patch(x, skip, hooks.options_at("output", number))
            x = torch.cat((x, skip), dim=1)
            size = _size(skips[-1] if skips else x)
            x = block(x, time, context, size, self._at(hooks, "output", number), frames)
        return self.out(x)

    def embedded(
        self, timesteps: Tensor, y: Tensor | None, hooks: NetHooks | None, dtype: torch.dtype
    ) -> Tensor:
        """The embedding [B, E] of the timestep and of `y`."""
        time = timestep_embedding(timesteps, self.config.model_channels).to(dtype)
        time = self.time_embed(time)
        if hooks is not None:
            for patch in hooks.of("emb_patch"):
                time = patch(time, self.config.model_channels, hooks.options)
        if self.config.vector_channels is not None or self.config.classes is not None:
            time = time + self.label_emb(y)
        return time

    def _at(self, hooks: NetHooks | None, part: str, number: int) -> BlockHooks | None:
        if hooks is None:
            return None
        return BlockHooks(hooks, (part, number), self.first_transformers[part, number])


def _transformer_indices(config: UNetConfig) -> dict[Place, int]:
    """For each block the number of transformers before its own."""
    blocks: list[tuple[Place, Block]] = [
        *((("input", i), block) for i, block in enumerate(config.input_blocks)),
        (("middle", 0), config.middle_block),
        *((("output", i), block) for i, block in enumerate(config.output_blocks)),
    ]
    found: dict[Place, int] = {}
    count = 0
    for place, block in blocks:
        found[place] = count
        count += sum(isinstance(layer, TransformerConfig) for layer in block)
    return found


def _check_places(control: Residuals, blocks: int) -> None:
    given = max(len(control.input), len(control.output))
    if given > blocks:
        raise NodeError(
            f"a control network adds to {given} blocks of the encoder half, the model has {blocks}:"
            " it was made for another model; choose a control network of the model's family"
        )


def _added(x: Tensor, residuals: Sequence[Tensor | None], number: int) -> Tensor:
    residual = residuals[number] if number < len(residuals) else None
    if residual is None:
        return x
    if residual.shape[1:] != x.shape[1:]:
        if residual.shape[1] == x.shape[1]:
            raise NodeError(
                f"a control network adds features of {residual.shape[-1]} x {residual.shape[-2]} "
                f"cells where the model has {x.shape[-1]} x {x.shape[-2]}: a patch changed their "
                "size, such as Deep Shrink, or the control network was made for another model; "
                "leave out one of the two, or choose a control network of the model's family"
            )
        raise NodeError(
            f"a control network adds {list(residual.shape[1:])} where the model has "
            f"{list(x.shape[1:])} (channels, rows, columns): it was made for another model; choose "
            "a control network of the model's family"
        )
    return x + residual.to(x.dtype)


def _patched(x: Tensor, hooks: NetHooks | None, kind: str, part: str, number: int) -> Tensor:
    if hooks:
        for patch in hooks.of(kind):
            x = patch(x, hooks.options_at(part, number))
    return x


def two_layers(channels_in: int, channels_out: int) -> nn.Sequential:
    """The embedding of time, or of `y`, which is added to it."""
    return nn.Sequential(
        Linear(channels_in, channels_out), nn.SiLU(), Linear(channels_out, channels_out)
    )


def stage(block: Block) -> Stage:
    """The layers of one block, on the current default device."""
    return Stage(layer.build() for layer in block)


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
