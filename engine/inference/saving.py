"""Collects a model's tensors for saving, in the original layout that every program reads.

Patches are applied to the saved values. Only one tensor at a time is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from engine.diffusion.continuous import Continuous
from engine.diffusion.parameterization import Discrete, Prediction
from engine.errors import NodeError
from engine.families import declared
from engine.inference.adapters import sources_of
from engine.inference.merging import OtherTensor
from engine.inference.values import Clip, Model, TextPart, Vae
from engine.inference.vision import ClipVision
from engine.nets.clip_layers import Kept
from engine.residency.handles import Weights
from engine.text.clip_keys import open_clip_layout
from engine.vision.clip import ClipImageEncoder
from engine.vision.clip_keys import open_clip_layout as open_clip_vision
from engine.weights.write import ToWrite

DENOISER_PREFIX, AUTOENCODER_PREFIX = "model.diffusion_model.", "first_stage_model."
VISION_PREFIX = "conditioner.embedders.0.open_clip.model."
TRANSFORMERS, OPEN_CLIP = "text_model.", ".model."
"""The endings of CLIP's places in checkpoints, by the layout they have there."""
_PROJECTION = "text_projection.weight"
_MOST_TRAINED_SIGMA = 1000.0
"""A table with a larger sigma was rescaled to end in pure noise."""


def checkpoint_tensors(model: Model, clip: Clip | None, vae: Vae | None) -> dict[str, ToWrite]:
    """A whole checkpoint in the original layout.

    Raises:
        NodeError: a part is missing, or its place in a checkpoint is not known.
    """
    found = {DENOISER_PREFIX + name: each for name, each in tensors_of(model.net).items()}
    found |= _marks(model)
    for name, part in (clip.parts if clip else {}).items():
        prefix = clip.plan.places.get(name) if clip else None
        if prefix is None:
            raise NodeError(
                f"where a checkpoint keeps the text encoder {part.encoder.title} is not known; "
                "save it with CLIPSave"
            )
        found |= encoder_in_checkpoint(prefix, tensors_of(part.weights))
    if vae:
        tensors = tensors_of(vae.autoencoder)
        found |= {AUTOENCODER_PREFIX + name: each for name, each in tensors.items()}
    return found


def image_encoder_in_checkpoint(vision: ClipVision) -> dict[str, ToWrite]:
    """An image encoder's tensors under their names in a checkpoint that takes pictures (SVD).

    Raises:
        NodeError: it is none of CLIP's, for which no place in a checkpoint is known.
    """
    tensors = tensors_of(vision.weights)
    if not isinstance(vision.kind, ClipImageEncoder):
        raise NodeError(
            f"where a checkpoint keeps a {vision.kind.name} is not known; connect one of CLIP's "
            "image encoders"
        )
    layout = open_clip_vision(tensors)
    return {f"{VISION_PREFIX}{name}": _joined(kept, tensors) for name, kept in layout.items()}


def encoder_in_checkpoint(prefix: str, tensors: Mapping[str, ToWrite]) -> dict[str, ToWrite]:
    """A text encoder's tensors under their names in a checkpoint.

    Args:
        prefix: its place, see `TextPlan.places`.
        tensors: by the names in our module.
    """
    if prefix.endswith(OPEN_CLIP):
        layout = open_clip_layout(tensors)
        return {f"{prefix}{name}": _joined(kept, tensors) for name, kept in layout.items()}
    found = {f"{prefix}{name}": each for name, each in tensors.items()}
    beside = f"{prefix}{_PROJECTION}"
    if prefix.endswith(TRANSFORMERS) and beside in found:
        found[prefix.removesuffix(TRANSFORMERS) + _PROJECTION] = found.pop(beside)
    return found


def encoder_tensors(part: TextPart) -> dict[str, ToWrite]:
    """A text encoder as a separate file; CLIP's in the layout of transformers."""
    tensors = tensors_of(part.weights)
    beside = {name: tensors.pop(name) for name in [_PROJECTION] if name in tensors}
    return {part.encoder.file_prefix + name: each for name, each in tensors.items()} | beside


def tensors_of(weights: Weights) -> dict[str, ToWrite]:
    """A network's tensors with their patches applied, in the dtypes of its file.

    Raises:
        NodeError: the file that the handle came from does not hold this part.
    """
    if weights.is_missing:
        raise NodeError(f"{weights.name} is not there and cannot be saved")
    found: dict[str, ToWrite] = {}
    for name, source in sources_of(weights).items():
        tensor = OtherTensor(source, tuple(weights.patches.get(name, ())))
        found[name] = ToWrite(source.shape, source.dtype, _values(tensor, source.dtype))
    return found


def _values(tensor: OtherTensor, dtype: torch.dtype) -> Callable[[], Tensor]:
    """A function that returns a tensor in a dtype; exactly the file's values without a patch."""

    def values() -> Tensor:
        source = tensor.source
        if not tensor.patches:
            return source.unpack(source.read_parts(), dtype)
        changed = tensor.values(torch.empty(0))
        if dtype.itemsize == 1:  # values beyond such a dtype's range become NaN
            largest = torch.finfo(dtype).max
            changed = changed.clamp(-largest, largest)
        return changed.to(dtype)

    return values


def _joined(kept: Kept, tensors: Mapping[str, ToWrite]) -> ToWrite:
    parts = [tensors[name] for name in kept.names]
    first = parts[0]
    if kept.transposed:

        def turned() -> Tensor:
            return first.values().T.contiguous()

        return ToWrite(first.shape[::-1], first.dtype, turned)
    if len(parts) == 1:
        return first
    rows = sum(part.shape[0] for part in parts)
    shape = (rows, *first.shape[1:])
    return ToWrite(shape, first.dtype, lambda: torch.cat([part.values() for part in parts]))


def _marks(model: Model) -> dict[str, ToWrite]:
    """The keys that mark a model whose prediction is not noise."""
    levels, empty = model.parameterization, ToWrite.of(torch.zeros(0))
    if isinstance(levels, Discrete) and levels.prediction is Prediction.V:
        rescaled = levels.sigma_max > _MOST_TRAINED_SIGMA
        return {"v_pred": empty} | ({"ztsnr": empty} if rescaled else {})
    if isinstance(levels, Continuous) and levels.prediction is Prediction.V:
        return {
            "edm_vpred.sigma_max": ToWrite.of(torch.tensor(levels.sigma_max)),
            "edm_vpred.sigma_min": ToWrite.of(torch.tensor(levels.sigma_min)),
        }
    return {}


def file_metadata(model: Model | None, title: str) -> dict[str, str]:
    """The metadata of a file, after https://github.com/Stability-AI/ModelSpec."""
    spec = {"modelspec.sai_model_spec": "1.0.0", "modelspec.title": title}
    if model is None:
        return spec
    levels = model.parameterization
    is_v = isinstance(levels, Discrete | Continuous) and levels.prediction is Prediction.V
    return (
        spec
        | {
            declared.KEY: declared.architecture(model.family.name),
            "modelspec.prediction_type": "v" if is_v else "epsilon",
        }
        | dict(model.family.metadata(model.config))
    )
