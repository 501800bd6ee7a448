"""The interface of a kind of control network.

A control network gets the denoiser's inputs and a picture, and returns what is added inside the
denoiser, as `engine.nets.hooks.Residuals`. The denoiser defines which blocks exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.families.family import ModelFamily
from engine.families.latent_format import LatentFormat
from engine.nets.hooks import Residuals
from engine.residency.handles import Weights
from engine.residency.sources import Patches, Source
from engine.weights.state_dict import StateDict

Checkpoint = Callable[[], None]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call of a control network, in the dtype it computes in, on its device.

    Attributes:
        x: [B, C, ...], the denoiser's input.
        timestep: [B], float32.
        inputs: the denoiser's inputs from the conditioning (`context`, `vector` ...), each [B,
            ...].
        features: the result of `features` for the picture, each [1 or B, ...].
        checkpoint: called at every block; raises when the user stopped the run.
    """

    x: Tensor
    timestep: Tensor
    inputs: Mapping[str, Tensor]
    features: Sequence[Tensor]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True, eq=False)
class OnModel:
    """The network that a file of changes makes of a model.

    Attributes:
        config: its configuration.
        sources: of its tensors, from the file or the model's own.
        patches: of the file, for tensors that are the model's; they apply after the model's.
    """

    config: Any
    sources: Mapping[str, Source]
    patches: Patches


class ControlKind(Protocol):
    """One kind of control network. `Config` is its own type, opaque to callers."""

    @property
    def name(self) -> str:
        """The name shown to users."""
        ...

    @property
    def examples(self) -> str:
        """Which published files are of this kind, and where they usually come from."""
        ...

    def made_for(self, config: Any) -> str:
        """The models it works with, in words, such as `FLUX.1`."""
        ...

    def fits(self, config: Any, family: ModelFamily, sizes: Any) -> bool:
        """Whether it works with a model of that family, whose configuration is `sizes`."""
        ...

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration, or None. Raises `WeightsError` for incomplete files."""
        ...

    def tensors(self, config: Any, weights: StateDict) -> StateDict:
        """The tensors under the module's names."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The module on the meta device."""
        ...

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """The dtypes it can be computed in, best first; empty: any."""
        ...

    def is_difference(self, config: Any) -> bool:
        """Whether the weights are to be added to those of the model it was trained on."""
        ...

    def needs_model(self, config: Any) -> bool:
        """Whether it runs only on a model's weights, see `on_model`."""
        ...

    def on_model(self, config: Any, tensors: StateDict, model: Weights) -> OnModel:
        """The network that the file's changes make of a denoiser's weights.

        Called only if `needs_model`.

        Args:
            config: of the file.
            tensors: of the file, see `tensors`.
            model: the denoiser's weights; no tensor is read.

        Raises:
            NodeError: the file was made for another model.
        """
        ...

    def types(self, config: Any) -> int:
        """The number of types of pictures among which the user chooses; 0 without a choice."""
        ...

    def of_type(self, config: Any, number: int | None) -> Any:
        """The configuration for one type of picture, 0 to `types`; None: no type."""
        ...

    def hole(self, config: Any) -> float | None:
        """The value of pixels to be filled in, in pictures for inpainting; None: not known."""
        ...

    def latent(self, config: Any) -> LatentFormat | None:
        """The format of the encoded picture that it takes; None: it takes pixels."""
        ...

    def takes_mask(self, config: Any) -> bool:
        """Whether a mask follows the encoded picture as a further channel: 0 in a hole, else 1."""
        ...

    def shown(self, config: Any, picture: Tensor) -> Tensor:
        """A picture [B, 3, H, W] in 0..1 as it is encoded, or as `features` takes it."""
        ...

    def picture_size(self, config: Any, size: Sequence[int]) -> tuple[int, int]:
        """Height and width of the picture it requires for x with sides of `size`."""
        ...

    def features(self, config: Any, net: nn.Module, picture: Tensor) -> Sequence[Tensor]:
        """Features of a picture, computed once per run, each [B, ...].

        Args:
            config: of the network.
            net: the network.
            picture: [B, 3, H, W], see `shown`; encoded, if there is a `latent`: [B, C, ...] in the
                denoiser's space, and the mask behind it.
        """
        ...

    def residuals(self, config: Any, net: nn.Module, call: Call) -> Residuals:
        """The residuals for the denoiser. Raises `NodeError` for another family's inputs."""
        ...

    def activation_bytes(self, config: Any, shape: Sequence[int], dtype_bytes: int) -> int:
        """An upper estimate of the memory that a call on x of `shape` needs beside the weights."""
        ...

    def features_bytes(self, config: Any, shape: Sequence[int], dtype_bytes: int) -> int:
        """Bytes of `features` for x of `shape`, one row for each picture."""
        ...

    def kept_bytes(self, config: Any, shape: Sequence[int], dtype_bytes: int) -> int:
        """Bytes of its residuals for x of `shape`."""
        ...
