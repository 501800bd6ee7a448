"""The few things a model family says about itself. Knows no family, no file, no graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from torch import Tensor, nn

from engine.diffusion.parameterization import Parameterization
from engine.weights.state_dict import StateDict

Checkpoint = Callable[[], None]
"""Called at every network block; raises when the user pressed stop."""


class Part(StrEnum):
    """What a checkpoint is made of."""

    DENOISER = "denoiser"
    TEXT_ENCODER = "text_encoder"
    AUTOENCODER = "autoencoder"


@dataclass(frozen=True, slots=True)
class LatentFormat:
    """How a family's latents relate to its autoencoder's numbers and to pictures.

    Attributes:
        channels: of a latent [B, channels, h, w].
        downscale: pixels per latent cell along one side.
        scale, shift: what the denoiser sees is `(z - shift) * scale`.
        rgb_factors: `channels` rows of (r, g, b), from a denoiser-space latent to -1..1; a preview.
        rgb_bias: added to it.
    """

    channels: int
    downscale: int
    scale: float
    shift: float = 0.0
    rgb_factors: tuple[tuple[float, float, float], ...] | None = None
    rgb_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)


class ModelFamily(Protocol):
    """How to recognise, build and run one family of latent diffusion models.

    `Config` is the family's own frozen dataclass; nobody else looks inside.
    """

    name: str

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration read off tensor shapes, or None: a polite no."""
        ...

    def latent(self, config: Any) -> LatentFormat:
        """What its latents look like."""
        ...

    def build(self, config: Any, part: Part) -> nn.Module:
        """That part's module on the meta device, in the checkpoint's own key layout."""
        ...

    def part_weights(self, config: Any, weights: StateDict, part: Part) -> StateDict | None:
        """The tensors of that part under the module's names; None if the file has none."""
        ...

    def parameterization(self, config: Any) -> Parameterization:
        """What its denoiser predicts, over which noise levels."""
        ...

    def encode(
        self,
        config: Any,
        encoder: nn.Module,
        prompt: str,
        *,
        layer: int | None,
        embeddings: Callable[[str], Tensor | None],
        checkpoint: Checkpoint | None = None,
    ) -> tuple[Tensor, dict[str, Any]]:
        """A prompt to `[1, T, D]` and extras (`pooled_output`), float32.

        `layer` is the clip skip, -1, -2 ...; None leaves it to the family. `embeddings` finds
        textual inversions by name.
        """
        ...

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        checkpoint: Checkpoint,
    ) -> Tensor:
        """One call of the denoiser. x [B, C, h, w], timestep [B] -> the raw output [B, C, h, w].

        x and inputs come in the dtype that the net computes in, timestep in float32.
        """
        ...

    def inputs(
        self, config: Any, embedding: Tensor, extras: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """What `predict` needs of one conditioning entry, each [1, ...]: `{"context": ...}`."""
        ...

    def activation_bytes(
        self, config: Any, part: Part, shape: Sequence[int], dtype_bytes: int
    ) -> int:
        """An upper estimate of the memory one call needs beside the weights."""
        ...
