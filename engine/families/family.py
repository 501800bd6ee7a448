"""The few things a model family says about itself. Knows no family, no file, no graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization
from engine.families.latent_format import LatentFormat
from engine.nets.hooks import NetHooks, Residuals
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

Checkpoint = Callable[[], None]
"""Called at every network block; raises when the user pressed stop."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entry of a conditioning.

    Attributes:
        embedding: [1, T, D], what the text encoders say.
        extras: everything beside it, as CONDITIONING wires carry it: `pooled_output` and so on.
    """

    embedding: Tensor
    extras: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TextPlan:
    """Which text encoders a family wants, and how their outputs become one conditioning.

    Attributes:
        styles: by the encoder's name, in the family's order.
        combine: outputs by encoder's name to `(tensor [1, T, D], extras)`. Encoders that are
            missing are missing there too; raises `WeightsError` if it cannot do without.
        even: prompts that differ in length between encoders are filled up with empty chunks.
        file_types: what loaders of text encoders call this set of encoders in files of their own.
        places: where a whole checkpoint keeps each encoder: the prefix of its tensors. One that
            ends in `text_model.` holds transformers' names, another OpenCLIP's.
    """

    styles: Mapping[str, TextStyle]
    combine: Callable[[Mapping[str, Encoded]], tuple[Tensor, dict[str, Any]]]
    even: bool = False
    file_types: frozenset[str] = frozenset()
    places: Mapping[str, str] = field(default_factory=dict[str, str])


class ModelFamily(Protocol):
    """How to recognise, build and run one family of latent diffusion models.

    `Config` is the family's own frozen dataclass; nobody else looks inside.
    """

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def examples(self) -> str:
        """Models of this family that people have, and where they usually come from."""
        ...

    @property
    def text(self) -> TextPlan:
        """Its text encoders."""
        ...

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration read off tensor shapes, or None: a polite no."""
        ...

    def latent(self, config: Any) -> LatentFormat:
        """What its latents look like to the denoiser."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The denoiser on the meta device, in the checkpoint's own key layout."""
        ...

    def denoiser(self, config: Any, weights: StateDict) -> StateDict:
        """The denoiser's tensors under the module's names."""
        ...

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """The tensors of one of its text encoders within a checkpoint; None if it has none."""
        ...

    def autoencoder(self, weights: StateDict) -> StateDict | None:
        """Those of the autoencoder within a checkpoint; None if it has none."""
        ...

    def metadata(self, config: Any) -> Mapping[str, str]:
        """What a file of this model must say beside its tensors, to be read as the same again."""
        ...

    def parameterization(self, config: Any) -> Parameterization:
        """What its denoiser predicts, over which noise levels."""
        ...

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """What its denoiser can be computed in, best first; empty: anything."""
        ...

    def inputs(
        self, config: Any, entry: Entry, *, shape: Sequence[int], role: Role
    ) -> Mapping[str, Input]:
        """What `predict` needs of one conditioning entry.

        Args:
            config: the model's.
            entry: whose.
            shape: of x [B, C, ...] in the run.
            role: whether the entry is wanted or not.
        """
        ...

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        control: Residuals | None,
        hooks: NetHooks | None,
        checkpoint: Checkpoint,
    ) -> Tensor:
        """One call of the denoiser. x [B, C, ...], timestep [B] -> the raw output [B, C, ...].

        x and inputs come in the dtype that the net computes in, timestep in float32.
        """
        ...

    def lora_names(self, config: Any) -> Mapping[str, str]:
        """Other people's names of modules of the denoiser to ours, without `.weight`."""
        ...

    def activation_bytes(self, config: Any, shape: Sequence[int], dtype_bytes: int) -> int:
        """An upper estimate of the memory that a call on x of `shape` needs beside the weights."""
        ...
