"""Nodes of cameras for Wan Fun: the path of a camera, and videos that it takes.

Paths and rays: https://github.com/aigc-apps/VideoX-Fun (Apache-2.0), which took them from
CameraCtrl (He et al. 2024, arXiv 2404.02101).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

import torch
from torch import Tensor

from engine.errors import NodeError
from engine.families.bridge.wan_given import CAMERA, MASK_CHANNELS
from engine.families.picture_channels import MASK, PICTURE
from engine.families.wan_autoencoder import LATENT
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import InOptionalSection, Range, Socket
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
    prepared,
)

Rays = Annotated[Tensor, Socket("WAN_CAMERA_EMBEDDING")]
"""[1, 24, t, H, W]: six numbers of the ray of each pixel, of the four frames of each cell."""
Pose = Literal[
    "Static",
    "Pan Up",
    "Pan Down",
    "Pan Left",
    "Pan Right",
    "Zoom In",
    "Zoom Out",
    "Anti Clockwise (ACW)",
    "ClockWise (CW)",
]
_PATHS: Mapping[str, tuple[float, tuple[float, float, float]]] = {
    "Static": (0.0, (0.0, 0.0, 0.0)),
    "Pan Up": (0.0, (0.0, 1.0, 0.0)),
    "Pan Down": (0.0, (0.0, -1.0, 0.0)),
    "Pan Left": (0.0, (1.0, 0.0, 0.0)),
    "Pan Right": (0.0, (-1.0, 0.0, 0.0)),
    "Zoom In": (0.0, (0.0, 0.0, -2.0)),
    "Zoom Out": (0.0, (0.0, 0.0, 2.0)),
    "Anti Clockwise (ACW)": (1.0, (0.0, 0.0, 0.0)),
    "ClockWise (CW)": (-1.0, (0.0, 0.0, 0.0)),
}
"""How the scene turns around the axis of view, and how it moves, in units of the two below."""
TURN, WAY = math.pi / 3, 1.5
"""Of a whole video at speed 1: radians, and the distance."""
FILMED = 1280 / 720
"""The proportions that the focal lengths are given for."""


class Filmed(NamedTuple):
    """The rays, and the size and the length that they are for."""

    camera_embedding: Rays
    width: int
    height: int
    length: int


@node("WanCameraEmbedding", category="camera")
def wan_camera_embedding(
    camera_pose: Pose = "Static",
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    speed: Annotated[float, Range(0, 10.0, step=0.1), InOptionalSection()] = 1.0,
    fx: Annotated[float, Range(0, 1, step=1e-09), InOptionalSection()] = 0.5,
    fy: Annotated[float, Range(0, 1, step=1e-09), InOptionalSection()] = 0.5,
    cx: Annotated[float, Range(0, 1, step=0.01), InOptionalSection()] = 0.5,
    cy: Annotated[float, Range(0, 1, step=0.01), InOptionalSection()] = 0.5,
) -> Filmed:
    """Create the rays of a camera that moves along a path, for Wan Fun Camera.

    Focal lengths and the middle are parts of a picture of 16:9.
    """
    if not fx or not fy:
        raise NodeError(f"the focal lengths must be above 0, found fx {fx} and fy {fy}")
    # A picture of other proportions shows a part of one of 16:9.
    if width / height < FILMED:
        fx = fx * height * FILMED / width
    else:
        fy = fy * width / FILMED / height
    lens = fx * width, fy * height, cx * width, cy * height
    rays = _rays(_path(camera_pose, speed, length), lens, width, height)
    first = rays[:1].expand(MASK_CHANNELS, -1, -1, -1)
    # The first cell is one frame, which counts four times.
    frames = torch.cat((first, rays[1:]))
    of_cells = frames[: len(frames) // MASK_CHANNELS * MASK_CHANNELS]
    cells = of_cells.unflatten(0, (-1, MASK_CHANNELS)).flatten(1, 2).transpose(0, 1)
    return Filmed(cells[None].contiguous(), width, height, length)


@node("WanCameraImageToVideo", category=VIDEO_MODELS)
def wan_camera_image_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    width: Side = 832,
    height: Side = 480,
    length: Length = 81,
    batch_size: Count = 1,
    clip_vision_output: ClipVisionOutput | None = None,
    start_image: Image | None = None,
    camera_conditions: Rays | None = None,
    *,
    ctx: Context,
) -> Prepared:
    """Give Wan Fun Camera the path of its camera, and the frames that the video begins with."""
    latent = empty_video(width, height, length, batch_size)
    given: dict[str, Any] = {}
    if start_image is not None:
        begun = encoded(vae, frames_of(start_image[:length], width, height), ctx)
        # Where nothing is given, the latents are zero in the denoiser's space.
        beside = LATENT.out(torch.zeros(1, *latent["samples"].shape[1:]))
        beside[:, :, : begun.shape[2]] = begun
        mask = torch.ones(1, 1, *latent["samples"].shape[2:])
        mask[:, :, : begun.shape[2]] = 0.0
        given = {PICTURE: beside, MASK: mask}
    if camera_conditions is not None:
        given[CAMERA] = camera_conditions
    return prepared(positive, negative, given, clip_vision_output, latent)


def _path(pose: str, speed: float, length: int) -> Tensor:
    """From the world to the camera at each frame: [length, 3, 4]."""
    turn, way = _PATHS[pose]
    part = torch.arange(length, dtype=torch.float64) / length * speed
    angle = part * TURN * turn
    found = torch.zeros(length, 3, 4, dtype=torch.float64)
    found[:, 0, 0] = found[:, 1, 1] = angle.cos()
    found[:, 1, 0], found[:, 0, 1] = angle.sin(), -angle.sin()
    found[:, 2, 2] = 1
    found[:, :, 3] = part[:, None] * WAY * torch.tensor(way, dtype=torch.float64)
    return found


def _rays(path: Tensor, lens: tuple[float, float, float, float], width: int, height: int) -> Tensor:
    """Plücker coordinates [N, 6, H, W] of the rays of the middles of pixels: moment, direction.

    The first camera is the world's origin.
    """
    fx, fy, cx, cy = lens
    turned, moved = path[:, :, :3], path[:, :, 3]
    back = turned.transpose(1, 2)
    at = -(back @ moved[:, :, None])[..., 0]
    # Seen from the first camera.
    back = turned[0] @ back
    at = at @ turned[0].T + moved[0]
    across = (torch.arange(width) + 0.5 - cx) / fx
    down = (torch.arange(height) + 0.5 - cy) / fy
    rows, columns = torch.meshgrid(down, across, indexing="ij")
    rays = torch.stack((columns, rows, torch.ones_like(rows)))
    rays = rays / rays.norm(dim=0)
    directions = torch.einsum("nij,jhw->nihw", back.float(), rays)
    places = at.float()[:, :, None, None].expand_as(directions)
    return torch.cat((torch.linalg.cross(places, directions, dim=1), directions), dim=1)
