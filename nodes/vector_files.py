"""Saves vector pictures (SVG)."""

from __future__ import annotations

from typing import Annotated, Any

from engine.errors import NodeError
from engine.media.metadata import metadata_texts
from engine.media.vector import with_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Socket, Text

Svg = Annotated[Any, Socket("SVG")]
"""An object whose `data` is a list of files that can be read (`io.BytesIO`)."""


@node(
    "SaveSVGNode",
    category="image/save",
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
)
def save_svg(
    svg: Svg, ctx: Context, filename_prefix: Annotated[str, Text()] = "svg/ComfyUI"
) -> None:
    """Save vector pictures as SVG files, with the workflow in their metadata."""
    files = getattr(svg, "data", None)
    if not isinstance(files, list) or not files:
        raise NodeError(
            f"there is no vector picture to save: the node got {type(svg).__name__}; connect the "
            "SVG output of a node"
        )
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    shown: list[str] = []
    for index, each in enumerate(files):
        ctx.checkpoint()
        prefix = filename_prefix.replace("%batch_num%", str(index))
        new = ctx.files.new_output(prefix, ".svg")
        written = with_texts(_bytes_of(each), texts)
        ctx.files.fill(new, lambda stream, written=written: stream.write(written))
        shown.append("/".join(part for part in (new.subfolder, new.path.name) if part))
    ctx.show(text=shown)


def _bytes_of(file: Any) -> bytes:
    """The whole content of a file in memory, wherever it was read to."""
    if isinstance(file, bytes | bytearray):
        return bytes(file)
    if hasattr(file, "getvalue"):
        return file.getvalue()
    raise NodeError(
        f"a vector picture is of {type(file).__name__}, expected io.BytesIO; the node that made it "
        "does not keep to the form of SVG values"
    )
