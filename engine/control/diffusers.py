"""ControlNets in the layout of diffusers, for all latent diffusion UNets.

The names show the structure, so any number of levels, blocks and transformers works, such as the
small networks for SDXL without transformers.
"""

from __future__ import annotations

import re

from engine.control.unet_copy import UNetCopy, UNetCopyConfig, is_averaged, sizes_of
from engine.nets.unet_keys import original_names
from engine.weights.state_dict import StateDict

MARK = "controlnet_cond_embedding.conv_in.weight"
_HINT = re.compile(r"controlnet_cond_embedding\.(conv_in|conv_out|blocks\.(\d{1,3}))\.(.+)")
_OUT = re.compile(r"controlnet_down_blocks\.(\d{1,3})\.(.+)")
_MIDDLE = "controlnet_mid_block."


class DiffusersControlNet(UNetCopy[UNetCopyConfig]):
    """See `engine.control.kind.ControlKind`, which this implements."""

    name = "ControlNet in the layout of diffusers"
    examples = (
        "`controlnet_cond_embedding`, for Stable Diffusion 1 and XL, of any depth: those in "
        "diffusers' folders (`diffusion_pytorch_model`), the small and mid-sized ones for XL"
    )

    def detect(self, weights: StateDict) -> UNetCopyConfig | None:
        """The configuration of a file with that mark."""
        if MARK not in weights:
            return None
        return UNetCopyConfig(
            net=sizes_of(weights, in_original_layout(weights)), averaged=is_averaged(weights)
        )

    def tensors(self, config: UNetCopyConfig, weights: StateDict) -> StateDict:
        """See `ControlKind`."""
        del config
        return in_original_layout(weights)


def in_original_layout(weights: StateDict) -> StateDict:
    """The tensors under the names of the original layout; unknown names are unchanged."""
    unet = original_names(weights)
    last = sum(1 for name in weights if _is_hint_weight(name)) - 1

    def rename(name: str) -> str:
        if hint := _HINT.fullmatch(name):
            part, number, rest = hint.groups()
            place = {"conv_in": 0, "conv_out": last}.get(part)
            return f"input_hint_block.{2 * (int(number) + 1 if place is None else place)}.{rest}"
        if out := _OUT.fullmatch(name):
            return f"zero_convs.{out[1]}.0.{out[2]}"
        if name.startswith(_MIDDLE):
            return f"middle_block_out.0.{name.removeprefix(_MIDDLE)}"
        return unet(name)

    return weights.rename(rename)


def _is_hint_weight(name: str) -> bool:
    hint = _HINT.fullmatch(name)
    return hint is not None and hint[3] == "weight"
