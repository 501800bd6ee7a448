"""Pictures of more than 8 bits per channel as bytes of a file, encoded by FFmpeg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import torch
from av.error import FFmpegError
from torch import Tensor

from engine.errors import MediaError


@dataclass(frozen=True, slots=True)
class DeepFormat:
    """How a picture of more than 8 bits is stored.

    Attributes:
        codec: FFmpeg's name.
        plain: the pixel format without transparency.
        alpha: the pixel format with it.
        options: of the codec.
    """

    codec: str
    plain: str
    alpha: str
    options: Mapping[str, str]


FORMATS: Mapping[str, DeepFormat] = {
    "png": DeepFormat("png", "rgb48be", "rgba64be", {}),
    "tiff": DeepFormat("tiff", "rgb48le", "rgba64le", {"compression_algo": "deflate"}),
    "exr half": DeepFormat(
        "exr", "gbrpf32le", "gbrapf32le", {"format": "half", "compression": "zip16"}
    ),
    "exr float": DeepFormat(
        "exr", "gbrpf32le", "gbrapf32le", {"format": "float", "compression": "zip16"}
    ),
}


def deep_picture_bytes(image: Tensor, form: str) -> bytes:
    """One image [H, W, 3 or 4] as a file: 16 bits per channel, or floats as they are (EXR).

    Raises:
        MediaError: it cannot be encoded.
    """
    how = FORMATS[form]
    height, width, channels = image.shape
    name = how.alpha if channels == 4 else how.plain
    try:
        context = cast("Any", av.CodecContext.create(how.codec, "w"))
        context.width, context.height, context.pix_fmt = width, height, name
        context.time_base, context.options = Fraction(1, 1), dict(how.options)
        packets = [*context.encode(_frame(image, name)), *context.encode(None)]
    except FFmpegError as error:
        raise MediaError(
            f"a picture of {width}x{height} cannot be written as {form}: {error.strerror}"
        ) from error
    return b"".join(bytes(packet) for packet in packets)


def linear(image: Tensor) -> Tensor:
    """SRGB to linear light, colours only (IEC 61966-2-1)."""
    colours = image[..., :3]
    light = torch.where(
        colours <= 0.04045, colours / 12.92, ((colours.clamp(min=0) + 0.055) / 1.055) ** 2.4
    )
    return torch.cat([light, image[..., 3:]], -1)


def encoded(image: Tensor) -> Tensor:
    """Linear light to sRGB, the inverse of `linear`."""
    light = image[..., :3]
    colours = torch.where(
        light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=0) ** (1 / 2.4) - 0.055
    )
    return torch.cat([colours, image[..., 3:]], -1)


def _frame(image: Tensor, name: str) -> av.VideoFrame:
    pixels = image.float().cpu()
    if name.startswith("gbr"):
        return av.VideoFrame.from_ndarray(pixels.contiguous().numpy(), format=name)
    levels = (pixels.clamp(0, 1) * 65535).round().to(torch.int32).contiguous().numpy()
    return av.VideoFrame.from_ndarray(levels.astype("uint16"), format=name)
