"""The node of ATI for Wan: things in a picture that move along drawn lines.

Wang et al. 2025, "ATI: Any Trajectory Instruction for Controllable Video Generation" (arXiv
2505.22944), as https://github.com/bytedance/ATI (Apache-2.0) computes it: what the autoencoder
sees at the start of a line is put along the line, and fades with the distance to it.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.nn import functional

from engine.errors import NodeError
from engine.families.bridge.wan_given import MASK_CHANNELS
from engine.families.picture_channels import MASK, PICTURE
from engine.families.wan_autoencoder import LATENT
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range, Text
from nodes.sockets import ClipVisionOutput, Conditioning, Image, Vae
from nodes.wan import (
    VIDEO_MODELS,
    Count,
    Length,
    Prepared,
    Side,
    empty_video,
    encoded,
    frames_of,
    grey,
    prepared,
)

POINTS = 121
"""Of a line: five seconds at 24 a second, and where it begins; the model makes 16 frames."""


@node("WanTrackToVideo", category=VIDEO_MODELS)
def wan_track_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    *,
    tracks: Annotated[str, Text(multiline=True)] = "[]",
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    temperature: Annotated[float, Range(1.0, 1000.0, step=0.1)] = 220.0,
    topk: Annotated[int, Range(1, 10)] = 2,
    start_image: Image,
    clip_vision_output: ClipVisionOutput | None = None,
    ctx: Context,
) -> Prepared:
    """Have things in the first picture move along lines, with the model ATI.

    Lines are JSON: lists of points {"x": .., "y": ..} in pixels, 121 for five seconds; a shorter
    one is not seen where it ends. The higher the temperature, the narrower a line; each place
    takes from the `topk` nearest.
    """
    latent = empty_video(width, height, length, batch_size)
    frames = frames_of(start_image[:1], width, height)
    video = grey(width, height, length, frames)
    video[:1] = frames
    seen = LATENT.into(encoded(vae, video, ctx))
    given = torch.zeros(1, 1, *seen.shape[2:])
    given[:, :, 0] = 1.0
    lines = _lines(tracks)
    if lines is not None:
        places, visible = _in_frames(lines, width, height, length)
        seen, given = _put_along(seen, places, visible, temperature, topk)
    values: dict[str, Any] = {
        PICTURE: LATENT.out(seen),
        MASK: (1.0 - given).expand(-1, MASK_CHANNELS, -1, -1, -1),
    }
    return prepared(positive, negative, values, clip_vision_output, latent)


def _lines(written: str) -> Tensor | None:
    """Lines [N, 121, 3] of x, y and 1 where it is seen; None of none.

    Raises:
        NodeError: they are no lists of points.
    """
    try:
        found = json.loads(written or "[]")
        if found and isinstance(found[0], dict):
            found = [found]
        lines = [[(float(each["x"]), float(each["y"]), 1.0) for each in line] for line in found]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise NodeError(
            'tracks should be lists of points such as [[{"x": 10, "y": 20}, ...], ...], found '
            f"{written[:60]!r} ({type(error).__name__}: {error})"
        ) from error
    lines = [line[:POINTS] for line in lines if line]
    if not lines:
        return None
    short = [torch.tensor(line) for line in lines]
    return torch.stack([functional.pad(each, (0, 0, 0, POINTS - len(each))) for each in short])


def _in_frames(lines: Tensor, width: int, height: int, length: int) -> tuple[Tensor, Tensor]:
    """Where lines are at each frame: [length, N, 2], -1..1 along the short side; and [length, N].

    Of three points of 24 a second two frames of 16 are taken. Frames behind the last point are
    not seen.
    """
    points = lines.transpose(0, 1)
    taken = points[1:].repeat_interleave(2, dim=0)[1::3]
    frames = torch.cat((points[:1], taken))[:length]
    frames = functional.pad(frames, (0, 0, 0, 0, 0, length - len(frames)))
    middle = torch.tensor([width / 2, height / 2])
    # Seen or not is -1 or 1 in the published files, and cut to 0..1 before it is used.
    return (frames[..., :2] - middle) / min(width, height) * 2, frames[..., 2]


def _put_along(
    seen: Tensor, places: Tensor, visible: Tensor, temperature: float, topk: int
) -> tuple[Tensor, Tensor]:
    """The latent [1, C, t, h, w] with what is at the start of each line put along it.

    Returns:
        it, and how much of each place is given [1, 1, t, h, w]. A place near to several lines
        takes the sum.
    """
    cells, rows, columns = seen.shape[2:]
    short = min(rows, columns)
    sides = torch.tensor([columns / short, rows / short])
    starts = (places[0] / sides).clamp(-1, 1)
    features = functional.grid_sample(
        seen[:, :, 0], starts[None, None], mode="bilinear", align_corners=False
    )[0, :, 0]
    seen_later = visible[1:].unflatten(0, (cells - 1, -1))
    count = seen_later.sum(1)
    later = places[1:].unflatten(0, (cells - 1, -1)) * seen_later[..., None]
    means = later.sum(1) / (count[..., None] + 1e-5)
    across = torch.linspace(-float(sides[0]), float(sides[0]), columns)
    down = torch.linspace(-float(sides[1]), float(sides[1]), rows)
    grid = torch.stack(torch.meshgrid(down, across, indexing="ij")[::-1], dim=-1)
    found, given = seen.clone(), torch.ones(1, 1, *seen.shape[2:])
    for cell in range(1, cells):
        distance = (means[cell - 1] - grid[:, :, None]).square().sum(-1)
        weights = torch.exp(-distance * temperature) * count[cell - 1].clamp(0, 1)
        weights, nearest = weights.topk(min(topk, weights.shape[-1]), dim=-1)
        added = torch.einsum("chwk,hwk->chw", features[:, nearest], weights)
        whole = weights.sum(-1)
        found[0, :, cell] = added + seen[0, :, cell] * (1 - whole.clamp(0, 1))
        given[0, 0, cell] = whole
    return found, given
