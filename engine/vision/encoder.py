"""The interface of image encoders, and their result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.weights.state_dict import StateDict

Checkpoint = Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What an image encoder finds in pictures.

    Attributes:
        last: [B, T, D], output of the last layer; CLIP's is not normalised, SigLIP's is.
        penultimate: [B, T, D], output of the layer before it.
        embeds: [B, P], one vector for each picture; CLIP's is projected.
    """

    last: Tensor
    penultimate: Tensor
    embeds: Tensor


class ImageEncoder(Protocol):
    """One kind of image encoder. `Config` is its own frozen dataclass, opaque to callers."""

    @property
    def name(self) -> str:
        """The name shown to users."""
        ...

    @property
    def examples(self) -> str:
        """Which published files are of this kind."""
        ...

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration, or None. Raises `WeightsError` for incomplete or hostile files."""
        ...

    def tensors(self, weights: StateDict) -> StateDict:
        """The tensors under the module's names, from any layout of `weights`."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The module on the meta device."""
        ...

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """The dtypes it can be computed in, best first; empty: any."""
        ...

    def prepare(self, config: Any, pictures: Tensor, *, crop: bool) -> Tensor:
        """Pictures [B, H, W, 3 or more] in 0..1 to the network's input [B, 3, h, w], float32.

        With `crop` a square is cut from the middle, else the picture is distorted to one.
        """
        ...

    def encode(self, module: nn.Module, pixels: Tensor, checkpoint: Checkpoint) -> Seen:
        """The result of `prepare`, in the module's dtype on its device, encoded."""
        ...

    def activation_bytes(self, config: Any, pictures: int, dtype_bytes: int) -> int:
        """An upper estimate of the memory that encoding needs beside the weights."""
        ...
