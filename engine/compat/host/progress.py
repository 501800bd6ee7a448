"""`comfy.utils`: progress of a plugin's node, sent to the editor."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

from PIL import Image

from engine.compat.install import host_module
from engine.nodekit.context import CURRENT, RunningContext

Hook = Callable[..., Any]
"""Takes value, total, preview and, by name, `node_id`."""
_LARGEST_PREVIEW = 512
_QUALITY = 90


class ProgressBar:
    """The progress of the node that makes it. Each update raises `Stopped` after an interrupt.

    It may be updated from another thread than that of the node.

    Attributes:
        total: the number of steps.
        current: the steps that are done.
    """

    def __init__(self, total: float, node_id: str | None = None) -> None:
        self.total = total
        self.current = 0.0
        self.node_id = node_id
        self._context: RunningContext | None = CURRENT.get(None)

    @property
    def hook(self) -> Hook | None:
        """What a plugin wants to be called instead."""
        return host_module("comfy.utils").PROGRESS_BAR_HOOK

    def update_absolute(
        self, value: float, total: float | None = None, preview: Any = None
    ) -> None:
        """Say that `value` of `total` steps are done.

        Args:
            value: cut off at the total.
            total: a new number of steps.
            preview: `("JPEG", picture, longest_side)` with a Pillow picture, or None.

        Raises:
            Stopped: the user stopped the run.
        """
        if total is not None:
            self.total = total
        self.current = min(value, self.total)
        if self.hook is not None:
            self.hook(self.current, self.total, preview, node_id=self.node_id)
            return
        context = self._context or CURRENT.get(None)
        if context is not None:
            context.progress(int(self.current), int(self.total), _jpeg(preview))

    def update(self, value: float) -> None:
        """Say that `value` more steps are done. Raises `Stopped`."""
        self.update_absolute(self.current + value)


def _jpeg(preview: Any) -> bytes | None:
    """The picture of a preview as JPEG; None without one."""
    if isinstance(preview, bytes | bytearray):
        return bytes(preview)
    parts = preview if isinstance(preview, tuple | list) else (None, preview)
    picture = next((each for each in parts if isinstance(each, Image.Image)), None)
    if picture is None:
        return None
    sizes = [each for each in parts if isinstance(each, int)]
    side = sizes[0] if sizes and sizes[0] else _LARGEST_PREVIEW
    if max(picture.size) > side:
        picture = picture.copy()
        picture.thumbnail((side, side))
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def set_progress_bar_global_hook(function: Hook | None) -> None:
    """Have a function called with the progress of all nodes, in place of the editor."""
    setattr(host_module("comfy.utils"), "PROGRESS_BAR_HOOK", function)  # noqa: B010 - a module


def set_progress_bar_enabled(enabled: bool) -> None:
    """Show or hide samplers' progress in the terminal."""
    setattr(host_module("comfy.utils"), "PROGRESS_BAR_ENABLED", enabled)  # noqa: B010 - a module


def model_trange(*args: Any, **kwargs: Any) -> Iterable[int]:
    """`tqdm.trange`."""
    from tqdm.auto import trange  # noqa: PLC0415 - only plugins need it

    return trange(*args, **kwargs)
