"""ControlNets in the original layout, for all latent diffusion UNets."""

from __future__ import annotations

from engine.control.unet_copy import UNetCopy, UNetCopyConfig, is_averaged, sizes_of
from engine.weights.state_dict import StateDict

PREFIXES = ("control_model.", "")
MARKS = ("zero_convs.0.0.weight", "input_hint_block.0.weight")
PARTS = (
    "time_embed.",
    "label_emb.",
    "input_blocks.",
    "middle_block.",
    "input_hint_block.",
    "zero_convs.",
    "middle_block_out.",
)
DIFFERENCE = "difference"


class OriginalControlNet(UNetCopy[UNetCopyConfig]):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "ControlNet"
    examples = (
        "original layout (`zero_convs`, with or without `control_model.`), for Stable Diffusion 1 "
        "and XL: ControlNet 1.0 and 1.1 (huggingface.co/lllyasviel), files whose weights are a "
        "difference, shuffle"
    )

    def detect(self, weights: StateDict) -> UNetCopyConfig | None:
        """The configuration of a file with an encoder half and zero convolutions."""
        found = _below(weights)
        if found is None:
            return None
        return UNetCopyConfig(
            net=sizes_of(weights, found),
            averaged=is_averaged(weights),
            difference=DIFFERENCE in weights,
        )

    def tensors(self, config: UNetCopyConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        found = _below(weights)
        if found is None:
            raise ValueError("detect says whether a file is of this kind")
        return found


def _below(weights: StateDict) -> StateDict | None:
    for prefix in PREFIXES:
        if all(f"{prefix}{mark}" in weights for mark in MARKS):
            found = weights.part(prefix) if prefix else weights
            return found.rename(lambda name: name if name.startswith(PARTS) else None)
    return None
