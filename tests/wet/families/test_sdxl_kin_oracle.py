"""The refiner as its nodes run it, and pruned SDXL models, against diffusers."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.conditioning import Role
from engine.families.family import Entry, Run
from engine.families.sdxl.family import StableDiffusionXL, StableDiffusionXLRefiner
from engine.inference.load import load_checkpoint, load_denoiser
from engine.nodekit.context import RunningContext
from engine.text.clip import CLIP_G
from engine.text.tokens import clip_tokenizer
from nodes.text import clip_text_encode_sdxl_refiner

TOLERANCE = 1e-5
PROMPT = "a photo of a cat, golden light"
UNET, TEXT = "model.diffusion_model.", "conditioner.embedders.0.model."
REFINER_UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [64, 128],
    "layers_per_block": 1,
    "cross_attention_dim": 64,
    "attention_head_dim": [1, 2],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 64 + 5 * 256,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
}


@pytest.fixture(autouse=True)
def offline():
    os.environ["HF_HUB_OFFLINE"] = "1"


def predicted(residency, model, x, times, inputs):
    with residency.use(model.net), torch.no_grad():
        return model.family.predict(
            model.net.module, x, times, inputs, control=None, hooks=None, checkpoint=lambda: None
        )


def distance(found, expected):
    return float((found - expected).norm() / expected.norm())


def refiner_text(tensors, sizes):
    """Transformers' states and pooled output of the prompt."""
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    width = sizes.open_width
    oracle = CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=sizes.open_layers,
            num_attention_heads=1,
            hidden_act="gelu",
            projection_dim=width,
            bos_token_id=49406,
            eos_token_id=49407,
        )
    ).eval()
    converted = convert_open_clip_checkpoint(oracle, dict(tensors), prefix=TEXT)
    missing, unexpected = oracle.load_state_dict(converted, strict=False)
    assert [name for name in missing if "position_ids" not in name] == unexpected == []
    row = [49406, *clip_tokenizer().numbers(PROMPT), 49407]
    padded = torch.tensor([[*row, *[CLIP_G.chunks.pad] * (77 - len(row))]])
    with torch.no_grad():
        found = oracle(padded, output_hidden_states=True)
    return found.hidden_states[-2], found.text_embeds


def test_the_refiner_equals_diffusers_from_prompt_to_prediction(
    random_checkpoints, cpu_residency, files, tmp_path
):
    from diffusers import UNet2DConditionModel

    sizes = random_checkpoints.SMALL_REFINER
    tensors = random_checkpoints.tensors(sizes, torch.float32)
    save_file(tensors, tmp_path / "refiner.safetensors")
    model, clip, _ = load_checkpoint(tmp_path / "refiner.safetensors")
    assert isinstance(model.family, StableDiffusionXLRefiner)
    [[embedding, extras]] = clip_text_encode_sdxl_refiner(
        ascore=3.25,
        width=1216,
        height=832,
        text=PROMPT,
        clip=clip,
        ctx=RunningContext("1", files),
    )
    run = Run((1, 4, 6, 10))
    inputs = model.family.inputs(
        model.config, Entry(embedding, extras), run=run, role=Role.POSITIVE
    )
    x, times = torch.randn(1, 4, 6, 10), torch.tensor([741.0])
    found = predicted(cpu_residency, model, x, times, {k: v.value for k, v in inputs.items()})

    states, pooled = refiner_text(tensors, sizes)
    (tmp_path / "config.json").write_text(
        json.dumps({**REFINER_UNET, "_class_name": "UNet2DConditionModel"})
    )
    state = {name: each.clone() for name, each in tensors.items() if name.startswith(UNET)}
    oracle = UNet2DConditionModel.from_single_file(
        state, config=str(tmp_path), local_files_only=True
    ).eval()
    given = {"text_embeds": pooled, "time_ids": torch.tensor([[832, 1216, 0, 0, 3.25]])}
    with torch.no_grad():
        expected = oracle(x, times, states, added_cond_kwargs=given).sample
    assert distance(embedding, states) < TOLERANCE
    assert distance(extras["pooled_output"], pooled) < TOLERANCE
    assert distance(found, expected) < TOLERANCE


PRUNED = {
    "SSD-1B": {
        "layers_per_block": 2,
        "transformer_layers_per_block": (1, 2, 4),
        "reverse_transformer_layers_per_block": ((4, 4, 10), (2, 1, 1), 1),
        "mid_block_type": "UNetMidBlock2D",
    },
    "Vega": {
        "layers_per_block": 2,
        "transformer_layers_per_block": (1, 1, 2),
        "mid_block_type": "UNetMidBlock2D",
    },
    "KOALA-1B": {"layers_per_block": 1, "transformer_layers_per_block": (1, 2, 6)},
    "KOALA-700M": {
        "layers_per_block": 1,
        "transformer_layers_per_block": (1, 2, 5),
        "mid_block_type": None,
    },
}
"""The depths of released models, in narrow layers."""


@pytest.mark.parametrize("name", PRUNED)
def test_a_pruned_model_equals_diffusers(cpu_residency, tmp_path, name):
    """Read from a file in diffusers' layout, as these are published; recognised by its sizes."""
    from diffusers import UNet2DConditionModel

    with torch.random.fork_rng():
        torch.manual_seed(5)
        oracle = UNet2DConditionModel(
            block_out_channels=(64, 64, 128),
            cross_attention_dim=2048,
            attention_head_dim=(1, 1, 2),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            **PRUNED[name],
        ).eval()
    save_file(oracle.state_dict(), tmp_path / "unet.safetensors")
    model = load_denoiser(tmp_path / "unet.safetensors")
    assert isinstance(model.family, StableDiffusionXL)
    x, times = torch.randn(2, 4, 8, 12), torch.tensor([3.0, 741.0])
    context, pooled = torch.randn(2, 9, 2048), torch.randn(2, 1280)
    numbers = torch.tensor([[832, 1216, 0, 8, 832, 1216]] * 2)
    inputs = model.family.inputs(
        model.config,
        Entry(
            context[:1],
            {"pooled_output": pooled[:1], "height": 832, "width": 1216, "crop_w": 8},
        ),
        run=Run(tuple(x.shape)),
        role=Role.POSITIVE,
    )
    vector = inputs["vector"].value.repeat(2, 1)
    vector[1, :1280] = pooled[1]
    found = predicted(cpu_residency, model, x, times, {"context": context, "vector": vector})
    with torch.no_grad():
        expected = oracle(
            x, times, context, added_cond_kwargs={"text_embeds": pooled, "time_ids": numbers}
        ).sample
    assert distance(found, expected) < TOLERANCE
