"""Names of Lumina 2's and Z-Image's tensors: the original layout, and diffusers'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.adapters.rows import Rows
from engine.errors import WeightsError
from engine.families.other_layouts import original_layout
from engine.families.shapes import count, matrix
from engine.families.zimage.network import PATCH, NextDiTConfig
from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "transformer.", "")
MARKS = ("cap_embedder.1.weight", "x_embedder.weight")
DIFFUSERS_MARKS = ("all_x_embedder.2-1.weight", "time_caption_embed.caption_embedder.1.weight")
"""Of Z-Image and of Lumina 2."""
PAD_TOKENS = ("cap_pad_token", "x_pad_token")
PIXEL_MARK = "dec_net.cond_embed"
MULTIPLE = 32
_PARTS = (
    "x_embedder.",
    "t_embedder.",
    "cap_embedder.",
    "noise_refiner.",
    "context_refiner.",
    "layers.",
    "final_layer.",
    *PAD_TOKENS,
)
_STACKS: tuple[str, ...] = ("layers", "noise_refiner", "context_refiner")
_OUTER: Mapping[str, str] = {
    "all_x_embedder.2-1": "x_embedder",
    "all_final_layer.2-1.linear": "final_layer.linear",
    "all_final_layer.2-1.adaLN_modulation.1": "final_layer.adaLN_modulation.1",
    "x_embedder": "x_embedder",
    "t_embedder.mlp.0": "t_embedder.mlp.0",
    "t_embedder.mlp.2": "t_embedder.mlp.2",
    "cap_embedder.0": "cap_embedder.0",
    "cap_embedder.1": "cap_embedder.1",
    "norm_out.linear_1": "final_layer.adaLN_modulation.1",
    "norm_out.linear_2": "final_layer.linear",
    "time_caption_embed.caption_embedder.0": "cap_embedder.0",
    "time_caption_embed.caption_embedder.1": "cap_embedder.1",
    "time_caption_embed.timestep_embedder.linear_1": "t_embedder.mlp.0",
    "time_caption_embed.timestep_embedder.linear_2": "t_embedder.mlp.2",
}
_ALIKE = (
    "adaLN_modulation.0",
    "attention_norm1",
    "attention_norm2",
    "ffn_norm1",
    "ffn_norm2",
    "feed_forward.w1",
    "feed_forward.w2",
    "feed_forward.w3",
)
_OF_LAYER: Mapping[str, str] = {
    "attention.to_out.0": "attention.out",
    "attention.norm_q": "attention.q_norm",
    "attention.norm_k": "attention.k_norm",
    "attn.to_out.0": "attention.out",
    "attn.norm_q": "attention.q_norm",
    "attn.norm_k": "attention.k_norm",
    "feed_forward.linear_1": "feed_forward.w1",
    "feed_forward.linear_2": "feed_forward.w2",
    "feed_forward.linear_3": "feed_forward.w3",
    "norm1.linear": "adaLN_modulation.1",
    "norm1.norm": "attention_norm1",
    "norm1": "attention_norm1",
    "norm2": "attention_norm2",
    **{name: name for name in _ALIKE},
}


def diffusers_names(layers: Mapping[str, int], queries: int, keys: int) -> dict[str, str | Rows]:
    """Diffusers' names of the modules to ours, of both families.

    Args:
        layers: the number of layers of each stack.
        queries: rows of the query's projection.
        keys: rows of the key's, and of the value's.
    """
    names: dict[str, str | Rows] = dict(_OUTER)
    bounds = (0, queries, queries + keys, queries + 2 * keys)
    for stack, many in layers.items():
        for number in range(many):
            start = f"{stack}.{number}."
            names |= {f"{start}{other}": f"{start}{own}" for other, own in _OF_LAYER.items()}
            for place, part in enumerate(("to_q", "to_k", "to_v")):
                rows = Rows(f"{start}attention.qkv", bounds[place], bounds[place + 1])
                names |= {f"{start}{own}.{part}": rows for own in ("attention", "attn")}
    return names


def names_of(config: NextDiTConfig) -> dict[str, str | Rows]:
    """The same for a network of these sizes."""
    counts = config.layers, config.noise_refiners, config.context_refiners
    layers: dict[str, int] = dict(zip(_STACKS, counts, strict=True))
    return diffusers_names(layers, config.width, config.key_heads * config.head)


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under their original names; None without one.

    Raises:
        WeightsError: one of them is empty, or it is of a kind that cannot be run.
    """
    for prefix in PREFIXES:
        if all(f"{prefix}{mark}" in weights for mark in MARKS):
            found = weights.part(prefix)
            if any(name.startswith(PIXEL_MARK) for name in found):
                raise WeightsError(
                    "it works on pixels instead of latents (dec_net), which Calotype cannot run "
                    "yet; take a Z-Image that works on latents"
                )
            return found.rename(
                lambda name: name if name.startswith(_PARTS) else None
            ).refuse_empty()
        if any(f"{prefix}{mark}" in weights for mark in DIFFUSERS_MARKS):
            return _from_diffusers(weights.part(prefix)).refuse_empty()
    return None


