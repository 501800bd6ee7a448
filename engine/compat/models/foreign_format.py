# pyright: basic
"""A plugin's latent format as the engine's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engine.compat.models.latent_formats import ValueFormat
from engine.families.latent_format import LatentFormat


@dataclass(frozen=True)
class ForeignFormat(LatentFormat):
    """A format that computes with an object of a plugin's."""

    made: Any = None

    def into(self, z: Tensor) -> Tensor:
        """See `LatentFormat`."""
        return self.made.process_in(z)

    def out(self, x: Tensor) -> Tensor:
        """See `LatentFormat`."""
        return self.made.process_out(x)


def format_value(made: Any, like: LatentFormat | None = None) -> LatentFormat:
    """The engine's format of an object; what that does not say is as in `like`."""
    if isinstance(made, ValueFormat):
        return made.value
    dims = int(getattr(made, "latent_dimensions", 2))
    pixels = int(getattr(made, "spacial_downscale_ratio", 8) or 8)
    frames = int(getattr(made, "temporal_downscale_ratio", 1) or 1)
    downscale = like.downscale if like is not None else (frames, pixels, pixels)[-dims:]
    rgb = getattr(made, "latent_rgb_factors", None)
    bias: Any = getattr(made, "latent_rgb_factors_bias", None) or (0.0, 0.0, 0.0)
    return ForeignFormat(
        channels=int(made.latent_channels),
        downscale=tuple(downscale),
        causal_frames=dims == 3,
        rgb_factors=tuple(tuple(row) for row in rgb) if rgb else None,
        rgb_bias=(float(bias[0]), float(bias[1]), float(bias[2])),
        made=made,
    )
