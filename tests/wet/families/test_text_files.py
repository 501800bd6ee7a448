"""Text encoders in separate files: recognised by structure, in any order; what is wrong is said."""

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import WeightsError
from engine.families.detect import detect, detect_encoder, text_plan
from engine.inference.load import load_clip
from engine.text.decoder_keys import ARCHITECTURE
from engine.text.language_models import (
    MISTRAL3_24B,
    QWEN3_06B,
    QWEN3_4B,
    QWEN3_8B,
    QWEN3VL_4B,
    QWEN25_7B,
)
from engine.text.table import ENCODERS
from engine.weights.state_dict import StateDict


def zeros(**shapes):
    return {name.replace("__", "."): torch.zeros(shape) for name, shape in shapes.items()}


def t5(width=16, rows=32128):
    block = "encoder__block__0__layer__"
    return zeros(
        **{
            "shared__weight": (rows, width),
            f"{block}0__SelfAttention__q__weight": (8, width),
            f"{block}0__SelfAttention__k__weight": (8, width),
            f"{block}0__SelfAttention__v__weight": (8, width),
            f"{block}0__SelfAttention__o__weight": (width, 8),
            f"{block}0__SelfAttention__relative_attention_bias__weight": (32, 2),
            f"{block}0__layer_norm__weight": (width,),
            f"{block}1__DenseReluDense__wi_0__weight": (24, width),
            f"{block}1__DenseReluDense__wi_1__weight": (24, width),
            f"{block}1__DenseReluDense__wo__weight": (width, 24),
            f"{block}1__layer_norm__weight": (width,),
            "encoder__final_layer_norm__weight": (width,),
        }
    )


def language_model(width, *, keys=128, bias=False, normed=False, before="model."):
    layer = f"{before}layers.0."
    found = {
        f"{before}embed_tokens.weight": torch.zeros(300, width, device="meta"),
        f"{before}norm.weight": torch.zeros(width),
        f"{layer}input_layernorm.weight": torch.zeros(width),
        f"{layer}post_attention_layernorm.weight": torch.zeros(width),
        f"{layer}mlp.gate_proj.weight": torch.zeros(8, width, device="meta"),
        f"{layer}self_attn.q_proj.weight": torch.zeros(keys, width, device="meta"),
        f"{layer}self_attn.k_proj.weight": torch.zeros(keys, width, device="meta"),
    }
    if bias:
        found[f"{layer}self_attn.k_proj.bias"] = torch.zeros(keys)
    if normed:
        found[f"{layer}self_attn.q_norm.weight"] = torch.zeros(128)
    return found


def clip_l():
    layer = "text_model.encoder.layers.0."
    found = {
        "text_model.embeddings.token_embedding.weight": torch.zeros(49408, 64),
        "text_model.embeddings.position_embedding.weight": torch.zeros(77, 64),
        "text_model.final_layer_norm.weight": torch.zeros(64),
        "text_model.final_layer_norm.bias": torch.zeros(64),
    }
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        found[f"{layer}self_attn.{name}.weight"] = torch.zeros(64, 64)
        found[f"{layer}self_attn.{name}.bias"] = torch.zeros(64)
    for name in ("layer_norm1", "layer_norm2"):
        found[f"{layer}{name}.weight"] = torch.zeros(64)
        found[f"{layer}{name}.bias"] = torch.zeros(64)
    for name, shape in (("fc1", (128, 64)), ("fc2", (64, 128))):
        found[f"{layer}mlp.{name}.weight"] = torch.zeros(shape)
        found[f"{layer}mlp.{name}.bias"] = torch.zeros(shape[0])
    return found


@pytest.fixture
def files(tmp_path):
    made = {
        "clip_l": clip_l(),
        "t5xxl": t5(),
    }
    paths = {name: tmp_path / f"{name}.safetensors" for name in made}
    for name, tensors in made.items():
        save_file(tensors, paths[name])
    return paths


@pytest.mark.parametrize(
    ("tensors", "encoder"),
    [
        (language_model(2560, normed=True), QWEN3_4B),
        (language_model(4096, normed=True), QWEN3_8B),
        (language_model(1024, normed=True), QWEN3_06B),
        (language_model(2560, normed=True, before="model.language_model."), QWEN3VL_4B),
        (language_model(3584, keys=512, bias=True), QWEN25_7B),
        (language_model(3584, keys=512, bias=True, before="transformer.model."), QWEN25_7B),
        (language_model(5120), MISTRAL3_24B),
        (language_model(5120, before="language_model.model."), MISTRAL3_24B),
    ],
)
def test_language_models_are_recognised(tensors, encoder):
    found, config = detect_encoder(StateDict.of(tensors))
    assert found is encoder
    assert config.sizes.channels == tensors[next(iter(tensors))].shape[1]


def test_a_gguf_file_of_a_seeing_model_is_recognised_without_its_vision():
    tensors = language_model(2560, normed=True)
    weights = StateDict.of(tensors, metadata={ARCHITECTURE: "qwen3vl"})
    assert detect_encoder(weights)[0] is QWEN3VL_4B


@pytest.mark.parametrize(
    ("tensors", "name"),
    [
        (t5(), "t5xxl"),
        (t5(width=768), "t5_base"),
        ({f"transformer.{name}": tensor for name, tensor in t5().items()}, "t5xxl"),
    ],
)
def test_t5_is_recognised(tensors, name):
    assert detect_encoder(StateDict.of(tensors))[0].name == name


@pytest.mark.parametrize("order", [("clip_l", "t5xxl"), ("t5xxl", "clip_l")])
def test_two_files_in_any_order(files, order):
    clip = load_clip([files[name] for name in order], "flux")
    assert list(clip.parts) == ["clip_l", "t5xxl"]
    assert clip.plan.styles["t5xxl"].shortest == 256


def test_any_of_sd3_s_encoders_may_be_absent(files):
    for names in (["t5xxl"], ["clip_l"], ["t5xxl", "clip_l"]):
        clip = load_clip([files[name] for name in names], "sd3")
        assert set(clip.parts) == set(names)


def test_one_of_two_is_missing(files):
    with pytest.raises(WeightsError, match=r"type flux takes CLIP L and T5 XXL for FLUX") as found:
        load_clip([files["t5xxl"], files["t5xxl"]], "flux")
    assert "found T5 XXL in t5xxl.safetensors, T5 XXL in t5xxl.safetensors" in str(found.value)


def test_an_encoder_of_another_family_is_named():
    clip, qwen = ENCODERS["clip_l"], ENCODERS["qwen3_4b"]
    with pytest.raises(WeightsError, match=r"found CLIP L in a.safetensors, Qwen3 4B in b"):
        text_plan("flux", [("a.safetensors", clip), ("b.safetensors", qwen)])


def test_a_text_encoder_in_place_of_a_checkpoint():
    with pytest.raises(WeightsError, match=r"T5 kind, not a checkpoint; load it with Load CLIP"):
        detect(StateDict.of(t5()))
    with pytest.raises(WeightsError, match=r"language model .* which Load CLIP reads"):
        detect(StateDict.of(language_model(2560, normed=True)))


def test_a_language_model_that_is_not_used_here():
    unknown = language_model(2816)
    with pytest.raises(WeightsError, match="cannot use it as a text encoder yet"):
        detect_encoder(StateDict.of(unknown))
