"""Nodes that use pictures as prompts, by IP-Adapter.

Their names are ours: a widely used pack of plugins has nodes for the same files under others.
"""

from __future__ import annotations

from typing import Annotated

import torch

from engine.errors import NodeError
from engine.files import file_identity
from engine.inference.file_handles import handle_of
from engine.inference.ip_adapter import (
    OpenIpAdapter,
    Pictures,
    applied,
    features_of,
    load_ip_adapter,
)
from engine.inference.vision import ClipVision as AnyClipVision
from engine.inference.vision import ClipVisionOutput as AnyClipVisionOutput
from engine.inference.vision import encode_nothing, encode_pictures
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice, Range
from nodes.sockets import ClipVision, ClipVisionOutput, Image, IpAdapter, Mask, Model

FOLDER = "ipadapter"
CONCATENATE, AVERAGE, PER_ROW = "concatenate", "average", "one for each row"
Time = Annotated[float, Range(0.0, 1.0, step=0.001)]


@node("LoadIPAdapter", category="loaders", display="Load IP-Adapter")
def load_ip_adapter_file(
    ip_adapter_name: Annotated[str, FileChoice(FOLDER)], ctx: Context
) -> IpAdapter:
    """Load an IP-Adapter, which lets a model take a picture as a prompt.

    Plain, plus, plus-face and full-face files for Stable Diffusion 1 and XL, from `ipadapter/`.
    """
    return handle_of(ctx.files.find(FOLDER, ip_adapter_name), load_ip_adapter)


@load_ip_adapter_file.fingerprint
def _(ip_adapter_name: str | None, ctx: Context) -> object:
    return ip_adapter_name and file_identity(ctx.files.find(FOLDER, ip_adapter_name))


@node("ApplyIPAdapter", category="conditioning/ip_adapter", display="Apply IP-Adapter")
def apply_ip_adapter(
    model: Model,
    ip_adapter: IpAdapter,
    clip_vision: ClipVision | None = None,
    image: Image | None = None,
    clip_vision_output: ClipVisionOutput | None = None,
    negative_output: ClipVisionOutput | None = None,
    mask: Mask | None = None,
    weight: Annotated[float, Range(-1.0, 3.0, step=0.01)] = 1.0,
    start_percent: Time = 0.0,
    end_percent: Time = 1.0,
    several: Annotated[str, Choice(CONCATENATE, AVERAGE, PER_ROW)] = CONCATENATE,
    *,
    ctx: Context,
) -> Model:
    """Use pictures as a further prompt: connect CLIP vision and an image, or what it encoded.

    `several` says what several pictures do: together, as their mean, or each in one picture of the
    batch. `negative_output` is for the negative prompt; without it that gets an empty picture,
    or zeros if only `clip_vision_output` is connected. `mask` limits where they apply; weight 0 has
    no effect.
    """
    if clip_vision_output is None and (clip_vision is None or image is None):
        raise NodeError(
            "there is no picture to use as a prompt: connect clip_vision and image, or "
            "clip_vision_output"
        )
    if weight == 0:
        return model
    if start_percent >= end_percent:
        sentence = (
            f"the IP-Adapter has no effect: it starts at {start_percent:g} of the run and ends at "
            f"{end_percent:g}; choose a start_percent below end_percent"
        )
        ctx.show(text=[sentence])
    shown, hidden = _features(
        ip_adapter, clip_vision, image, clip_vision_output, negative_output, ctx
    )
    if several == AVERAGE:
        shown = shown.mean(dim=0, keepdim=True)
    pictures = Pictures(shown, hidden, per_row=several == PER_ROW)
    return applied(
        model,
        ip_adapter,
        pictures,
        weight=weight,
        start=start_percent,
        end=end_percent,
        mask=mask,
    )


def _features(
    adapter: OpenIpAdapter,
    encoder: AnyClipVision | None,
    image: torch.Tensor | None,
    output: AnyClipVisionOutput | None,
    negative: AnyClipVisionOutput | None,
    ctx: Context,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(of the pictures, for the negative): what the adapter takes, see `Pictures`."""
    found: list[torch.Tensor] = []
    if encoder is not None and image is not None:
        seen = encode_pictures(encoder, image, crop=True, checkpoint=ctx.checkpoint)
        found.append(features_of(adapter, seen))
    if output is not None:
        found.append(features_of(adapter, output))
    if len({each.shape[1:] for each in found}) > 1:
        raise NodeError(
            f"the pictures were encoded as {' and '.join(str(list(e.shape[1:])) for e in found)} "
            "(states, numbers), which cannot be used together: use one CLIP vision encoder for all"
        )
    shown = torch.cat(found)
    hidden = torch.zeros_like(shown[:1])
    if negative is not None:
        hidden = features_of(adapter, negative).mean(dim=0, keepdim=True)
    elif encoder is not None and shown.ndim > 2:
        hidden = features_of(adapter, encode_nothing(encoder, checkpoint=ctx.checkpoint))
    return shown, hidden