def _from_diffusers(weights: StateDict) -> StateDict:
    attention = "attn" if "layers.0.attn.to_q.weight" in weights else "attention"
    queries, _ = matrix(weights, f"layers.0.{attention}.to_q.weight")
    keys, _ = matrix(weights, f"layers.0.{attention}.to_k.weight")
    layers = {stack: count(weights, f"{stack}.") for stack in _STACKS}
    found = original_layout(weights, diffusers_names(layers, queries, keys))
    pads = {name: entry for name, entry in weights.entries.items() if name in PAD_TOKENS}
    return replace(found, entries={**found.entries, **pads})


def config_of(found: StateDict) -> NextDiTConfig:
    """The sizes of a network from tensors under their original names.

    Raises:
        WeightsError: a tensor is missing or has another number of axes, or the sizes do not fit.
    """
    width, values = matrix(found, "x_embedder.weight")
    norm = found.shape("layers.0.attention.q_norm.weight")
    if norm is None or len(norm) != 1:
        raise WeightsError("its layers.0.attention.q_norm.weight is missing or no row of numbers")
    (head,) = norm
    rows, _ = matrix(found, "layers.0.attention.qkv.weight")
    if width % head or (rows - width) % (2 * head) or head % 4:
        raise WeightsError(
            f"its width {width}, the {rows} rows of queries, keys and values and the {head} "
            "channels of a head do not fit together"
        )
    is_lumina = "layers.0.adaLN_modulation.1.weight" in found
    has_pads = all(name in found for name in PAD_TOKENS)
    if not is_lumina and not has_pads:
        raise WeightsError(
            "it has no tokens to fill up with (x_pad_token): a variant of Z-Image, such as Ming's, "
            "that Calotype cannot run yet; take Z-Image or Z-Image Turbo"
        )
    third = head // 3 if is_lumina else 3 * head // 8
    return NextDiTConfig(
        width=width,
        layers=count(found, "layers."),
        noise_refiners=count(found, "noise_refiner."),
        context_refiners=count(found, "context_refiner."),
        head=head,
        key_heads=(rows - width) // (2 * head),
        feed_forward=matrix(found, "layers.0.feed_forward.w1.weight")[0],
        channels=values // PATCH**2,
        context=matrix(found, MARKS[0])[1],
        time=matrix(found, "t_embedder.mlp.2.weight")[0],
        time_inner=matrix(found, "t_embedder.mlp.0.weight")[0],
        axes=(head - 2 * third, third, third),
        period=10_000.0 if is_lumina else 256.0,
        time_scale=1.0 if is_lumina else 1000.0,
        multiple=MULTIPLE if has_pads else 1,
        activated=is_lumina,
    )
