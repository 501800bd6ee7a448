"""Values for trying packs that no built-in node makes: sound, moving latents, plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import torch

RATE = 8000
PLAIN: Mapping[str, str] = {
    "LIST": "[1, 2, 3]",
    "DICT": '{"a": 1, "b": 2}',
    "JSON": '{"a": 1, "b": 2}',
    "BBOX": "[[8, 8, 32, 32]]",
    "BOX": "[8, 8, 32, 32]",
    "FLOATS": "[0.25, 0.5, 1.0]",
    "SEED": '{"seed": 1}',
}
"""Kinds of sockets that take plain data, and the JSON of a value."""


class TryPlainValue:
    """The value of a JSON text, as any type; with `as_tuple` the outer list is a tuple."""

    RETURN_TYPES = ("*",)
    FUNCTION = "value"
    CATEGORY = "try packs"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that the interface has
        """The inputs."""
        return {"required": {"text": ("STRING", {"default": "[1, 2, 3]"})}}

    def value(self, text: str) -> tuple[Any]:
        """The value."""
        return (json.loads(text),)


class TryAudio:
    """A second of a tone, in stereo."""

    RETURN_TYPES = ("AUDIO",)
    FUNCTION = "sound"
    CATEGORY = "try packs"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """None."""
        return {"required": {}}

    def sound(self) -> tuple[Any]:
        """[1, 2, samples]."""
        time = torch.arange(RATE) / RATE
        tone = torch.sin(time * 2764.6) * 0.5
        return ({"waveform": tone.repeat(1, 2, 1), "sample_rate": RATE},)


class TryVideoLatent:
    """A latent of several frames, [1, channels, frames, 8, 8], with a mask."""

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "latent"
    CATEGORY = "try packs"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """The sizes."""
        return {
            "required": {
                "channels": ("INT", {"default": 16}),
                "frames": ("INT", {"default": 5}),
            }
        }

    def latent(self, channels: int, frames: int) -> tuple[Any]:
        """Noise."""
        random = torch.Generator().manual_seed(1)
        return ({"samples": torch.randn(1, channels, frames, 8, 8, generator=random)},)


class TryVideo:
    """A video of four pictures, as the V3 interface has it."""

    RETURN_TYPES = ("VIDEO",)
    FUNCTION = "video"
    CATEGORY = "try packs"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802
        """The pictures."""
        return {"required": {"images": ("IMAGE",)}}

    def video(self, images: Any) -> tuple[Any]:
        """Eight pictures a second."""
        # A pack's own import, which exists only where packs are loaded.
        from comfy_api.latest import InputImpl, Types  # noqa: PLC0415, TID251

        parts = Types.VideoComponents(images=images, audio=None, frame_rate=Fraction(8))
        return (InputImpl.VideoFromComponents(parts),)


NODE_CLASS_MAPPINGS: Mapping[str, type] = {
    each.__name__: each for each in (TryPlainValue, TryAudio, TryVideoLatent, TryVideo)
}
