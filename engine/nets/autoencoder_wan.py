"""The autoencoder of Wan 2.1, which Qwen-Image, Krea 2 and Anima share: videos to latents and back.

Convolutions over time see only earlier frames, so a video is encoded and decoded piece by piece,
each remembering the last frames of the one before: memory does not grow with the length. The first
latent is one frame, each further one is four. After Wan Team 2025, "Wan: Open and Advanced
Large-Scale Video Generative Models", section 4.1 (https://arxiv.org/abs/2503.20314).

Keys are those of the original files (`encoder.downsamples.i`, `decoder.upsamples.i`, `conv1`).
Every size is read from tensor shapes. Pixels are tensors in -1..1; latents are not scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.attention import attend
from engine.nets.layers import Convolution

Shapes = Mapping[str, tuple[int, ...]]
Checkpoint = Callable[[], None]
ENCODER, DECODER = "encoder.downsamples", "decoder.upsamples"
SMALLEST_NORM = 1e-12


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """A residual block, or a layer that changes the size.

    Attributes:
        channels_in, channels_out: of the layer.
        resamples: whether it halves or doubles the sides of the frames.
        time: whether it halves or doubles the number of frames, too.
    """

    channels_in: int
    channels_out: int
    resamples: bool = False
    time: bool = False


@dataclass(frozen=True, slots=True)
class WanAutoencoderConfig:
    """Every size of one autoencoder.

    Attributes:
        pixel_channels: 3, or 4 with transparency.
        latent_channels: of a latent.
        encoder, decoder: their layers in order, without the middle.
    """

    pixel_channels: int
    latent_channels: int
    encoder: tuple[LayerConfig, ...]
    decoder: tuple[LayerConfig, ...]

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along one side."""
        return 2 ** sum(layer.resamples for layer in self.decoder)

    @property
    def frames(self) -> int:
        """Frames of every latent but the first."""
        return 2 ** sum(layer.time for layer in self.decoder)


def wan_autoencoder_config(shapes: Shapes) -> WanAutoencoderConfig:
    """The configuration from tensor shapes (without a checkpoint's prefix).

    Raises:
        WeightsError: a tensor is missing, or the layers do not fit together.
    """
    config = WanAutoencoderConfig(
        pixel_channels=_size(shapes, "decoder.head.2.weight", 0),
        latent_channels=_size(shapes, "conv2.weight", 1),
        encoder=tuple(_layers(shapes, ENCODER)),
        decoder=tuple(_layers(shapes, DECODER)),
    )
    for name, layers in ((ENCODER, config.encoder), (DECODER, config.decoder)):
        for before, after in pairwise(layers):
            if before.channels_out != after.channels_in:
                raise WeightsError(
                    f"not an autoencoder that works: in {name} a layer of {before.channels_out} "
                    f"channels leads to one that takes {after.channels_in}"
                )
    return config


def _size(shapes: Shapes, key: str, axis: int) -> int:
    shape = shapes.get(key)
    if shape is None or len(shape) <= axis:
        found = "no such tensor" if shape is None else f"shape {list(shape)}"
        raise WeightsError(
            f"not a complete autoencoder: {key} should have at least {axis + 1} axes, found {found}"
        )
    return shape[axis]


def _layers(shapes: Shapes, prefix: str) -> Iterator[LayerConfig]:
    start = len(prefix) + 1
    numbers = (key[start:].split(".", 1)[0] for key in shapes if key.startswith(f"{prefix}."))
    # More digits than any network needs can only be an attempt to exhaust memory.
    count = max((int(n) + 1 for n in numbers if n.isdecimal() and len(n) < 4), default=0)
    if not count:
        raise WeightsError(f"not a complete autoencoder: no tensor begins with {prefix}.0")
    for i in range(count):
        resamples = f"{prefix}.{i}.resample.1.weight" in shapes
        key = f"{prefix}.{i}.{'resample.1' if resamples else 'residual.2'}.weight"
        yield LayerConfig(
            channels_in=_size(shapes, key, 1),
            channels_out=_size(shapes, key, 0),
            resamples=resamples,
            time=f"{prefix}.{i}.time_conv.weight" in shapes,
        )


@dataclass(slots=True, eq=False)
class Stream:
    """The state between the pieces of one video.

    Attributes:
        is_first: whether the piece is the first frame.
        is_last: whether nothing follows, so that nothing is remembered.
        past: the last frames of the input of each convolution over time.
    """

    is_first: bool = True
    is_last: bool = False
    past: dict[nn.Module, Tensor] = field(default_factory=dict[nn.Module, Tensor])

    def remember(self, layer: nn.Module, frames: Tensor) -> None:
        """Store a layer's last frames for the next piece."""
        if self.is_last:
            self.past.pop(layer, None)
        else:
            # A view would keep the whole piece alive.
            self.past[layer] = frames.clone()


