"""Nodes that merge two transformers with a ratio for each of their blocks."""

from __future__ import annotations

from typing import Annotated

from engine.families.bridge import ltxv
from engine.families.bridge.wan_names import original_name
from engine.inference.merging import by_prefix, mixed_model
from engine.nodekit.contract import node
from engine.nodekit.markers import Names, Options
from nodes.merging import CATEGORY, Ratio
from nodes.sockets import Model

BLOCKS = f"{CATEGORY}/model_specific"
SD3_PARTS = ("pos_embed.", "x_embedder.", "context_embedder.", "y_embedder.", "t_embedder.")
FLUX_PARTS = (
    *("img_in.", "time_in.", "guidance_in", "vector_in.", "txt_in."),
    *(f"double_blocks.{i}." for i in range(19)),
    *(f"single_blocks.{i}." for i in range(38)),
    "final_layer.",
)
QWEN_PARTS = (
    *("pos_embeds.", "img_in.", "txt_norm.", "txt_in.", "time_text_embed."),
    *(f"transformer_blocks.{i}." for i in range(60)),
    "proj_out.",
)
AURAFLOW_PARTS = (
    *("init_x_linear.", "positional_encoding", "cond_seq_linear.", "register_tokens"),
    "t_embedder.",
    *(f"double_layers.{i}." for i in range(4)),
    *(f"single_layers.{i}." for i in range(32)),
    *("modF.", "final_linear."),
)
WAN_PARTS = (
    *("patch_embedding.", "time_embedding.", "time_projection.", "text_embedding.", "img_emb."),
    *(f"blocks.{i}." for i in range(40)),
    "head.",
)


LTXV_PARTS = (
    *("patchify_proj.", "adaln_single.", "caption_projection."),
    *(f"transformer_blocks.{i}." for i in range(28)),
    *("scale_shift_table", "proj_out."),
)


def _sd3(blocks: int) -> tuple[str, ...]:
    return (*SD3_PARTS, *(f"joint_blocks.{i}." for i in range(blocks)), "final_layer.")


FluxRatios = Annotated[Ratio, Options(default=1.0), Names(*FLUX_PARTS)]
MediumRatios = Annotated[Ratio, Options(default=1.0), Names(*_sd3(24))]
LargeRatios = Annotated[Ratio, Options(default=1.0), Names(*_sd3(38))]
QwenRatios = Annotated[Ratio, Options(default=1.0), Names(*QWEN_PARTS)]
AuraFlowRatios = Annotated[Ratio, Options(default=1.0), Names(*AURAFLOW_PARTS)]
LtxvRatios = Annotated[Ratio, Options(default=1.0), Names(*LTXV_PARTS)]
WanRatios = Annotated[Ratio, Options(default=1.0), Names(*WAN_PARTS)]


@node("ModelMergeFlux1", category=BLOCKS)
def merge_blocks_of_flux(model1: Model, model2: Model, **ratios: FluxRatios) -> Model:
    """Mix two models of FLUX.1's architecture, with a ratio for each block."""
    return mixed_model(model1, model2, by_prefix(ratios))


@node("ModelMergeSD3_2B", category=BLOCKS)
def merge_blocks_of_sd3(model1: Model, model2: Model, **ratios: MediumRatios) -> Model:
    """Mix two models of Stable Diffusion 3 medium's architecture, with a ratio for each block."""
    return mixed_model(model1, model2, by_prefix(ratios))


@node("ModelMergeSD35_Large", category=BLOCKS)
def merge_blocks_of_sd35(model1: Model, model2: Model, **ratios: LargeRatios) -> Model:
    """Mix two models of Stable Diffusion 3.5 large's architecture, with a ratio for each block."""
    return mixed_model(model1, model2, by_prefix(ratios))


@node("ModelMergeQwenImage", category=BLOCKS)
def merge_blocks_of_qwen_image(model1: Model, model2: Model, **ratios: QwenRatios) -> Model:
    """Mix two models of Qwen-Image's architecture, with a ratio for each block."""
    return mixed_model(model1, model2, by_prefix(ratios))


@node("ModelMergeAuraflow", category=BLOCKS)
def merge_blocks_of_auraflow(model1: Model, model2: Model, **ratios: AuraFlowRatios) -> Model:
    """Mix two models of AuraFlow's architecture, with a ratio for each block."""
    return mixed_model(model1, model2, by_prefix(ratios))


@node("ModelMergeWAN2_1", category=BLOCKS)
def merge_blocks_of_wan(model1: Model, model2: Model, **ratios: WanRatios) -> Model:
    """Mix two models of Wan's architecture, with a ratio for each block."""
    shares = by_prefix(ratios)
    return mixed_model(model1, model2, lambda name: shares(original_name(name)))


@node("ModelMergeLTXV", category=BLOCKS)
def merge_blocks_of_ltx_video(model1: Model, model2: Model, **ratios: LtxvRatios) -> Model:
    """Mix two models of LTX-Video's architecture, with a ratio for each block."""
    shares = by_prefix(ratios)
    return mixed_model(model1, model2, lambda name: shares(ltxv.original_name(name)))
