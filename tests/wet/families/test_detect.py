"""Errors name the kind of an unsupported file; for unknown ones they list the first keys."""

import json
import re

import pytest
import torch

from engine.errors import WeightsError
from engine.families.detect import detect, detect_autoencoder, recognise
from engine.weights.state_dict import StateDict

P = "model.diffusion_model."
ATTENTION = f"{P}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
FOREIGN = {
    "a control network of Z-Image": ["control_all_x_embedder.2-1.weight"],
    "a LoRA": ["lora_unet_down_blocks_0.lora_up.weight"],
    "an IP-Adapter": ["ip_adapter.1.to_k_ip.weight", "image_proj.norm.weight"],
    "a textual inversion": ["emb_params"],
    "a ControlNet": ["control_model.input_blocks.0.0.weight"],
    "a FLUX.1 model": ["double_blocks.0.img_attn.norm.key_norm.scale", "img_in.weight"],
    "a FLUX.2 model": [
        "double_blocks.0.img_attn.norm.key_norm.scale",
        "double_stream_modulation_img.lin.weight",
    ],
    "a Wan model with parts": ["model.diffusion_model.head.modulation"],
    "a Wan Animate model": ["head.modulation", "face_adapter.fuser_blocks.0.k_norm.weight"],
    "a Wan model that follows sound (S2V)": [
        "model.diffusion_model.head.modulation",
        "model.diffusion_model.casual_audio_encoder.weights",
    ],
    "a Qwen-Image model": ["transformer.txt_norm.weight"],
    "a model in the folder layout of diffusers": ["down_blocks.0.resnets.0.conv1.weight"],
    "a text encoder": ["text_model.encoder.layers.0.layer_norm1.weight"],
    "an autoencoder (VAE)": ["decoder.conv_in.weight"],
    "a checkpoint of averaged weights alone (EMA, under model_ema.)": [
        "model_ema.diffusion_modelinput_blocks00weight",
        "first_stage_model.decoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
    ],
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_called_by_its_name(name, tmp_path):
    tensors = {key: torch.ones(1) for key in FOREIGN[name]}
    weights = StateDict.of(tensors, path=tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match=rf"^foreign\.safetensors: this is {re.escape(name)}"):
        detect(weights)


@pytest.mark.parametrize(
    ("name", "width", "labelled"),
    [
        ("an SDXL checkpoint", 2048, True),
        ("an SDXL refiner checkpoint", 1280, True),
        ("an SD2 checkpoint", 1024, False),
    ],
)
def test_relatives_of_the_same_blocks_are_told_apart(name, width, labelled):
    tensors = {
        f"{P}input_blocks.0.0.weight": torch.ones(320, 4, 3, 3, device="meta"),
        ATTENTION: torch.ones(640, width, device="meta"),
    }
    if labelled:
        tensors[f"{P}label_emb.0.0.weight"] = torch.ones(4, 4, device="meta")
    with pytest.raises(WeightsError, match=f"this is {name}"):
        detect(StateDict.of(tensors))


def test_the_real_layout_of_sdxl_is_recognised(reference_folder):
    shapes = json.loads((reference_folder / "sdxl_shapes.json").read_text())
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    assert recognise(StateDict.of(tensors)) == "an SDXL checkpoint"
    assert detect(StateDict.of(tensors))[0].name == "Stable Diffusion XL"


def test_an_unknown_file_shows_its_first_keys(tmp_path):
    tensors = {f"layer\x1b{i}.weight": torch.ones(1) for i in range(9)}
    with pytest.raises(WeightsError) as caught:
        detect(StateDict.of(tensors, path=tmp_path / "odd.safetensors"))
    said = str(caught.value)
    assert said.startswith("odd.safetensors: of no known model family; 9 tensors, first keys: ")
    assert said.count(".weight") == 5
    assert said.isprintable()


def test_autoencoders_of_other_families_are_refused():
    tensors = {
        "decoder.conv_in.weight": torch.empty(512, 16, 3, 3, device="meta"),
    }
    with pytest.raises(WeightsError, match=r"weights in memory: .*"):
        detect_autoencoder(StateDict.of(tensors))
    with pytest.raises(WeightsError, match=r"not an autoencoder \(VAE\); put it into"):
        detect_autoencoder(StateDict.of({"emb_params": torch.ones(1)}))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("lora_unet_down_blocks_0.lora_up.weight", "a LoRA, not a checkpoint; load it with Load"),
        ("control_model.input_blocks.0.0.weight", "load it with Load ControlNet Model"),
        ("emb_params", "put it into embeddings/"),
    ],
)
def test_a_file_in_the_wrong_loader_is_told_the_right_one(name, advice):
    with pytest.raises(WeightsError, match=advice):
        detect(StateDict.of({name: torch.zeros(1)}))
