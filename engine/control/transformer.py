"""What the control networks of transformers share: a few of the model's own blocks.

Most take the picture as an encoded latent, whose tokens are added to those of the noisy one. What
comes after each of their blocks is projected, and added to the picture's tokens after several of
the model's blocks in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from engine.control.whole_file import WholeFile
from engine.errors import WeightsError
from engine.families.family import ModelFamily
from engine.families.latent_format import LatentFormat
from engine.nets.transformer_layers import patch_grid

PATCH = 2
"""Latent cells along a side of a token."""
USUAL_TOKENS = 512
"""Of a text, for the estimate of memory."""


class TransformerControlConfig(Protocol):
    """What the configurations of these kinds have.

    Attributes:
        channels: of a token inside.
        inner: channels inside a feed-forward.
        outputs: the number of residuals.
        mask: whether a mask follows the encoded picture.
    """

    @property
    def channels(self) -> int:
        """See above."""
        ...

    @property
    def inner(self) -> int:
        """See above."""
        ...

    @property
    def outputs(self) -> int:
        """See above."""
        ...

    @property
    def mask(self) -> bool:
        """See above."""
        ...


AnyConfig = TypeVar("AnyConfig", bound=TransformerControlConfig)


class TransformerControl(WholeFile, Generic[AnyConfig]):
    """The methods of `engine.control.kind.ControlKind` that these kinds share.

    Attributes:
        family: the name of the model family.
        latent_format: of the encoded picture; None: it takes pixels.
    """

    family: str
    latent_format: LatentFormat | None

    def made_for(self, config: AnyConfig) -> str:
        """The family, with the width that tells its sizes apart."""
        return f"{self.family} (tokens of {config.channels} numbers)"

    def fits(self, config: AnyConfig, family: ModelFamily, sizes: Any) -> bool:
        """Whether the model is of the family, and its tokens of the same width."""
        width = getattr(sizes, "channels", None)
        return family.name == self.family and width == config.channels

    def dtypes(self, config: AnyConfig) -> Sequence[torch.dtype]:
        """Not fp16, whose largest number the tokens of most of them exceed."""
        del config
        return (torch.bfloat16, torch.float32)

    def hole(self, config: AnyConfig) -> float | None:
        """Black, for networks that take a mask beside the picture."""
        return 0.0 if config.mask else None

    def latent(self, config: AnyConfig) -> LatentFormat | None:
        """See `latent_format`."""
        del config
        return self.latent_format

    def takes_mask(self, config: AnyConfig) -> bool:
        """Those for inpainting do."""
        return config.mask

    def shown(self, config: AnyConfig, picture: Tensor) -> Tensor:
        """As it is."""
        del config
        return picture

    def picture_size(self, config: AnyConfig, size: Sequence[int]) -> tuple[int, int]:
        """The pixels of the latent."""
        pixels = self.latent_format.pixels if self.latent_format else 8
        del config
        return size[-2] * pixels, size[-1] * pixels

    def activation_bytes(self, config: AnyConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """The tensors of one block: tokens of the width, and of a feed-forward beside."""
        tokens = shape[0] * (_tokens(shape) + USUAL_TOKENS)
        return tokens * (14 * config.channels + 3 * config.inner) * dtype_bytes

    def features_bytes(self, config: AnyConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """Of the picture's tokens."""
        return shape[0] * _tokens(shape) * config.channels * dtype_bytes

    def kept_bytes(self, config: AnyConfig, shape: Sequence[int], dtype_bytes: int) -> int:
        """One residual serves several blocks."""
        return config.outputs * self.features_bytes(config, shape, dtype_bytes)


def _tokens(shape: Sequence[int]) -> int:
    rows, columns = patch_grid(shape[-2], shape[-1], PATCH)
    return rows * columns


def each_for_several(residuals: Sequence[Tensor], blocks: int) -> tuple[Tensor, ...]:
    """Residuals for so many blocks of the model: each serves equally many in a row.

    If the blocks do not divide, the number is rounded up, and the last residuals serve fewer.
    """
    if not residuals:
        return ()
    several = -(-blocks // len(residuals))
    return tuple(residuals[number // several] for number in range(blocks))


def has_mask(values: int, channels: int, name: str) -> bool:
    """Whether a mask follows the encoded picture, by the values of a patch of both.

    Args:
        values: of a patch.
        channels: of a latent.
        name: of the tensor that tells.

    Raises:
        WeightsError: it has neither as many as the latent, nor those of a mask beside.
    """
    plain, masked = (PATCH * PATCH * each for each in (channels, channels + 1))
    if values not in (plain, masked):
        raise WeightsError(
            f"its {name} takes {values} numbers, expected {plain} of a patch of the encoded "
            f"picture, or {masked} with a mask"
        )
    return values == masked


class Outputs(nn.ModuleList):
    """One projection for the result of each block."""

    def of(self, results: Sequence[Tensor]) -> list[Tensor]:
        """Results [B, N, D], projected."""
        return [layer(result) for layer, result in zip(self, results, strict=True)]
