"""`ComfyAPI` and `ComfyExtension`: what V3 plugins call, and how they hand over their nodes."""

from __future__ import annotations

import io
from typing import Any, cast

from PIL import Image as Pillow

from engine.compat.v3.running import current
from nodes.pixels import to_pictures

LARGEST_PREVIEW = 512
"""Pixels along the longer side of a preview, unless the plugin asks to leave its size."""
_QUALITY = 85


class ComfyExtension:
    """What `comfy_entrypoint` returns: a pack's nodes."""

    async def on_load(self) -> None:
        """Called once before the nodes are listed."""

    async def get_node_list(self) -> list[Any]:
        """The classes of the pack's nodes. Every pack has its own."""
        raise NotImplementedError(
            f"{type(self).__name__} has no get_node_list; add one that returns the node classes"
        )


def preview_bytes(picture: Any, ignore_size_limit: bool = False) -> bytes | None:
    """A preview as JPEG, from a Pillow image, a tensor [H, W, C] or [B, H, W, C], or nothing."""
    if picture is None:
        return None
    if not isinstance(picture, Pillow.Image):
        picture = next(iter(to_pictures(picture[None] if picture.ndim == 3 else picture)))
    shown = cast("Pillow.Image", picture).convert("RGB")
    if not ignore_size_limit:
        shown.thumbnail((LARGEST_PREVIEW, LARGEST_PREVIEW))
    stream = io.BytesIO()
    shown.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def report_progress(
    value: float,
    max_value: float,
    node_id: str | None = None,
    preview_image: Any = None,
    ignore_size_limit: bool = False,
) -> None:
    """Report a step of the running node, or of another by its id.

    Raises:
        NodeError: no node is running.
        Stopped: the user stopped the run.
    """
    context = current("set_progress")
    if node_id is not None and str(node_id) != context.node_id:
        context = context.aside()
        context.node_id = str(node_id)
    preview = preview_bytes(preview_image, ignore_size_limit)
    context.progress(int(value), int(max_value), preview)


class _Execution:
    async def set_progress(
        self,
        value: float,
        max_value: float,
        node_id: str | None = None,
        preview_image: Any = None,
        ignore_size_limit: bool = False,
    ) -> None:
        """See `report_progress`."""
        report_progress(value, max_value, node_id, preview_image, ignore_size_limit)


class _ExecutionSync:
    set_progress = staticmethod(report_progress)


class _NodeReplacement:
    """Which nodes may stand in for which; the editor's repair list has its own, so none is used."""

    async def register(self, *_: Any, **__: Any) -> None:
        """Accepted; nothing uses it."""


class ComfyAPI:
    """What a V3 plugin may call of the host; its methods are coroutines."""

    VERSION = "latest"
    STABLE = False
    Execution = _Execution
    NodeReplacement = _NodeReplacement

    def __init__(self) -> None:
        self.execution = _Execution()
        self.node_replacement = _NodeReplacement()


class ComfyAPISync:
    """The same with ordinary methods."""

    VERSION = "latest"
    STABLE = False

    def __init__(self) -> None:
        self.execution = _ExecutionSync()