class Norm(nn.Module):
    """Each cell's channels divided by their root mean square (Zhang and Sennrich 2019)."""

    def __init__(self, channels: int, axes: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(channels, *[1] * axes))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> [B, C, ...]; the root is taken in float32."""
        length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32)
        factor = x.shape[1] ** 0.5 / length.clamp_min_(SMALLEST_NORM)
        return (x * factor.to(x.dtype)).mul_(self.gamma)


class CausalConvolution(nn.Conv3d):
    """A convolution over time and space that sees a frame and those before it.

    Before the first frame there are zeros.
    """

    def __init__(self, channels_in: int, channels_out: int, time: int, side: int) -> None:
        """Make one whose kernel has `time` frames and `side` x `side` pixels."""
        super().__init__(
            channels_in,
            channels_out,
            (time, side, side),
            padding=(0, side // 2, side // 2),
        )
        self.before = time - 1

    def forward(self, x: Tensor, stream: Stream) -> Tensor:  # type: ignore[override]
        """[B, C, t, h, w] -> [B, C', t, h, w]."""
        past = stream.past.get(self)
        if past is None and x.shape[2] == 1:
            if self.before:
                stream.remember(self, functional.pad(x, (0, 0, 0, 0, self.before - 1, 0)))
            # Only the last frame of the kernel meets anything but zeros.
            picture = functional.conv2d(
                x[:, :, 0], self.weight[:, :, -1], self.bias, padding=self.padding[1:]
            )
            return picture[:, :, None]
        if self.before:
            if past is None:
                x = functional.pad(x, (0, 0, 0, 0, self.before, 0))
            else:
                x = torch.cat((past, x), dim=2)
            stream.remember(self, x[:, :, -self.before :])
        return super().forward(x)


def _frames(x: Tensor, layer: Callable[[Tensor], Tensor]) -> Tensor:
    """Call a layer of pictures on every frame of x [B, C, t, h, w]."""
    rows = x.transpose(1, 2).flatten(0, 1)
    return layer(rows).unflatten(0, (len(x), x.shape[2])).transpose(1, 2)


class Residual(nn.Module):
    """norm, SiLU, convolution, twice; plus the input."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        # The missing numbers are activations and a dropout, which have no weights.
        self.residual = nn.ModuleDict(
            {
                "0": Norm(channels_in, 3),
                "2": CausalConvolution(channels_in, channels_out, 3, 3),
                "3": Norm(channels_out, 3),
                "6": CausalConvolution(channels_out, channels_out, 3, 3),
            }
        )
        if channels_in != channels_out:
            self.shortcut = CausalConvolution(channels_in, channels_out, 1, 1)
        self.has_shortcut = channels_in != channels_out

    def forward(self, x: Tensor, stream: Stream) -> Tensor:
        """[B, C, t, h, w] -> [B, C', t, h, w]."""
        layers = self.residual
        hidden = layers["2"](functional.silu(layers["0"](x), inplace=True), stream)
        hidden = layers["6"](functional.silu(layers["3"](hidden), inplace=True), stream)
        return hidden.add_(self.shortcut(x, stream) if self.has_shortcut else x)


class Attention(nn.Module):
    """Every cell attends to every cell of its frame, one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = Norm(channels, 2)
        self.to_qkv = Convolution(channels, 3 * channels, 1)
        self.proj = Convolution(channels, channels, 1)

    def forward(self, x: Tensor, stream: Stream) -> Tensor:
        """[B, C, t, h, w] -> [B, C, t, h, w]."""
        del stream
        return _frames(x, self._frame)

    def _frame(self, x: Tensor) -> Tensor:
        tokens = self.to_qkv(self.norm(x)).flatten(2).transpose(1, 2)
        found = attend(*tokens.chunk(3, dim=-1), heads=1)
        return self.proj(found.transpose(1, 2).reshape(x.shape)).add_(x)


class Downsample(nn.Module):
    """Half the size, padded on the right and at the bottom; then half the frames after the first.

    The first frame alone passes as it is.
    """

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        layer = Convolution(config.channels_in, config.channels_out, 3, stride=2)
        self.resample = nn.ModuleDict({"1": layer})
        self.has_time = config.time
        if config.time:
            width = config.channels_out
            self.time_conv = nn.Conv3d(width, width, (3, 1, 1), stride=(2, 1, 1))

    def forward(self, x: Tensor, stream: Stream) -> Tensor:
        """[B, C, t, h, w] -> [B, C', t or t // 2, h // 2, w // 2]."""
        layer = self.resample["1"]
        x = _frames(x, lambda rows: layer(functional.pad(rows, (0, 1, 0, 1))))
        if not self.has_time:
            return x
        past = stream.past.get(self)
        stream.remember(self, x[:, :, -1:])
        return x if past is None else self.time_conv(torch.cat((past, x), dim=2))


class Upsample(nn.Module):
    """Twice the frames after the first, each made of it and those before; then twice the size.

    The convolution over time does not see the first frame.
    """

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        layer = Convolution(config.channels_in, config.channels_out, 3, padding=1)
        self.resample = nn.ModuleDict({"1": layer})
        self.has_time = config.time
        if config.time:
            width = config.channels_in
            self.time_conv = CausalConvolution(width, 2 * width, 3, 1)

    def forward(self, x: Tensor, stream: Stream) -> Tensor:
        """[B, C, t, h, w] -> [B, C', t or 2 t, 2 h, 2 w]."""
        if self.has_time and not stream.is_first:
            both = self.time_conv(x, stream).unflatten(1, (2, -1))
            x = both.permute(0, 2, 3, 1, 4, 5).flatten(2, 3)
        layer = self.resample["1"]
        return _frames(x, lambda rows: layer(functional.interpolate(rows, scale_factor=2.0)))


class _Half(nn.Module):
    """What encoder and decoder have alike: the layers at the ends, and those of the middle."""

    def __init__(self, channels: tuple[int, int, int, int], middle: int) -> None:
        """Make one; channels into and out of the first convolution, then of the last."""
        super().__init__()
        entry, first, last, result = channels
        self.conv1 = CausalConvolution(entry, first, 3, 3)
        self.middle = nn.ModuleList((Residual(middle, middle), Attention(middle)))
        self.middle.append(Residual(middle, middle))
        self.head = nn.ModuleDict({"0": Norm(last, 3), "2": CausalConvolution(last, result, 3, 3)})

    def end(self, x: Tensor, stream: Stream, checkpoint: Checkpoint) -> Tensor:
        """The last layers."""
        checkpoint()
        return self.head["2"](functional.silu(self.head["0"](x), inplace=True), stream)


class Encoder(_Half):
    """Pixels to the mean and log variance of a latent."""

    def __init__(self, config: WanAutoencoderConfig) -> None:
        layers, moments = config.encoder, 2 * config.latent_channels
        last = layers[-1].channels_out
        super().__init__((config.pixel_channels, layers[0].channels_in, last, moments), last)
        self.downsamples = nn.ModuleList(_layer(layer, Downsample) for layer in layers)

    def forward(self, pixels: Tensor, stream: Stream, checkpoint: Checkpoint) -> Tensor:
        """[B, 3, t, H, W] -> [B, 2 z, 1, h, w], of the first frame or of the next four."""
        x = self.conv1(pixels, stream)
        for layer in (*self.downsamples, *self.middle):
            checkpoint()
            x = layer(x, stream)
        return self.end(x, stream, checkpoint)


class Decoder(_Half):
    """A latent to pixels."""

    def __init__(self, config: WanAutoencoderConfig) -> None:
        layers, first = config.decoder, config.decoder[0].channels_in
        ends = (config.latent_channels, first, layers[-1].channels_out, config.pixel_channels)
        super().__init__(ends, first)
        self.upsamples = nn.ModuleList(_layer(layer, Upsample) for layer in layers)

    def forward(self, z: Tensor, stream: Stream, checkpoint: Checkpoint) -> Tensor:
        """[B, z, 1, h, w] -> [B, 3, 1 or 4, H, W]."""
        x = self.conv1(z, stream)
        for layer in (*self.middle, *self.upsamples):
            checkpoint()
            x = layer(x, stream)
        return self.end(x, stream, checkpoint)


def _layer(config: LayerConfig, resample: type[Downsample | Upsample]) -> nn.Module:
    if config.resamples:
        return resample(config)
    return Residual(config.channels_in, config.channels_out)


class WanAutoencoder(nn.Module):
    """Encoder and decoder. Latents here are the network's, not scaled for the denoiser."""

    def __init__(self, config: WanAutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        moments = 2 * config.latent_channels
        self.conv1 = CausalConvolution(moments, moments, 1, 1)
        self.conv2 = CausalConvolution(config.latent_channels, config.latent_channels, 1, 1)
        self.decoder = Decoder(config)

    def encode(self, pixels: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`pixels` [B, 3, 1 + n frames, H, W] in -1..1 -> the mean [B, z, 1 + n, h, w].

        Pictures without transparency, for one that takes it, are opaque.
        """
        lacking = self.config.pixel_channels - pixels.shape[1]
        pixels = functional.pad(pixels, (0, 0, 0, 0, 0, 0, 0, lacking), value=1.0)
        first, rest = pixels[:, :, :1], pixels[:, :, 1:]
        pieces = [first, *(rest.split(self.config.frames, dim=2) if rest.shape[2] else ())]
        found = _streamed(pieces, self.encoder, checkpoint or _nothing)
        return self.conv1(found, Stream()).chunk(2, dim=1)[0]

    def decode(self, z: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`z` [B, z, 1 + n, h, w] -> pixels [B, 3, 1 + n frames, H, W], about -1..1."""
        pieces = list(self.conv2(z, Stream()).split(1, dim=2))
        return _streamed(pieces, self.decoder, checkpoint or _nothing)


def _streamed(pieces: list[Tensor], half: Encoder | Decoder, checkpoint: Checkpoint) -> Tensor:
    """The results of one half for the pieces of a video, in order."""
    stream, found = Stream(), list[Tensor]()
    for number, piece in enumerate(pieces):
        stream.is_first, stream.is_last = number == 0, number == len(pieces) - 1
        found.append(half(piece, stream, checkpoint))
    return torch.cat(found, dim=2)


def _nothing() -> None:
    pass
