"""Conditionings saved to files and loaded from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from safetensors.torch import save

from engine.errors import NodeError, WeightsError
from engine.files import file_identity
from engine.media.metadata import metadata_texts
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice, Text
from engine.weights.open import open_weights
from nodes.sockets import Conditioning

TOKENS = "conditioning"
OPTIONS = "conditioning_options"
"""The metadata of values that are no tensors, as JSON."""


@node(
    "SaveConditioning",
    category="conditioning",
    display="Save Conditioning",
    output=True,
    hidden=("PROMPT", "EXTRA_PNGINFO"),
    output_names=("conditioning",),
)
def save_conditioning(
    conditioning: Conditioning,
    filename_prefix: Annotated[str, Text(multiline=False)] = "conditioning/ComfyUI",
    *,
    ctx: Context,
) -> Conditioning:
    """Save a conditioning to the output folder; in models/embeddings it can be loaded again."""
    if len(conditioning) != 1:
        raise NodeError(
            f"this conditioning has {len(conditioning)} entries, and a file holds one; save it "
            "before it is combined"
        )
    tokens, known = conditioning[0]
    tensors: dict[str, torch.Tensor] = {TOKENS: tokens}
    options: dict[str, Any] = {}
    for name, value in known.items():
        _add(name, value, tensors, options)
    texts = metadata_texts(ctx.prompt, ctx.extra) if ctx.files.embed_metadata else {}
    if options:
        texts = {**texts, OPTIONS: json.dumps(options)}
    content = save({name: each.contiguous() for name, each in tensors.items()}, texts or None)
    new = ctx.files.new_output(filename_prefix, ".safetensors")
    ctx.files.write(new, content)
    ctx.show(files=[new.shown()])
    return conditioning


def _add(name: str, value: Any, tensors: dict[str, torch.Tensor], options: dict[str, Any]) -> None:
    if value is None:
        return
    if isinstance(value, torch.Tensor):
        tensors[name] = value
    elif isinstance(value, bool | int | float | str):
        options[name] = value
    elif isinstance(value, list | tuple) and all(isinstance(each, torch.Tensor) for each in value):
        tensors.update({f"{name}.{place}": each for place, each in enumerate(value)})
    else:
        raise NodeError(
            f"the conditioning holds {name} ({type(value).__name__}), which no file can hold; save "
            "it before such a node"
        )


@node("ConditioningLoader", category="conditioning", display="Load Conditioning")
def conditioning_loader(
    conditioning_name: Annotated[str, FileChoice("embeddings")], ctx: Context
) -> Conditioning:
    """Load a conditioning from models/embeddings that Save Conditioning wrote, or the like.

    The file holds a tensor `conditioning`; others come back under their names.
    """
    weights = open_weights(ctx.files.find("embeddings", conditioning_name))
    if TOKENS not in weights:
        names = ", ".join(list(weights)[:5]) or "none"
        raise WeightsError(
            f"{conditioning_name} holds no conditioning; its tensors are {names}. A textual "
            "inversion is used in a prompt, as embedding:NAME"
        )
    tokens = weights[TOKENS].float()
    if tokens.ndim == 2:
        tokens = tokens[None]
    if tokens.ndim != 3:
        raise WeightsError(
            f"{conditioning_name}: a conditioning is [1, tokens, width], found {list(tokens.shape)}"
        )
    return [[tokens, _values({n: weights[n] for n in weights if n != TOKENS}, weights.metadata)]]


def _values(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> dict[str, Any]:
    """The further values of an entry; those with numbers behind their names as lists."""
    found: dict[str, Any] = {}
    numbered: dict[str, dict[int, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        base, _, number = name.rpartition(".")
        if base and number.isdecimal() and len(number) < 6:
            numbered.setdefault(base, {})[int(number)] = tensor
        else:
            found[name] = tensor
    found |= {name: [each[place] for place in sorted(each)] for name, each in numbered.items()}
    try:
        options = json.loads(metadata.get(OPTIONS, "{}"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"the file's {OPTIONS} are no JSON: {error}") from error
    return found | options if isinstance(options, dict) else found


@conditioning_loader.fingerprint
def _(conditioning_name: str | None, ctx: Context) -> object:
    return conditioning_name and file_identity(ctx.files.find("embeddings", conditioning_name))
