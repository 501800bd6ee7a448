"""The interface of a kind of control network.

A control network gets the denoiser's inputs and a picture, and returns what is added inside the
denoiser, as `engine.nets.hooks.Residuals`. The denoiser defines which blocks exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from engine.nets.hooks import Residuals
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

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration, or None. Raises `WeightsError` for incomplete files."""
        ...

    def tensors(self, config: Any, weights: StateDict) -> StateDict:
        """The tensors under the module's names."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The module on the meta device."""
        ...

    def is_difference(self, config: Any) -> bool:
        """Whether the weights are to be added to those of the model it was trained on."""
        ...

    def picture_size(self, config: Any, size: Sequence[int]) -> tuple[int, int]:
        """Height and width of the picture it requires for x with sides of `size`."""
        ...

    def features(self, config: Any, net: nn.Module, picture: Tensor) -> Sequence[Tensor]:
        """Features of a picture [B, 3, H, W] in 0..1, computed once per run, each [B, ...]."""
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
