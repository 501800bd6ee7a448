"""Nodes that load, make, cut and save videos."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple

from engine.audiovisual.video import (
    VideoCodec,
    VideoComponents,
    VideoContainer,
    VideoFromComponents,
    VideoFromFile,
)
from engine.audiovisual.video_writer import Film, exact_rate, write_video
from engine.errors import NodeError
from engine.files import file_identity
from engine.media.metadata import metadata_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice, InOptionalSection, Range
from nodes.image_files import OneLinePrefix, file_exists
from nodes.sockets import Audio, Image, Video

VideoFile = Annotated[str, FileChoice("input_video", upload="video_upload")]


class Parts(NamedTuple):
    """A video in parts; sound is None where it has none."""

    images: Image
    audio: Audio
    fps: float
    bit_depth: int


@node("LoadVideo", category="image/video", display="Load Video", checks=("file",))
def load_video(file: VideoFile, ctx: Context) -> Video:
    """A video of the input folder; its frames are decoded when they are needed."""
    return VideoFromFile(ctx.files.find_annotated(file))


@load_video.check
def _(file: str | None, ctx: Context) -> bool | str:
    return file_exists(file, ctx, place="input")


@load_video.fingerprint
def _(file: str | None, ctx: Context) -> object:
    return file and file_identity(ctx.files.find_annotated(file))


@node("CreateVideo", category="image/video", display="Create Video")
def create_video(
    images: Image,
    fps: Annotated[float, Range(1.0, 120.0, step=1.0)] = 30.0,
    audio: Audio | None = None,
    bit_depth: Annotated[int, Choice(8, 10), InOptionalSection()] = 8,
) -> Video:
    """A video of a batch of images, with sound if one is joined."""
    if not len(images):
        raise NodeError("there are no images in the batch to make a video of")
    return VideoFromComponents(
        VideoComponents(images, exact_rate(fps), audio, bit_depth=int(bit_depth))
    )


@node("GetVideoComponents", category="image/video", display="Get Video Components")
def get_video_components(video: Video) -> Parts:
    """The frames of a video, its sound, its frames per second and its bits per channel."""
    parts = video.get_components()
    return Parts(parts.images, parts.audio, float(parts.frame_rate), getattr(parts, "bit_depth", 8))


@node("Video Slice", category="image/video", display="Video Slice")
def video_slice(
    video: Video,
    start_time: Annotated[float, Range(-1e5, 1e5, step=0.001)] = 0.0,
    duration: Annotated[float, Range(0.0, 1e5, step=0.001)] = 0.0,
    strict_duration: bool = False,
) -> Video:
    """A part of a video: from `start_time`, which counts from the end if < 0; 0 s: to the end.

    With `strict_duration` it is an error if less is left than was asked for.
    """
    whole = float(video.get_duration())
    start = max(whole + start_time, 0.0) if start_time < 0 else start_time
    if start >= whole:
        raise NodeError(f"the part begins at {start:g} s, and the video ends at {whole:.2f} s")
    if strict_duration and duration and start + duration > whole + 1e-3:
        raise NodeError(
            f"{duration:g} s from {start:g} s on were requested, and {whole - start:.2f} s are "
            "left; choose a shorter duration, or switch strict_duration off"
        )
    if start == 0 and (not duration or duration >= whole):
        return video
    return video.sliced(start, duration)


@node(
    "SaveVideo",
    category="image/video",
    display="Save Video",
    output_names=("video",),
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_video(
    video: Video,
    ctx: Context,
    filename_prefix: OneLinePrefix = "video/ComfyUI",
    format: Annotated[str, Choice(*VideoContainer.as_input())] = "auto",  # noqa: A002 - its name
    codec: Annotated[str, Choice(*VideoCodec.as_input())] = "auto",
) -> Video:
    """Save a video to the output folder, with the workflow.

    `auto` keeps a loaded video's format and codec, and then encodes nothing again; else it is MP4
    with H.264.
    """
    width, height = video.get_dimensions()
    container = VideoContainer.get_extension(_container(video, format, codec))
    new = ctx.files.new_output(filename_prefix, f".{container}", width=width, height=height)
    metadata = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    ctx.files.fill(new, lambda stream: _write(video, stream, format, codec, metadata, ctx))
    ctx.show(images=[new.shown()], animated=[True])
    return video


def _container(video: Any, container: str, codec: str) -> str:
    """The format of the file; videos of plugins know only what they are told."""
    known = getattr(video, "container_for", None)
    return container if known is None else known(container, codec)


def _write(
    video: Any, stream: Any, container: str, codec: str, metadata: dict[str, str], ctx: Context
) -> None:
    more = {"checkpoint": ctx.checkpoint} if hasattr(video, "container_for") else {}
    video.save_to(stream, format=container, codec=codec, metadata=metadata, **more)


@node(
    "SaveWEBM",
    category="image/video",
    experimental=True,
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_webm(
    images: Image,
    ctx: Context,
    filename_prefix: OneLinePrefix = "ComfyUI",
    *,
    codec: Literal["vp9", "av1"],
    fps: Annotated[float, Range(0.01, 1000.0, step=0.01)] = 24.0,
    crf: Annotated[float, Range(0, 63.0, step=1)] = 32.0,
) -> None:
    """Save a batch of images as WebM, with the workflow; lower `crf` is better and larger.

    VP9 keeps the transparency of images that have it.
    """
    if not len(images):
        raise NodeError("there are no images in the batch to save")
    height, width, channels = images.shape[1:]
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    film = Film(
        iter(images),
        (width, height),
        exact_rate(Fraction(fps)),
        metadata=texts,
        has_alpha=channels == 4,
    )
    new = ctx.files.new_output(filename_prefix, ".webm", width=width, height=height)
    ctx.files.fill(
        new,
        lambda stream: write_video(
            stream, film, "webm", codec, quality=crf, checkpoint=ctx.checkpoint
        ),
    )
    ctx.show(images=[new.shown()], animated=[True])
