"""Tiny autoencoders (TAESD, Ollin Boer Bohan 2023): a few convolutions instead of a KL one.

https://github.com/madebyollin/taesd. Names of layers are the numbers of its files, below a prefix
for each half: `taesd_encoder.0` ... `taesd_encoder.14`, `taesd_decoder.1` ... `taesd_decoder.19`.
Sizes are read from tensor shapes. Inside, pictures are in 0..1 and latents have the denoiser's
scale; `encode` and `decode` convert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.errors import WeightsError
from engine.nets.layers import Convolution

Shapes = Mapping[str, tuple[int, ...]]
Checkpoint = Callable[[], None]
PIXEL_CHANNELS = 3
CLAMP = 3.0
"""The decoder limits latents softly to -3..3."""
MOST_LAYERS = 100
ENCODER, DECODER = "taesd_encoder", "taesd_decoder"
SCALE, SHIFT = "vae_scale", "vae_shift"
"""Names of the halves, and of the scale and shift of latents, in a file that holds all of them."""


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """One layer of a half.

    Attributes:
        kind: `block`, `conv`, `down`, `up` (a convolution after an enlargement), or a layer without
            weights: `clamp`, `relu`, `enlarge`.
        channels_in, channels_out: 0 for a layer without weights.
    """

    kind: str
    channels_in: int = 0
    channels_out: int = 0


Half = tuple[LayerConfig, ...]


@dataclass(frozen=True, slots=True)
class TinyAutoencoderConfig:
    """Every size of a tiny autoencoder, and the scale of its latents.

    Attributes:
        decoder: its layers, by the numbers in their names.
        encoder: the same; None for a decoder alone, as previews need it.
        scale, shift: its own latent is `(z - shift) * scale` of a latent z of the autoencoder that
            it stands for.
    """

    decoder: Half
    encoder: Half | None
    scale: float
    shift: float

    @property
    def latent_channels(self) -> int:
        """Of a latent."""
        return next(layer.channels_in for layer in self.decoder if layer.channels_in)

    @property
    def width(self) -> int:
        """Channels of the widest layer."""
        return max(layer.channels_out for layer in self.decoder)

    @property
    def downscale(self) -> int:
        """Pixels per latent cell along one side."""
        return 2 ** sum(layer.kind == "up" for layer in self.decoder)


def tiny_autoencoder_config(shapes: Shapes, *, scale: float, shift: float) -> TinyAutoencoderConfig:
    """The configuration from tensor shapes.

    Raises:
        WeightsError: a layer is missing, or two layers do not fit together.
    """
    decoder = _half(shapes, DECODER)
    if not decoder:
        raise WeightsError("not a complete tiny autoencoder: it has no decoder")
    encoder = _half(shapes, ENCODER)
    config = TinyAutoencoderConfig(decoder, encoder or None, scale, shift)
    _check_flow(DECODER, decoder, config.latent_channels, PIXEL_CHANNELS)
    if encoder:
        _check_flow(ENCODER, encoder, PIXEL_CHANNELS, config.latent_channels)
        if sum(layer.kind == "down" for layer in encoder) != sum(
            layer.kind == "up" for layer in decoder
        ):
            raise WeightsError(
                "not a tiny autoencoder that works: its encoder and its decoder change the size of "
                "a picture differently; they belong to two models"
            )
    return config


def _half(shapes: Shapes, half: str) -> Half:
    """The layers of a half; in the decoder, numbers without tensors are layers without weights."""
    start = len(half) + 1
    numbers = {key[start:].split(".", 1)[0] for key in shapes if key.startswith(f"{half}.")}
    # More than any network needs can only be an attempt to exhaust memory.
    known = {int(n) for n in numbers if n.isdecimal() and len(n) < 4 and int(n) < MOST_LAYERS}
    layers = [_layer(shapes, half, n) for n in range(max(known, default=-1) + 1)]
    if half == DECODER and layers:
        for number, layer in enumerate(layers[:-1]):
            if not layer.kind:
                following = layers[number + 1].kind
                kind = {0: "clamp", 2: "relu"}.get(number, "enlarge" if following == "up" else "")
                layers[number] = LayerConfig(kind)
    missing = next((n for n, layer in enumerate(layers) if not layer.kind), None)
    if missing is not None:
        raise WeightsError(f"not a complete tiny autoencoder: {half}.{missing} has no tensors")
    return tuple(layers)


def _layer(shapes: Shapes, half: str, number: int) -> LayerConfig:
    prefix = f"{half}.{number}"
    first, last = shapes.get(f"{prefix}.conv.0.weight"), shapes.get(f"{prefix}.conv.4.weight")
    if first is not None and last is not None:
        return LayerConfig("block", _axis(first, 1, prefix), _axis(last, 0, prefix))
    shape = shapes.get(f"{prefix}.weight")
    if shape is None:
        return LayerConfig("")
    plain = f"{prefix}.bias" in shapes
    kind = "conv" if plain else {ENCODER: "down", DECODER: "up"}[half]
    return LayerConfig(kind, _axis(shape, 1, prefix), _axis(shape, 0, prefix))


def _axis(shape: tuple[int, ...], axis: int, name: str) -> int:
    if len(shape) != 4:
        raise WeightsError(
            f"not a tiny autoencoder that works: {name} should be a convolution, found the shape "
            f"{list(shape)}"
        )
    return shape[axis]


def _check_flow(half: str, layers: Half, channels: int, last: int) -> None:
    for number, layer in enumerate(layers):
        if layer.channels_in and layer.channels_in != channels:
            raise WeightsError(
                f"not a tiny autoencoder that works: {half}.{number} takes {layer.channels_in} "
                f"channels, {channels} come in"
            )
        channels = layer.channels_out or channels
    if channels != last:
        raise WeightsError(
            f"not a tiny autoencoder that works: its {half} gives {channels} channels, not {last}"
        )


class _Block(nn.Module):
    """Three convolutions, a shortcut around them, and a ReLU on the sum."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            Convolution(channels_in, channels_out, 3, padding=1),
            nn.ReLU(inplace=True),
            Convolution(channels_out, channels_out, 3, padding=1),
            nn.ReLU(inplace=True),
            Convolution(channels_out, channels_out, 3, padding=1),
        )
        self.skip = (
            nn.Identity()
            if channels_in == channels_out
            else Convolution(channels_in, channels_out, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C', h, w]."""
        return functional.relu(self.conv(x).add_(self.skip(x)), inplace=True)


class _Clamp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w], within -3..3."""
        return torch.tanh(x / CLAMP) * CLAMP


def _built(layer: LayerConfig) -> nn.Module:
    before, after = layer.channels_in, layer.channels_out
    match layer.kind:
        case "block":
            return _Block(before, after)
        case "conv":
            return Convolution(before, after, 3, padding=1)
        case "down":
            return Convolution(before, after, 3, padding=1, stride=2, bias=False)
        case "up":
            return Convolution(before, after, 3, padding=1, bias=False)
        case "enlarge":
            return nn.Upsample(scale_factor=2)
        case "clamp":
            return _Clamp()
        case _:
            return nn.ReLU(inplace=True)


class _Layers(nn.Sequential):
    def forward(
        self,
        input: Tensor,  # noqa: A002 - nn.Module's name for it
        checkpoint: Checkpoint | None = None,
    ) -> Tensor:
        """One layer after the other; `checkpoint` is called before each."""
        for layer in self:
            if checkpoint:
                checkpoint()
            input = layer(input)  # noqa: A001 - as above
        return input


class TinyAutoencoder(nn.Module):
    """Encoder and decoder; latents have the scale of the autoencoder that it stands for."""

    def __init__(self, config: TinyAutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.taesd_decoder = _Layers(*map(_built, config.decoder))
        if config.encoder is not None:
            self.taesd_encoder = _Layers(*map(_built, config.encoder))
        # Held so that they are saved; the numbers used are those of the configuration, exactly.
        self.vae_scale = nn.Parameter(torch.tensor(config.scale))
        self.vae_shift = nn.Parameter(torch.tensor(config.shift))

    def encode(self, pixels: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`pixels` [B, 3, H, W] in -1..1, sides multiples of `downscale` -> [B, z, h, w].

        Raises:
            WeightsError: the file holds a decoder alone.
        """
        if self.config.encoder is None:
            raise WeightsError(
                "this tiny autoencoder is a decoder alone, for previews; put its encoder's file "
                "beside it in vae_approx/ to encode pictures"
            )
        x = self.taesd_encoder(pixels * 0.5 + 0.5, checkpoint)
        return x / self.config.scale + self.config.shift

    def decode(self, z: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """`z` [B, z, h, w] -> pixels [B, 3, H, W], about -1..1."""
        x = (z - self.config.shift) * self.config.scale
        return self.taesd_decoder(x, checkpoint).mul_(2).sub_(1)
