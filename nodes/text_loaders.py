"""Nodes that open text encoders in separate files.

Which encoder a file holds is detected from its tensors, so the order of files does not matter.
"""

from __future__ import annotations

from typing import Annotated

from engine.files import file_identity
from engine.inference.load import load_clip
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Choice, FileChoice, Options
from nodes.sockets import Clip

File = Annotated[str, FileChoice("text_encoders")]
Device = Annotated[str | None, Choice("default", "cpu"), Options(advanced=True)]
ONE = (
    *("stable_diffusion", "stable_cascade", "sd3", "stable_audio", "mochi", "ltxv", "pixart"),
    *("cosmos", "lumina2", "wan", "hidream", "chroma", "ace", "omnigen2", "qwen_image"),
    *("hunyuan_image", "flux2", "ovis", "krea2", "longcat_image", "cogvideox", "lens", "pixeldit"),
    *("ideogram4", "boogu", "mage", "minimax", "joyimage", "fibo2", "flux3", "moss_image"),
)
TWO = (
    *("sdxl", "sd3", "flux", "hunyuan_video", "hidream", "hunyuan_image", "hunyuan_video_15"),
    *("kandinsky5", "kandinsky5_image", "ltxv", "newbie", "ace"),
)


@node("CLIPLoader", category="advanced/loaders", display="Load CLIP")
def load_one(
    *,
    clip_name: File,
    type: Annotated[str, Choice(*ONE)],  # noqa: A002 - the incumbent's name
    device: Device = None,
    ctx: Context,
) -> Clip:
    """Load a text encoder from a separate file, for the family that `type` names.

    `device` exists for workflows that set it and has no effect: encoders leave a device when others
    need its memory.
    """
    del device
    return load_clip([ctx.files.find("text_encoders", clip_name)], type)


@node("DualCLIPLoader", category="advanced/loaders", display="DualCLIPLoader")
def load_two(
    *,
    clip_name1: File,
    clip_name2: File,
    type: Annotated[str, Choice(*TWO)],  # noqa: A002 - the incumbent's name
    device: Device = None,
    ctx: Context,
) -> Clip:
    """Load two text encoders from separate files, in any order, for the family that `type` names.

    `device` exists for workflows that set it and has no effect: encoders leave a device when others
    need its memory.
    """
    del device
    names = (clip_name1, clip_name2)
    return load_clip([ctx.files.find("text_encoders", name) for name in names], type)


@node("TripleCLIPLoader", category="advanced/loaders")
def load_three(*, clip_name1: File, clip_name2: File, clip_name3: File, ctx: Context) -> Clip:
    """Load three text encoders from separate files, in any order, as for Stable Diffusion 3."""
    names = (clip_name1, clip_name2, clip_name3)
    return load_clip([ctx.files.find("text_encoders", name) for name in names], "sd3")


@node("QuadrupleCLIPLoader", category="advanced/loaders")
def load_four(
    *, clip_name1: File, clip_name2: File, clip_name3: File, clip_name4: File, ctx: Context
) -> Clip:
    """Load four text encoders from separate files, in any order, as for HiDream-I1."""
    names = (clip_name1, clip_name2, clip_name3, clip_name4)
    return load_clip([ctx.files.find("text_encoders", name) for name in names], "hidream")


@load_one.fingerprint
def _(clip_name: str | None, ctx: Context) -> object:
    return _identities(ctx, clip_name)


@load_two.fingerprint
def _(clip_name1: str | None, clip_name2: str | None, ctx: Context) -> object:
    return _identities(ctx, clip_name1, clip_name2)


@load_three.fingerprint
def _(
    clip_name1: str | None, clip_name2: str | None, clip_name3: str | None, ctx: Context
) -> object:
    return _identities(ctx, clip_name1, clip_name2, clip_name3)


@load_four.fingerprint
def _(
    clip_name1: str | None,
    clip_name2: str | None,
    clip_name3: str | None,
    clip_name4: str | None,
    ctx: Context,
) -> object:
    return _identities(ctx, clip_name1, clip_name2, clip_name3, clip_name4)


def _identities(ctx: Context, *names: str | None) -> list[object]:
    return [name and file_identity(ctx.files.find("text_encoders", name)) for name in names]
