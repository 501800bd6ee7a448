"""Where an SD1 file keeps its parts, in every spelling that is met in the wild.

Knows names only; the sizes are family.py's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.errors import WeightsError
from engine.weights.state_dict import Entry, StateDict

DENOISER_PREFIXES = ("model.diffusion_model.", "model.model.", "")
TEXT_PREFIXES = (
    "cond_stage_model.transformer.",
    "text_encoder.",
    "text_encoders.clip_l.transformer.",
)
AUTOENCODER_PREFIXES = ("first_stage_model.", "vae.", "")
DENOISER_MARK = "input_blocks.0.0.weight"
AUTOENCODER_MARK = "decoder.conv_in.weight"
TEXT_MARK = "embeddings.token_embedding.weight"

DENOISER_PARTS = (
    "time_embed.",
    "label_emb.",
    "input_blocks.",
    "middle_block.",
    "output_blocks.",
    "out.",
)
AUTOENCODER_PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
TEXT_PARTS = ("embeddings.", "encoder.", "final_layer_norm.")
POSITION_IDS = "embeddings.position_ids"
"""A row of 0..76 that old files carry; the network counts by itself."""
V_PREDICTION_MARKS = ("v_pred", "model.diffusion_model.v_pred")
ZERO_SNR_MARKS = ("ztsnr", "model.diffusion_model.ztsnr")


def denoiser(weights: StateDict) -> StateDict | None:
    """The UNet's tensors. Copies under `model_ema.` and training state are left where they are."""
    return _below(weights, DENOISER_PREFIXES, DENOISER_MARK, DENOISER_PARTS)


def autoencoder(weights: StateDict) -> StateDict | None:
    """The autoencoder's tensors, without the discriminator that its training left behind."""
    found = _below(weights, AUTOENCODER_PREFIXES, AUTOENCODER_MARK, AUTOENCODER_PARTS)
    return replace(found, entries=_as_convolutions(found.entries)) if found else None


def text_encoder(weights: StateDict) -> StateDict | None:
    """The text encoder's tensors; the middle part `text_model.` is missing in old files."""
    prefixes = [f"{prefix}{inner}" for prefix in TEXT_PREFIXES for inner in ("text_model.", "")]
    found = _below(weights, prefixes, TEXT_MARK, TEXT_PARTS)
    return found.rename(lambda name: None if name == POSITION_IDS else name) if found else None


def _below(
    weights: StateDict, prefixes: list[str] | tuple[str, ...], mark: str, parts: tuple[str, ...]
) -> StateDict | None:
    """What lies below the first prefix that holds `mark`, as far as it belongs to `parts`."""
    for prefix in prefixes:
        if f"{prefix}{mark}" in weights:
            found = weights.part(prefix)
            found = found.rename(lambda name: name if name.startswith(parts) else None)
            _refuse_empty(found)
            return found
    return None


def _refuse_empty(part: StateDict) -> None:
    """A tensor without bytes could claim any size, and a network would be built to match it."""
    for name, shape in part.shapes.items():
        if 0 in shape:
            raise WeightsError(f"its tensor {name} has the shape {list(shape)}, which is empty")


def _as_convolutions(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Some files store the attention's 1 x 1 convolutions as matrices."""
    return {
        name: _with_two_axes_more(entry) if ".attn_1." in name and len(entry.shape) == 2 else entry
        for name, entry in entries.items()
    }


def _with_two_axes_more(entry: Entry) -> Entry:
    return Entry((*entry.shape, 1, 1), entry.dtype, lambda: entry.read()[:, :, None, None])
