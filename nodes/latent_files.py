"""Latents saved to files and loaded from them."""

from __future__ import annotations

from typing import Annotated

from engine.errors import FilesError
from engine.files import file_identity
from engine.inference.latents import latent_bytes, read_latent
from engine.media.metadata import metadata_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Text
from nodes.sockets import Latent


@node("SaveLatent", category="_for_testing", output=True, hidden=("PROMPT", "EXTRA_PNGINFO"))
def save_latent(
    samples: Latent,
    ctx: Context,
    filename_prefix: Annotated[str, Text(multiline=None)] = "latents/ComfyUI",
) -> None:
    """Save a latent to the output folder, with the workflow.

    Move the file into the input folder to load it again.
    """
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    content = latent_bytes(samples["samples"], texts)
    new = ctx.files.new_output(filename_prefix, ".latent")
    ctx.files.write(new, content)
    ctx.show(latents=[new.shown()])


@node("LoadLatent", category="_for_testing", checks=("latent",))
def load_latent(latent: Annotated[str, FileChoice("input")], ctx: Context) -> Latent:
    """Load a latent from the input folder, or another: `x.latent [output]`."""
    return {"samples": read_latent(ctx.files.find_annotated(latent))}


@load_latent.check
def _(latent: str | None, ctx: Context) -> bool | str:
    try:
        return latent is None or bool(ctx.files.find_annotated(latent))
    except FilesError as error:
        return str(error)


@load_latent.fingerprint
def _(latent: str | None, ctx: Context) -> object:
    return latent and file_identity(ctx.files.find_annotated(latent))
