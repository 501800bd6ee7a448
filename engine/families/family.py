"""The interface of a model family."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from engine.adapters.rows import Rows
from engine.diffusion.conditioning import Input, Role
from engine.diffusion.parameterization import Parameterization
from engine.errors import NodeError
from engine.families.latent_format import LatentFormat
from engine.nets.hooks import NetHooks, Residuals
from engine.text.encoder import Encoded, TextStyle
from engine.weights.state_dict import StateDict

Checkpoint = Callable[[], None]
"""Called at every network block; raises when the user stopped the run."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entry of a conditioning.

    Attributes:
        embedding: [1, T, D], the states of the text encoders.
        extras: the other values of the CONDITIONING entry: `pooled_output` and so on.
    """

    embedding: Tensor
    extras: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The run that conditioning entries take part in. Tensors are float32, on the CPU.

    Attributes:
        shape: of x [B, C, ...].
        seed: of the run's noise, for the noise that a family adds to its inputs.
        clean: [B, C, ...], the latent that the run starts from, in the denoiser's space and without
            noise; zeros if it is empty. None where x is not known yet.
        mask: [1 or B, 1, ...] at the size of x: 1 where it is painted, 0 where the latent stays.
            None if all of it is painted.
    """

    shape: Sequence[int]
    seed: int = 0
    clean: Tensor | None = None
    mask: Tensor | None = None


def check_tokens(entry: Entry, width: int | None, *, advice: str) -> None:
    """Refuse a conditioning made by other text encoders.

    Raises:
        NodeError: the width of the tokens is not the network's.
    """
    found = entry.embedding.shape[-1]
    if width is not None and found != width:
        raise NodeError(
            f"the conditioning's tokens have {found} numbers, the model takes {width}: the prompt "
            f"was encoded for another model. {advice}"
        )


@dataclass(frozen=True, slots=True)
class TextPlan:
    """Which text encoders a family uses, and how their outputs become one conditioning.

    Attributes:
        styles: by the encoder's name, in the family's order; none: the family takes no text.
        combine: from outputs by encoder name to `(tensor [1, T, D], extras)`. Outputs of absent
            encoders are absent; raises `WeightsError` if one of them is required, and `NodeError`
            if the family takes no text.
        optional: names of encoders that may be absent, as long as one is there.
        others: plans for other sets of encoders, which models of other sizes of the family use.
        even: whether prompts that differ in length between encoders are padded with empty chunks.
        file_types: the loaders' names of this set of encoders in separate files.
        places: the prefixes of each encoder's tensors in a whole checkpoint. A prefix that ends in
            `.model.` has OpenCLIP's names, others those of our modules (for CLIP transformers').
    """

    styles: Mapping[str, TextStyle]
    combine: Callable[[Mapping[str, Encoded]], tuple[Tensor, dict[str, Any]]]
    optional: frozenset[str] = frozenset()
    others: tuple[TextPlan, ...] = ()
    even: bool = False
    file_types: frozenset[str] = frozenset()
    places: Mapping[str, str] = field(default_factory=dict[str, str])

    def fits(self, encoders: Collection[str]) -> bool:
        """Whether these encoders, by name, are enough and none too many."""
        missing = set(self.styles) - set(encoders)
        foreign = set(encoders) - set(self.styles)
        return bool(encoders) and not foreign and missing <= self.optional


class ModelFamily(Protocol):
    """How to recognise, build and run one family of latent diffusion models.

    `Config` is the family's own frozen dataclass, opaque to callers.
    """

    @property
    def name(self) -> str:
        """The name shown to users."""
        ...

    @property
    def examples(self) -> str:
        """Common models of this family, and where they are published."""
        ...

    @property
    def text(self) -> TextPlan:
        """Its text encoders."""
        ...

    def detect(self, weights: StateDict) -> Any | None:
        """The configuration from tensor shapes, or None if they are not this family's."""
        ...

    def latent(self, config: Any) -> LatentFormat:
        """The format of its denoiser's latents."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The denoiser on the meta device, in the checkpoint's key layout."""
        ...

    def denoiser(self, config: Any, weights: StateDict) -> StateDict:
        """The denoiser's tensors under the module's names."""
        ...

    def encoder(self, weights: StateDict, name: str) -> StateDict | None:
        """The tensors of one of its text encoders within a checkpoint; None if it has none."""
        ...

    def autoencoder(self, weights: StateDict) -> StateDict | None:
        """The tensors of the autoencoder within a checkpoint; None if it has none."""
        ...

    def metadata(self, config: Any) -> Mapping[str, str]:
        """The metadata that a saved file of this model needs, to be read as the same model."""
        ...

    def parameterization(self, config: Any) -> Parameterization:
        """The denoiser's kind of prediction and noise levels."""
        ...

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """The dtypes its denoiser can be computed in, best first; empty: any."""
        ...

    def inputs(self, config: Any, entry: Entry, *, run: Run, role: Role) -> Mapping[str, Input]:
        """The inputs of `predict` from one conditioning entry.

        Args:
            config: of the model.
            entry: the entry.
            run: the run, or the pictures of a training set.
            role: positive or negative.
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

        x and inputs are in the dtype that the network computes in, timestep in float32.
        """
        ...

    def lora_names(self, config: Any) -> Mapping[str, str | Rows]:
        """Other programs' names of the denoiser's modules to ours, without `.weight`.

        `Rows` where their module is a part of ours, such as one of three projections.
        """
        ...

    def activation_bytes(self, config: Any, shape: Sequence[int], dtype_bytes: int) -> int:
        """An upper estimate of the memory that a call on x of `shape` needs beside the weights."""
        ...
