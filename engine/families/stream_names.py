"""What diffusers and others call the modules of FLUX.1's blocks, which Chroma has too."""

from __future__ import annotations

from collections.abc import Mapping

from engine.adapters.rows import Rows
from engine.nets.stream_blocks import BlockSizes

_STREAMS: Mapping[str, Mapping[str, str]] = {
    "img": {
        "to": "attn.to_{}",
        "proj": "attn.to_out.0",
        "query": "attn.norm_q",
        "key": "attn.norm_k",
        "mlp": "ff",
        "mod": "norm1.linear",
        "xlabs": "1",
    },
    "txt": {
        "to": "attn.add_{}_proj",
        "proj": "attn.to_add_out",
        "query": "attn.norm_added_q",
        "key": "attn.norm_added_k",
        "mlp": "ff_context",
        "mod": "norm1_context.linear",
        "xlabs": "2",
    },
}


def block_names(sizes: BlockSizes, double: int, single: int) -> dict[str, str | Rows]:
    """Others' names of the blocks' modules to ours, without `.weight`; first those of diffusers.

    Args:
        sizes: of the blocks.
        double: their number.
        single: their number.
    """
    names: dict[str, str | Rows] = {}
    for number in range(double):
        for stream, theirs in _STREAMS.items():
            their, our = f"transformer_blocks.{number}.", f"double_blocks.{number}.{stream}_"
            names |= projections(their + theirs["to"], f"{our}attn.qkv", sizes.channels)
            names[their + theirs["proj"]] = f"{our}attn.proj"
            names[their + theirs["query"]] = f"{our}attn.norm.query_norm"
            names[their + theirs["key"]] = f"{our}attn.norm.key_norm"
            names[f"{their}{theirs['mlp']}.net.0.proj"] = f"{our}mlp.0"
            names[f"{their}{theirs['mlp']}.net.2"] = f"{our}mlp.2"
            if sizes.modulates:
                names[their + theirs["mod"]] = f"{our}mod.lin"
    for number in range(single):
        their, our = f"single_transformer_blocks.{number}.", f"single_blocks.{number}."
        wide = 3 * sizes.channels
        names |= projections(f"{their}attn.to_{{}}", f"{our}linear1", sizes.channels)
        names[f"{their}proj_mlp"] = Rows(f"{our}linear1", wide, wide + sizes.widened)
        names[f"{their}proj_out"] = f"{our}linear2"
        names[f"{their}attn.norm_q"] = f"{our}norm.query_norm"
        names[f"{their}attn.norm_k"] = f"{our}norm.key_norm"
        if sizes.modulates:
            names[f"{their}norm.linear"] = f"{our}modulation.lin"
    return names


def projections(theirs: str, ours: str, channels: int) -> dict[str, str | Rows]:
    """The names of separate projections, with q, k and v in place of `{}`, as rows of one."""
    return {
        theirs.format(letter): Rows(ours, place * channels, (place + 1) * channels)
        for place, letter in enumerate("qkv")
    }


def xlabs_names(sizes: BlockSizes, double: int, single: int) -> dict[str, str | Rows]:
    """The names in LoRA files of XLabs (github.com/XLabs-AI/x-flux)."""
    names: dict[str, str | Rows] = {}
    for number in range(double):
        for stream, theirs in _STREAMS.items():
            their, our = f"double_blocks.{number}.processor.", f"double_blocks.{number}.{stream}_"
            names[f"{their}qkv_lora{theirs['xlabs']}"] = f"{our}attn.qkv"
            names[f"{their}proj_lora{theirs['xlabs']}"] = f"{our}attn.proj"
    for number in range(single):
        their, our = f"single_blocks.{number}.processor.", f"single_blocks.{number}."
        names[f"{their}qkv_lora"] = Rows(f"{our}linear1", 0, 3 * sizes.channels)
        names[f"{their}proj_lora"] = f"{our}linear2"
    return names
