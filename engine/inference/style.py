"""Style models: an encoded picture as further tokens of a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.errors import NodeError, WeightsError
from engine.families.detect import recognise
from engine.inference.load import module_weights
from engine.inference.vision import ClipVisionOutput
from engine.residency.carriers import Wants
from engine.residency.handles import Weights
from engine.residency.manager import current
from engine.vision import redux, style
from engine.vision.redux import Redux, ReduxConfig
from engine.vision.style import StyleAdapter, StyleConfig
from engine.weights.open import open_weights
from engine.weights.state_dict import StateDict


@dataclass(frozen=True, slots=True)
class StyleModel:
    """A style model: its sizes and its weights; the value of a STYLE_MODEL wire.

    Attributes:
        config: of a style adapter of T2I-Adapter, or of FLUX.1 Redux.
        weights: its weights.
    """

    config: StyleConfig | ReduxConfig
    weights: Weights

    @property
    def is_redux(self) -> bool:
        """Whether it is for FLUX.1."""
        return isinstance(self.config, ReduxConfig)

    @property
    def encoder(self) -> str:
        """The image encoder that it was trained with."""
        return "SigLIP so400m" if self.is_redux else "ViT-L"

    def get_cond(self, output: ClipVisionOutput) -> Tensor:
        """The tokens [B, tokens, D] of encoded pictures; the name is the incumbent's.

        Raises:
            NodeError: the picture was encoded by an image encoder of another width.
        """
        states = output.last_hidden_state
        if states.shape[-1] != self.config.channels:
            raise NodeError(
                f"the CLIP vision output's tokens have {states.shape[-1]} numbers, the style model "
                f"takes {self.config.channels}; encode the picture with {self.encoder} (Load CLIP "
                "Vision)"
            )
        residency = current()
        dtype = residency.dtype_of(self.weights)
        wide = self.config.inner if isinstance(self.config, ReduxConfig) else states.shape[-1]
        room = 16 * states[..., 0].numel() * wide * max(dtype.itemsize, 4)
        with residency.use(self.weights, room_for=room), torch.no_grad():
            return self.weights.module(states.to(residency.device, dtype)).float().cpu()


def load_style_model(path: Path) -> StyleModel:
    """The style model of a file. Reads names and shapes, no tensor.

    Raises:
        WeightsError: damaged, hostile, incomplete, or something else.
    """
    weights = open_weights(path)
    found, config = style.tensors(weights), redux.redux_config(weights)
    if config is not None:
        return _opened(config, weights.refuse_empty(), "FLUX.1 Redux")
    if found is None:
        name = recognise(weights)
        raise WeightsError(
            f"{weights.origin}: no style adapter: {f'this is {name}' if name else 'unknown'}; "
            "choose FLUX.1 Redux (with redux_up), or the style file of T2I-Adapter (with "
            "style_embedding)."
        )
    return _opened(style.style_config(found), found, "style adapter")


def _opened(config: StyleConfig | ReduxConfig, tensors: StateDict, title: str) -> StyleModel:
    def build() -> nn.Module:
        with torch.device("meta"):
            made = StyleAdapter(config) if isinstance(config, StyleConfig) else Redux(config)
            return made.eval()

    handle = module_weights(f"{tensors.origin}, {title}", build, tensors, Wants())
    return StyleModel(config, handle)
