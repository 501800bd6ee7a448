"""The names of the tensors of Wan's models: of the published files, and of diffusers' classes.

Published layout: https://github.com/Wan-Video/Wan2.1 (Apache-2.0) for the base and VACE.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.weights.state_dict import StateDict

PREFIXES = ("model.diffusion_model.", "model.", "transformer.", "")
MARK, CLASS_MARK = "head.modulation", "condition_embedder.time_embedder.linear_1.weight"
"""A tensor in the original layout, and one under the class's names."""
INPUT = "patch_embedding.weight"
VACE_INPUT, VACE_BLOCKS = "vace_patch_embedding.weight", "vace_blocks."
PARTS = (
    *("patch_embedding", "text_embedding", "time_embedding", "time_projection", "blocks", "head"),
    *("img_emb", "vace_patch_embedding", "vace_blocks", "ref_conv", "control_adapter"),
)
CLASS_PARTS = (
    *("patch_embedding", "condition_embedder", "blocks", "proj_out", "scale_shift_table"),
    *("vace_patch_embedding", "vace_blocks", "ref_conv", "control_adapter"),
)
PARTS_OF_BLOCK = ("modulation", "norm3", "self_attn", "cross_attn", "ffn")
PARTS_OF_VACE = (*PARTS_OF_BLOCK, "before_proj", "after_proj")
REFERENCE_INPUT, CAMERA_INPUT = "ref_conv.weight", "control_adapter.conv.weight"
CAMERA_BLOCKS = "control_adapter.residual_blocks."
OURS = ("ref_conv", "control_adapter")
"""Parts that the class lacks, under their published names; see `engine.nets.wan_parts`."""
_OUTER: Mapping[str, str] = {
    "patch_embedding": "patch_embedding",
    "vace_patch_embedding": "vace_patch_embedding",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "img_emb.proj.0": "condition_embedder.image_embedder.norm1",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "img_emb.proj.4": "condition_embedder.image_embedder.norm2",
    "head.head": "proj_out",
}
_ATTENTION: Mapping[str, str] = {
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "o": "to_out.0",
    "norm_q": "norm_q",
    "norm_k": "norm_k",
    "k_img": "add_k_proj",
    "v_img": "add_v_proj",
    "norm_k_img": "norm_added_k",
}
_BLOCK: Mapping[str, str] = {
    **{f"self_attn.{theirs}": f"attn1.{ours}" for theirs, ours in _ATTENTION.items()},
    **{f"cross_attn.{theirs}": f"attn2.{ours}" for theirs, ours in _ATTENTION.items()},
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
_VACE_BLOCK: Mapping[str, str] = {**_BLOCK, "before_proj": "proj_in", "after_proj": "proj_out"}
_LISTS: Mapping[str, Mapping[str, str]] = {"blocks": _BLOCK, "vace_blocks": _VACE_BLOCK}
"""The names inside of a block, by the list that it stands in."""
_ALONE: Mapping[str, str] = {
    "head.modulation": "scale_shift_table",
    "img_emb.emb_pos": "condition_embedder.image_embedder.pos_embed",
}
"""Tensors that are no module's weight."""


def tensors(weights: StateDict) -> StateDict | None:
    """The denoiser's tensors under the class's names.

    None without them, and for models of Wan with parts that are not known here (S2V, HuMo ...).
    """
    for prefix in PREFIXES:
        if f"{prefix}{INPUT}" not in weights:
            continue
        if f"{prefix}{CLASS_MARK}" in weights:
            part = weights.part(prefix)
            known = all(name.partition(".")[0] in CLASS_PARTS for name in part)
            return part.refuse_empty() if known else None
        if f"{prefix}{MARK}" in weights:
            part = weights.part(prefix)
            if all(_is_known(name) for name in part):
                return part.rename(class_name).refuse_empty()
            return None
    return None


def _is_known(name: str) -> bool:
    outer, *inner = name.split(".")
    if outer in _LISTS:
        known = PARTS_OF_VACE if outer == "vace_blocks" else PARTS_OF_BLOCK
        return len(inner) > 1 and inner[1] in known
    return outer in PARTS or not inner


def class_name(name: str) -> str | None:
    """The class's name of one tensor in the original layout; None if it has none."""
    if name in _ALONE:
        return _ALONE[name]
    if name.startswith(OURS):
        return name
    module, _, kind = name.rpartition(".")
    if module in _OUTER:
        return f"{_OUTER[module]}.{kind}"
    outer, number, inner = (*module.split(".", 2), "", "")[:3]
    if kind == "modulation":
        return f"{outer}.{number}.scale_shift_table"
    of_block = _LISTS.get(outer, {})
    return f"{outer}.{number}.{of_block[inner]}.{kind}" if inner in of_block else None


def original_name(name: str) -> str:
    """The original layout's name of a tensor of the class; the inverse of `class_name`."""
    alone = {ours: theirs for theirs, ours in _ALONE.items()}
    if name in alone:
        return alone[name]
    if name.startswith(OURS):
        return name
    module, _, kind = name.rpartition(".")
    outer = {ours: theirs for theirs, ours in _OUTER.items()}
    if module in outer:
        return f"{outer[module]}.{kind}"
    first, _, rest = module.partition(".")
    number, _, inner = rest.partition(".")
    if first in _LISTS and kind == "scale_shift_table":
        return f"{first}.{number}.modulation"
    block = {ours: theirs for theirs, ours in _LISTS.get(first, {}).items()}
    return f"{first}.{number}.{block.get(inner, inner)}.{kind}"


def module_names(blocks: int, of_vace: int) -> Mapping[str, str]:
    """The class's name of each module with weights, by its original one.

    Args:
        blocks: in the network.
        of_vace: blocks of VACE; 0: it has none.
    """
    found = dict(_OUTER)
    for name, count in (("blocks", blocks), ("vace_blocks", of_vace)):
        for number in range(count):
            for theirs, ours in _LISTS[name].items():
                found[f"{name}.{number}.{theirs}"] = f"{name}.{number}.{ours}"
    return found
