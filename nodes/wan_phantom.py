"""The node of Phantom for Wan, and one that other versions have for memory."""

from __future__ import annotations

from typing import NamedTuple

import torch

from engine.families.bridge.wan_given import SUBJECTS
from engine.families.wan_autoencoder import LATENT
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from nodes.conditioning import with_values
from nodes.sockets import Conditioning, Image, Latent, Model, Vae
from nodes.wan import VIDEO_MODELS, Count, Length, Side, empty_video, encoded, frames_of


class Shown(NamedTuple):
    """The prompt with the pictures, the negative one with them and without; the empty latent."""

    positive: Conditioning
    negative_text: Conditioning
    negative_img_text: Conditioning
    latent: Latent


@node("WanPhantomSubjectToVideo", category=VIDEO_MODELS)
def wan_phantom_subject_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    images: Image | None = None,
    *,
    ctx: Context,
) -> Shown:
    """Show Phantom pictures of what its video is of, each as one more cell of time.

    Guide it with DualCFGGuider: cond1 `positive`, cond2 `negative_text`, negative
    `negative_img_text`, as https://github.com/Phantom-video/Phantom does it; the third sees
    pictures of zeros.
    """
    latent = empty_video(width, height, length, batch_size)
    if images is None:
        return Shown(positive, negative, negative, latent)
    frames = frames_of(images, width, height)
    seen = torch.cat([encoded(vae, frames[n : n + 1], ctx) for n in range(len(frames))], dim=2)
    nothing = LATENT.out(torch.zeros_like(seen))
    return Shown(
        with_values(positive, **{SUBJECTS: seen}),
        with_values(negative, **{SUBJECTS: seen}),
        with_values(negative, **{SUBJECTS: nothing}),
        latent,
    )


@node("wanBlockSwap", category="", deprecated=True)
def wan_block_swap(model: Model) -> Model:
    """Pass the model on as it is, for workflows that have the node.

    Weights that do not fit into the device's memory are brought block by block for every model.
    """
    return model
