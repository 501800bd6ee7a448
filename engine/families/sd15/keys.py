"""Where an SD1 file keeps its parts, in every spelling that is met in the wild.

Knows names only; the sizes are family.py's business.
"""

from __future__ import annotations

from engine.errors import WeightsError
from engine.weights.state_dict import StateDict

DENOISER_PREFIXES = ("model.diffusion_model.", "model.model.", "")
TEXT_PREFIXES = (
    "cond_stage_model.transformer.",
    "text_encoder.",
    "text_encoders.clip_l.transformer.",
)
AUTOENCODER_PREFIXES = ("first_stage_model.", "vae.")
DENOISER_MARK = "input_blocks.0.0.weight"
TEXT_MARK = "embeddings.token_embedding.weight"

DENOISER_PARTS = (
    "time_embed.",
    "label_emb.",
    "input_blocks.",
    "middle_block.",
    "output_blocks.",
    "out.",
)
V_PREDICTION_MARKS = ("v_pred", "model.diffusion_model.v_pred")
ZERO_SNR_MARKS = ("ztsnr", "model.diffusion_model.ztsnr")


def denoiser(weights: StateDict) -> StateDict | None:
    """The UNet's tensors. Copies under `model_ema.` and training state are left where they are."""
    return _below(weights, DENOISER_PREFIXES, DENOISER_MARK, DENOISER_PARTS)


def text_encoder(weights: StateDict) -> StateDict | None:
    """The tensors of an SD1 checkpoint's text encoder; CLIP's own room knows the names."""
    for prefix in TEXT_PREFIXES:
        found = weights.part(prefix)
        if any(f"{inner}{TEXT_MARK}" in found for inner in ("text_model.", "")):
            refuse_empty(found)
            return found
    return None


def autoencoder(weights: StateDict) -> StateDict | None:
    """The tensors of a checkpoint's autoencoder."""
    for prefix in AUTOENCODER_PREFIXES:
        found = weights.part(prefix)
        if len(found):
            return found
    return None


def _below(
    weights: StateDict, prefixes: list[str] | tuple[str, ...], mark: str, parts: tuple[str, ...]
) -> StateDict | None:
    """The tensors below the first prefix that holds `mark`, as far as it belongs to `parts`."""
    for prefix in prefixes:
        if f"{prefix}{mark}" in weights:
            found = weights.part(prefix)
            found = found.rename(lambda name: name if name.startswith(parts) else None)
            refuse_empty(found)
            return found
    return None


def refuse_empty(part: StateDict) -> None:
    """A tensor without bytes could claim any size, and a network would be built to match it."""
    for name, shape in part.shapes.items():
        if 0 in shape:
            raise WeightsError(f"its tensor {name} has the shape {list(shape)}, which is empty")
