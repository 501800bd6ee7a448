"""The names in adapters of all common programs are matched to the right modules."""

import pytest

from engine.adapters.names import TEXT_WRAPPERS, Target, place
from engine.adapters.parts import split_name

SHAPES = {
    "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight": (32, 32),
    "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0.weight": (32, 32),
}
OTHERS = {
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": (
        "input_blocks.1.1.transformer_blocks.0.attn1.to_q"
    ),
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0": (
        "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0"
    ),
}
ORIGINAL = "input_blocks.1.1.transformer_blocks.0.attn1"
DIFFUSERS = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
TEXT = "text_model.encoder.layers.3.mlp.fc1"


def flat(name: str) -> str:
    return name.replace(".", "_")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        (f"lora_unet_{flat(DIFFUSERS)}_to_q.lora_up.weight", "up"),
        (f"lora_unet_{flat(ORIGINAL)}_to_q.lora_down.weight", "down"),
        (f"lora_unet_{flat(DIFFUSERS)}_to_q.lora_mid.weight", "mid"),
        (f"lora_unet_{flat(DIFFUSERS)}_to_q.alpha", "alpha"),
        (f"lora_unet_{flat(DIFFUSERS)}_to_q.dora_scale", "dora_scale"),
        (f"lycoris_{flat(DIFFUSERS)}_to_q.lokr_w2_a", "lokr_w2_a"),
        (f"lora_unet_{flat(DIFFUSERS)}_to_q.b2.weight", "b2"),
        (f"unet.{DIFFUSERS}.processor.to_q_lora.up.weight", "up"),
        (f"unet.{DIFFUSERS}.to_q.lora.down.weight", "down"),
        (f"unet.{DIFFUSERS}.to_q.lora_A.weight", "down"),
        (f"unet.{DIFFUSERS}.to_q.lora_B.default.weight", "up"),
        (f"unet.{DIFFUSERS}.to_q.lora_B.default_0.weight", "up"),
        (f"unet.{DIFFUSERS}.to_q.lora_magnitude_vector", "magnitude"),
        (f"unet.{DIFFUSERS}.to_q.lora_magnitude_vector.default.weight", "magnitude"),
        (f"base_model.model.{DIFFUSERS}.to_q.lora_A.weight", "down"),
        (f"base_model.model.unet.{DIFFUSERS}.to_q.lora_B.bias", "up_bias"),
        (f"diffusion_model.{ORIGINAL}.to_q.lora_B.weight", "up"),
        (f"model.diffusion_model.{ORIGINAL}.to_q.diff", "diff"),
        (f"{DIFFUSERS}.to_q.lora_A", "down"),
        (f"{ORIGINAL}.to_q.lora_up.weight", "up"),
        (f"oft_unet_{flat(DIFFUSERS)}_to_q.oft_blocks", "oft_blocks"),
    ],
)
def test_names_of_denoisers(name, part):
    split = split_name(name)
    assert split is not None
    assert split[1] == part
    where = place(split[0])
    assert where.part in ("denoiser", None)
    assert Target.of(SHAPES, OTHERS).find(where.name) == f"{ORIGINAL}.to_q"


@pytest.mark.parametrize("ending", ["to_out_lora", "to_out.0.lora"])
def test_an_old_name_without_its_number(ending):
    [module, _] = split_name(f"unet.{DIFFUSERS}.processor.{ending}.up.weight")
    assert Target.of(SHAPES, OTHERS).find(place(module).name) == f"{ORIGINAL}.to_out.0"


@pytest.mark.parametrize(
    ("module", "part"),
    [
        (f"lora_te_{flat(TEXT)}", "0"),
        (f"lora_te1_{flat(TEXT)}", "0"),
        (f"lora_te2_{flat(TEXT)}", "1"),
        (f"text_encoder.{TEXT}", "0"),
        (f"text_encoder_2.{TEXT}", "1"),
        (f"base_model.model.text_encoder.{TEXT}", "0"),
        (f"text_encoders.clip_l.transformer.{TEXT}", "clip_l"),
        ("text_encoders.clip_g.transformer.encoder.layers.3.mlp.fc1", "clip_g"),
        (f"lycoris_text_encoder_{flat(TEXT)}", "0"),
    ],
)
def test_names_of_text_encoders(module, part):
    where = place(module)
    assert where.is_text
    assert where.part == part
    target = Target.of({"encoder.layers.3.mlp.fc1.weight": (4, 4)}, {}, TEXT_WRAPPERS)
    assert target.find(where.name) == "encoder.layers.3.mlp.fc1"


@pytest.mark.parametrize(
    "name",
    [
        "model.diffusion_model.input_blocks.0.0.weight",
        "first_stage_model.decoder.conv_in.bias",
        "emb_params",
        "lora_unet_x.lora_down.scale",
        "alpha",
        "lora_A.bias",
        "",
    ],
)
def test_other_names_are_no_adapter_s(name):
    assert split_name(name) is None
