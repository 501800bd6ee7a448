"""Nodes for LTX-Video that give it frames: at the beginning, or anywhere, as guides.

A guide is encoded, and its cells are put behind those of the video; the conditioning tells where in
the video each belongs. How much of it is kept is the noise mask's.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from engine.audiovisual.video_reader import as_float, read_frames
from engine.audiovisual.video_writer import Film, write_video
from engine.errors import NodeError
from engine.families.bridge.ltxv import FRAMES, GUIDES, LATENT, PIXELS, positions
from engine.inference.vae import encode
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.conditioning import with_values
from nodes.image_scaling import scale
from nodes.sockets import Conditioning, Image, Latent, Vae

VIDEO_MODELS = "conditioning/video_models"
Side = Annotated[int, Range(64, 16384, step=32)]
Length = Annotated[int, Range(9, 16384, step=8)]
Strength = Annotated[float, Range(0.0, 1.0)]


class Prepared(NamedTuple):
    """Both conditionings, and the latent to start from."""

    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("LTXVImgToVideo", category=VIDEO_MODELS)
def ltxv_img_to_video(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    image: Image,
    width: Side = 768,
    height: Side = 512,
    length: Length = 97,
    batch_size: Annotated[int, Range(1, 4096)] = 1,
    strength: Strength = 1.0,
    *,
    ctx: Context,
) -> Prepared:
    """Create a latent of LTX-Video that begins with that picture, or those frames."""
    size = LATENT.cells(length), height // PIXELS, width // PIXELS
    empty = {"samples": torch.zeros(1, LATENT.channels, *size)}
    begun = _beginning(empty, _encoded(vae, image, size, ctx), strength)
    latent = {name: value.repeat(batch_size, 1, 1, 1, 1) for name, value in begun.items()}
    return Prepared(positive, negative, latent)


@node("LTXVImgToVideoInplace", category=VIDEO_MODELS, output_names=("latent",))
def ltxv_img_to_video_inplace(
    vae: Vae,
    image: Image,
    latent: Latent,
    strength: Strength = 1.0,
    bypass: bool = False,
    *,
    ctx: Context,
) -> Latent:
    """Let a latent of LTX-Video begin with that picture, or those frames."""
    if bypass:
        return latent
    given = _encoded(vae, image, _size(latent), ctx)
    return {**latent, **_beginning(latent, given, strength)}


@node("LTXVAddGuide", category=VIDEO_MODELS)
def ltxv_add_guide(
    positive: Conditioning,
    negative: Conditioning,
    vae: Vae,
    latent: Latent,
    image: Image,
    frame_idx: Annotated[int, Range(-9999, 9999)] = 0,
    strength: Annotated[float, Range(0.0, 1.0, step=0.01)] = 1.0,
    *,
    ctx: Context,
) -> Prepared:
    """Guide the video to that picture, or those frames, from that frame on.

    Negative frames count from the end. Several frames begin at a multiple of 8, plus 1.
    LTXVCropGuides takes the guides out of the finished latent.
    """
    size, before = _size(latent), _guides(positive, latent)
    cells = size[0] - before
    given = _encoded(vae, image, size, ctx)
    frame, first = beginning_of_guide(frame_idx, given.shape[2], cells)
    if first + given.shape[2] > cells:
        raise NodeError(
            f"a guide of {LATENT.frames(given.shape[2])} frames from frame {frame} on is longer "
            f"than the video of {LATENT.frames(cells)} frames; begin earlier, or give fewer"
        )
    places = positions(given.shape[2:], single=True, first=frame).flatten(2)
    made = {
        **latent,
        "samples": with_cells(latent["samples"], given),
        "noise_mask": with_kept_cells(_mask(latent), given.shape[2], strength),
    }
    return Prepared(with_guide(positive, places), with_guide(negative, places), made)


def beginning_of_guide(frame: int, guide: int, cells: int) -> tuple[int, int]:
    """The frame and the cell of time where a guide of so many cells begins.

    Args:
        frame: where it was asked for; negative ones count from the end.
        guide: cells of time of the guide; several begin at a multiple of 8, plus 1.
        cells: those of the video, without guides.
    """
    if frame < 0:
        frame = max(LATENT.frames(cells) + frame, 0)
    if guide > 1 and frame:
        frame = (frame - 1) // FRAMES * FRAMES + 1
    return frame, -(-frame // FRAMES)


def with_cells(samples: Tensor, given: Tensor) -> Tensor:
    """A latent [B, C, T, h, w] with the cells of a guide [1 or B, C, t, h, w] behind its own."""
    return torch.cat((samples, given.to(samples).expand(len(samples), -1, -1, -1, -1)), dim=2)


def with_kept_cells(mask: Tensor, count: int, strength: float) -> Tensor:
    """A noise mask [B, 1, T, h, w] for so many more cells of time, kept by that strength."""
    kept = mask.new_full((len(mask), 1, count, *mask.shape[-2:]), 1.0 - strength)
    return torch.cat((mask, kept), dim=2)


@node("LTXVCropGuides", category=VIDEO_MODELS)
def ltxv_crop_guides(positive: Conditioning, negative: Conditioning, latent: Latent) -> Prepared:
    """Take the guides of LTXVAddGuide out of a latent and out of the conditionings."""
    count = _guides(positive, latent)
    first, second = (with_values(each, **{GUIDES: None}) for each in (positive, negative))
    if not count:
        return Prepared(first, second, latent)
    cut = {
        **latent,
        "samples": latent["samples"][:, :, :-count],
        "noise_mask": _mask(latent)[:, :, :-count],
    }
    return Prepared(first, second, cut)


@node("LTXVPreprocess", category="image", output_names=("output_image",))
def ltxv_preprocess(
    image: Image, img_compression: Annotated[int, Range(0, 100)] = 35, *, ctx: Context
) -> Image:
    """Give pictures the traces of compression that frames of videos have.

    LTX-Video was trained on such frames, and moves those without traces less. 0 leaves them as they
    are; H.264 knows values up to 51. Sides become even.
    """
    if img_compression == 0:
        return image
    even = image[:, : image.shape[1] // 2 * 2, : image.shape[2] // 2 * 2, :3]
    if 0 in even.shape:
        raise NodeError(
            f"a picture of {image.shape[2]} x {image.shape[1]} pixels is too small to compress; 2 "
            "x 2 is the least"
        )
    return torch.stack([_compressed(each, min(img_compression, 51), ctx) for each in even])


def _compressed(picture: Tensor, quality: int, ctx: Context) -> Tensor:
    """A picture [H, W, 3] as a video of one frame, read again."""
    stream = io.BytesIO()
    film = Film(iter((picture,)), (picture.shape[1], picture.shape[0]), Fraction(1))
    write_video(stream, film, "mp4", "h264", quality=quality, checkpoint=ctx.checkpoint)
    stream.seek(0)
    return as_float(next(iter(read_frames(stream))))


def _size(latent: Latent) -> tuple[int, int, int]:
    """Cells along time, rows and columns.

    Raises:
        NodeError: it is no latent of LTX-Video.
    """
    samples = latent["samples"]
    if samples.ndim != 5 or samples.shape[1] != LATENT.channels:
        raise NodeError(
            f"the latent has the shape {list(samples.shape)}; this node takes one of LTX-Video "
            f"(batch, {LATENT.channels}, frames, height, width), as EmptyLTXVLatentVideo makes it"
        )
    frames, rows, columns = samples.shape[2:]
    return frames, rows, columns


def _encoded(vae: Vae, image: Image, size: tuple[int, int, int], ctx: Context) -> Tensor:
    """As many frames [1, 128, t, h, w] as whole cells hold, at the size of the latent.

    Raises:
        NodeError: the VAE is another, or there are more frames than in the latent.
    """
    cells, rows, columns = size
    frames = image[: LATENT.frames(LATENT.cells(len(image))), ..., :3]
    frames = scale(frames, columns * PIXELS, rows * PIXELS, crop="center")
    given = encode(vae, frames, checkpoint=ctx.checkpoint, on_tile=ctx.progress)
    if given.shape[1:2] != (LATENT.channels,) or given.shape[3:] != (rows, columns):
        raise NodeError(
            f"the VAE makes latents of the shape {list(given.shape)}, LTX-Video takes "
            f"{LATENT.channels} channels of {rows} x {columns} cells: use the VAE of its checkpoint"
        )
    if given.shape[2] > cells:
        raise NodeError(
            f"{len(frames)} frames were given, and the video has {LATENT.frames(cells)}; give "
            "fewer, or make it longer"
        )
    return given


def _beginning(latent: Latent, given: Tensor, strength: float) -> dict[str, Any]:
    """A latent that begins with those cells, kept by that strength."""
    samples, mask = latent["samples"].clone(), _mask(latent).clone()
    samples[:, :, : given.shape[2]] = given
    mask[:, :, : given.shape[2]] = 1.0 - strength
    return {"samples": samples, "noise_mask": mask}


def _mask(latent: Latent) -> Tensor:
    """The noise mask [B, 1, t, h, w] of a latent; all ones if it has none."""
    samples, mask = latent["samples"], latent.get("noise_mask")
    size = len(samples), 1, *samples.shape[2:]
    if mask is None:
        return torch.ones(size)
    return mask.float().reshape(len(mask), 1, -1, *mask.shape[-2:]).expand(size)


def _guides(conditioning: Conditioning, latent: Latent) -> int:
    """How many cells of time at the end of a latent are guides."""
    found = next((known.get(GUIDES) for _, known in conditioning), None)
    if not isinstance(found, Tensor):
        return 0
    _, rows, columns = _size(latent)
    return found.shape[-1] // (rows * columns)


def with_guide(conditioning: Conditioning, places: Tensor) -> Conditioning:
    """A conditioning with the positions of one more guide."""
    found: list[list[Any]] = []
    for tokens, known in conditioning:
        before = known.get(GUIDES)
        whole = torch.cat((before, places), dim=2) if isinstance(before, Tensor) else places
        found.append([tokens, {**known, GUIDES: whole}])
    return found
