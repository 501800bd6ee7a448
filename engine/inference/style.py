"""Style models: an encoded picture as further tokens of a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import NodeError, WeightsError
from engine.families.detect import recognise
from engine.inference.load import module_weights
from engine.inference.vision import ClipVisionOutput
from engine.residency.carriers import Wants
from engine.residency.handles import Weights
from engine.residency.manager import current
from engine.vision.style import StyleAdapter, StyleConfig, style_config, tensors
from engine.weights.open import open_weights


@dataclass(frozen=True, slots=True)
class StyleModel:
    """A style adapter: its sizes and its weights; the value of a STYLE_MODEL wire."""

    config: StyleConfig
    weights: Weights

    def get_cond(self, output: ClipVisionOutput) -> Tensor:
        """The tokens [B, tokens, D] of encoded pictures; the name is the incumbent's.

        Raises:
            NodeError: the picture was encoded by an image encoder of another width.
        """
        states = output.last_hidden_state
        if states.shape[-1] != self.config.channels:
            raise NodeError(
                f"the CLIP vision output's tokens have {states.shape[-1]} numbers, the style model "
                f"takes {self.config.channels}; encode the picture with ViT-L (Load CLIP Vision)"
            )
        residency = current()
        dtype = residency.dtype_of(self.weights)
        room = 16 * states.numel() * max(dtype.itemsize, 4)
        with residency.use(self.weights, room_for=room), torch.no_grad():
            return self.weights.module(states.to(residency.device, dtype)).float().cpu()


def load_style_model(path: Path) -> StyleModel:
    """The style adapter of a file. Reads names and shapes, no tensor.

    Raises:
        WeightsError: damaged, hostile, incomplete, or something else.
    """
    weights = open_weights(path)
    found = tensors(weights)
    if found is None:
        name = recognise(weights)
        raise WeightsError(
            f"{weights.origin}: no style adapter: {f'this is {name}' if name else 'unknown'}; "
            "choose the style file of T2I-Adapter (with style_embedding)."
        )
    config = style_config(found)

    def build() -> StyleAdapter:
        with torch.device("meta"):
            return StyleAdapter(config).eval()

    return StyleModel(
        config, module_weights(f"{weights.origin}, style adapter", build, found, Wants())
    )
