"""Nodes that merge models and text encoders. A merge reads both files when it is used."""

from __future__ import annotations

from typing import Annotated

from engine.inference.merging import by_prefix, mixed_clip, mixed_model
from engine.nodekit.contract import node
from engine.nodekit.markers import Names, Options, Range
from nodes.sockets import Clip, Model

CATEGORY = "advanced/model_merging"
Ratio = Annotated[float, Range(0.0, 1.0, step=0.01)]
Multiplier = Annotated[float, Range(-10.0, 10.0, step=0.01)]


@node("ModelMergeSimple", category=CATEGORY)
def merge_models(model1: Model, model2: Model, ratio: Ratio = 1.0) -> Model:
    """Mix two models of one architecture: at 1 the first, at 0 the second."""
    return mixed_model(model1, model2, lambda _: (ratio, 1.0 - ratio))


# `input` and `out` are the incumbent's names of these inputs.
@node("ModelMergeBlocks", category=CATEGORY)
def merge_blocks(
    model1: Model,
    model2: Model,
    input: Ratio = 1.0,  # noqa: A002
    middle: Ratio = 1.0,
    out: Ratio = 1.0,
) -> Model:
    """Mix two models with a ratio for each third of the network; other parts use `input`."""
    return mixed_model(model1, model2, by_prefix({"input": input, "middle": middle, "out": out}))


@node("ModelMergeSubtract", category=CATEGORY)
def subtract_models(model1: Model, model2: Model, multiplier: Multiplier = 1.0) -> Model:
    """The difference of the first and the second, to be added to a third."""
    return mixed_model(model1, model2, lambda _: (multiplier, -multiplier))


@node("ModelMergeAdd", category=CATEGORY)
def add_models(model1: Model, model2: Model) -> Model:
    """Add a difference to a model or text encoder."""
    return mixed_model(model1, model2, lambda _: (1.0, 1.0))


@node("CLIPMergeSimple", category=CATEGORY)
def merge_clips(clip1: Clip, clip2: Clip, ratio: Ratio = 1.0) -> Clip:
    """Mix two text encoders of one architecture: at 1 the first, at 0 the second."""
    return mixed_clip(clip1, clip2, lambda _: (ratio, 1.0 - ratio))


@node("CLIPMergeSubtract", category=CATEGORY)
def subtract_clips(clip1: Clip, clip2: Clip, multiplier: Multiplier = 1.0) -> Clip:
    """The difference of the first and the second, to be added to a third."""
    return mixed_clip(clip1, clip2, lambda _: (multiplier, -multiplier))


@node("CLIPMergeAdd", category=CATEGORY)
def add_clips(clip1: Clip, clip2: Clip) -> Clip:
    """Add a difference to a model or text encoder."""
    return mixed_clip(clip1, clip2, lambda _: (1.0, 1.0))


SD1_BLOCKS = (
    "time_embed.",
    "label_emb.",
    *(f"input_blocks.{i}." for i in range(12)),
    *(f"middle_block.{i}." for i in range(3)),
    *(f"output_blocks.{i}." for i in range(12)),
    "out.",
)
SDXL_BLOCKS = (
    "time_embed.",
    "label_emb.",
    *(f"input_blocks.{i}" for i in range(9)),
    *(f"middle_block.{i}" for i in range(3)),
    *(f"output_blocks.{i}" for i in range(9)),
    "out.",
)
Ratios1 = Annotated[Ratio, Options(default=1.0), Names(*SD1_BLOCKS)]
RatiosXl = Annotated[Ratio, Options(default=1.0), Names(*SDXL_BLOCKS)]


@node("ModelMergeSD1", category=f"{CATEGORY}/model_specific")
def merge_blocks_of_sd1(model1: Model, model2: Model, **ratios: Ratios1) -> Model:
    """Mix two models of Stable Diffusion 1's architecture, with a ratio for each block."""
    return mixed_model(model1, model2, by_prefix(ratios))


@node("ModelMergeSD2", category=f"{CATEGORY}/model_specific")
def merge_blocks_of_sd2(model1: Model, model2: Model, **ratios: Ratios1) -> Model:
    """Mix two models of Stable Diffusion 2's architecture, with a ratio for each block."""
    return mixed_model(model1, model2, by_prefix(ratios))


@node("ModelMergeSDXL", category=f"{CATEGORY}/model_specific")
def merge_blocks_of_sdxl(model1: Model, model2: Model, **ratios: RatiosXl) -> Model:
    """Mix two models of Stable Diffusion XL's architecture, with a ratio for each block."""
    return mixed_model(model1, model2, by_prefix(ratios))
