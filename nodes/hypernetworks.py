"""The node that applies a hypernetwork to a model."""

from __future__ import annotations

from typing import Annotated

from engine.files import file_identity
from engine.inference.file_handles import handle_of
from engine.inference.hypernetworks import load_hypernetwork, said_of, with_hypernetwork
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Range
from nodes.sockets import Model

FOLDER = "hypernetworks"


@node("HypernetworkLoader", category="loaders")
def load_hypernetwork_file(
    model: Model,
    hypernetwork_name: Annotated[str, FileChoice(FOLDER)],
    ctx: Context,
    strength: Annotated[float, Range(-10.0, 10.0, step=0.01)] = 1.0,
) -> Model:
    """Apply a hypernetwork, an early kind of adapter, to a model; strength 0 has no effect.

    It changes the keys and values of every attention by small networks of its own.
    """
    opened = handle_of(ctx.files.find(FOLDER, hypernetwork_name), load_hypernetwork)
    if strength == 0:
        return model
    if sentence := said_of(model, opened):
        ctx.show(text=[sentence])
    return with_hypernetwork(model, opened, strength)


@load_hypernetwork_file.fingerprint
def _(model: Model | None, hypernetwork_name: str | None, ctx: Context) -> object:
    del model
    return hypernetwork_name and file_identity(ctx.files.find(FOLDER, hypernetwork_name))
