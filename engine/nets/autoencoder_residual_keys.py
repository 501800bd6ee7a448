"""Names of the tensors of Qwen-Image 2.1's autoencoder: diffusers' layout, and Wan 2.2's."""

from __future__ import annotations

import re
from dataclasses import replace

from engine.weights.state_dict import Entry, StateDict

MARK = "decoder.up_blocks.0.upsampler.resample.1.weight"
ORIGINAL_MARK = "decoder.upsamples.0.upsamples.0.residual.2.weight"
LAST = ("decoder.conv_out.weight", "decoder.head.2.weight")
MOST_PIXEL_CHANNELS = 4
"""Wan 2.2's has 12 at its end: pixels of 2 x 2 patches."""
PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
_TIME = ".time_conv."
_BLOCK = re.compile(r"^(encoder|decoder)\.(?:down|up)samples\.(\d+)\.(?:down|up)samples\.(\d+)\.")
_NAMES = tuple(
    (re.compile(pattern), ours)
    for pattern, ours in (
        (r"^conv1\.", "quant_conv."),
        (r"^conv2\.", "post_quant_conv."),
        (r"^(encoder|decoder)\.conv1\.", r"\1.conv_in."),
        (r"\.middle\.0\.", ".mid_block.resnets.0."),
        (r"\.middle\.1\.", ".mid_block.attentions.0."),
        (r"\.middle\.2\.", ".mid_block.resnets.1."),
        (r"\.head\.0\.", ".norm_out."),
        (r"\.head\.2\.", ".conv_out."),
        (r"\.residual\.0\.", ".norm1."),
        (r"\.residual\.2\.", ".conv1."),
        (r"\.residual\.3\.", ".norm2."),
        (r"\.residual\.6\.", ".conv2."),
        (r"\.shortcut\.", ".conv_shortcut."),
    )
)


def tensors(weights: StateDict) -> StateDict | None:
    """The autoencoder's tensors under the module's names, for pictures; None without one.

    Convolutions over time among them, which a single picture does not meet, only tell which levels
    halve it; `drop_time` leaves them out.

    Args:
        weights: without a checkpoint's prefix.

    Raises:
        WeightsError: a tensor is empty.
    """
    if MARK not in weights and ORIGINAL_MARK not in weights:
        return None
    rows = next((shape[0] for key in LAST if (shape := weights.shape(key))), 0)
    if not 0 < rows <= MOST_PIXEL_CHANNELS:
        return None
    found = weights.rename(_name)
    found = found.rename(lambda name: name if name.startswith(PARTS) else None).refuse_empty()
    entries = {name: _of_picture(name, entry) for name, entry in found.entries.items()}
    return replace(found, entries=entries)


def drop_time(found: StateDict) -> StateDict:
    """The tensors that the module has."""
    return found.rename(lambda name: None if _TIME in name else name)


def _name(name: str) -> str:
    name = _BLOCK.sub(_block, name)
    for pattern, ours in _NAMES:
        name = pattern.sub(ours, name)
    for half, level, sampler in (
        ("encoder", "down_blocks", "downsampler"),
        ("decoder", "up_blocks", "upsampler"),
    ):
        name = re.sub(
            rf"^({half}\.{level}\.\d+)\.resnets\.\d+\.(resample|time_conv)\.",
            rf"\1.{sampler}.\2.",
            name,
        )
    return name


def _block(found: re.Match[str]) -> str:
    level = "down_blocks" if found[1] == "encoder" else "up_blocks"
    return f"{found[1]}.{level}.{found[2]}.resnets.{found[3]}."


def _of_picture(name: str, entry: Entry) -> Entry:
    """A norm's weights in a row; of a kernel over time what meets a single picture, its last."""
    if name.endswith(".gamma") and len(entry.shape) > 1:
        return Entry(entry.shape[:1], entry.dtype, lambda: entry.read().flatten())
    if len(entry.shape) == 5 and _TIME not in name:
        shape = (*entry.shape[:2], *entry.shape[3:])
        return Entry(shape, entry.dtype, lambda: entry.read()[:, :, -1], is_made=bool(entry.form))
    return entry
