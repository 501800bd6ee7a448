"""Nodes that load GLIGEN files, and place phrases in boxes."""

from __future__ import annotations

from typing import Annotated

from engine.errors import NodeError
from engine.files import file_identity
from engine.inference.encode import encode
from engine.inference.file_handles import handle_of
from engine.inference.gligen import CELL, load_gligen, placed
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Range, Text
from nodes.sockets import Clip, Conditioning, Gligen
from nodes.text import Embeddings, embeddings_mentioned

FOLDER = "gligen"
Side = Annotated[int, Range(8, 16384, step=8)]
Offset = Annotated[int, Range(0, 16384, step=8)]


@node("GLIGENLoader", category="loaders")
def load_gligen_file(gligen_name: Annotated[str, FileChoice(FOLDER)], ctx: Context) -> Gligen:
    """Load a GLIGEN file, which lets a model place phrases in boxes."""
    return handle_of(ctx.files.find(FOLDER, gligen_name), load_gligen)


@load_gligen_file.fingerprint
def _(gligen_name: str | None, ctx: Context) -> object:
    return gligen_name and file_identity(ctx.files.find(FOLDER, gligen_name))


@node("GLIGENTextBoxApply", category="conditioning/gligen")
def gligen_text_box_apply(
    *,
    conditioning_to: Conditioning,
    clip: Clip,
    gligen_textbox_model: Gligen,
    text: Annotated[str, Text(multiline=True, dynamic_prompts=True)],
    width: Side = 64,
    height: Side = 64,
    x: Offset = 0,
    y: Offset = 0,
    ctx: Context,
) -> Conditioning:
    """Place what a phrase describes in a box of the picture, in pixels.

    Several nodes in sequence place several phrases, at most 30.
    """
    embeddings = Embeddings(ctx.files)
    (_, extras), *_ = encode(clip, text, embeddings.find, checkpoint=ctx.checkpoint)
    embeddings.report(clip, ctx)
    pooled = extras.get("pooled_output")
    if pooled is None:
        raise NodeError(
            f"this CLIP makes no vector of a whole phrase, which {gligen_textbox_model.name} takes "
            f"({gligen_textbox_model.config.text_channels} numbers): take CLIP from the checkpoint "
            "of the family that it was made for"
        )
    box = (height // CELL, width // CELL, y // CELL, x // CELL)
    return placed(conditioning_to, gligen_textbox_model, (pooled, *box))


@gligen_text_box_apply.fingerprint
def _(text: str | None, ctx: Context) -> list[tuple[str | int, ...]]:
    return embeddings_mentioned(text, ctx)
