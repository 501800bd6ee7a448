"""What the metadata of a separate denoiser's file says of its family (ModelSpec's architecture).

Without its text encoder, a denoiser is recognised by the width of the released one's text. A file
that was saved here names its family too, so that models of other sizes are recognised as well.
"""

from __future__ import annotations

from engine.nets import unet_keys
from engine.weights.state_dict import StateDict

KEY = "modelspec.architecture"
"""See https://github.com/Stability-AI/ModelSpec."""
_ATTENDED, _VECTOR = ".attn2.to_k.weight", "label_emb.0.0.weight"


def architecture(family: str) -> str:
    """The value of `KEY` for the family of that name."""
    return family.lower().replace(" ", "-").replace(",", "")


def text_width(weights: StateDict, family: str, released: int) -> int:
    """The width of the text that a UNet of that family takes, in a file without text encoder.

    Args:
        weights: of the file.
        family: its name.
        released: the width of the family's released models.
    """
    return _width(weights, family, _ATTENDED) or released


def vector_width(weights: StateDict, family: str, released: int) -> int:
    """The same for `y`, the vector beside the text."""
    return _width(weights, family, _VECTOR) or released


def _width(weights: StateDict, family: str, ending: str) -> int | None:
    """The columns of the UNet's first matrix so named, if the file declares that family."""
    if weights.metadata.get(KEY) != architecture(family):
        return None
    denoiser = unet_keys.tensors(weights)
    names = (name for name in denoiser or () if name.endswith(ending))
    shape = denoiser.shape(next(names, "")) if denoiser else None
    return shape[1] if shape and len(shape) == 2 else None
