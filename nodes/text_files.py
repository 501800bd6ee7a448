"""Saves texts."""

from __future__ import annotations

from typing import Annotated, Literal

from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import Options
from nodes.image_files import OneLinePrefix


@node("SaveText", category="utils/string", display="Save Text", output_names=("text",), output=True)
def save_text(
    text: Annotated[str, Options(forceInput=True)],
    ctx: Context,
    filename_prefix: OneLinePrefix = "text/ComfyUI",
    format: Literal["txt", "md", "json", "csv"] = "txt",  # noqa: A002 - its name
) -> str:
    """Save a text to the output folder as UTF-8, show it, and pass it on."""
    new = ctx.files.new_output(filename_prefix, f".{format}")
    ctx.files.write(new, text.encode("utf-8", "replace"))
    ctx.show(text=[text], files=[new.shown()])
    return text
