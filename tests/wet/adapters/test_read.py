"""Files that are damaged, hostile or of another kind are refused with a sentence."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.adapters.explain import complaints, family_of
from engine.adapters.match import match
from engine.adapters.names import Target
from engine.adapters.read import adapter_of, open_adapter
from engine.errors import WeightsError
from engine.weights.state_dict import StateDict

PAIR = {"lora_up.weight": torch.ones(4, 2), "lora_down.weight": torch.ones(2, 4)}
HERE = Target.of({"block.weight": (4, 4)}, {})


def named(module: str, parts: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    return {f"{module}.{part}": value for part, value in (parts or PAIR).items()}


def saved(folder: Path, tensors: dict[str, Tensor], **metadata: str) -> Path:
    path = folder / "some.safetensors"
    save_file(tensors, path, metadata=metadata or None)
    return path


def test_a_file_is_read_by_names_alone(tmp_path):
    adapter = open_adapter(saved(tmp_path, named("lora_unet_block") | {"emb.x": torch.ones(1)}))
    assert list(adapter.modules) == ["lora_unet_block"]
    assert adapter.unknown == ("emb.x",)
    assert adapter.tensors == 3


def test_a_pickled_file_is_read_as_well(tmp_path):
    path = tmp_path / "some.pt"
    torch.save(named("lora_unet_block"), path)
    assert list(open_adapter(path).modules) == ["lora_unet_block"]


@pytest.mark.parametrize("keep", [0, 7, 40, -5])
def test_a_truncated_file(tmp_path, keep):
    path = saved(tmp_path, named("lora_unet_block"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"some\.safetensors: "):
        open_adapter(path)


@pytest.mark.parametrize(
    ("tensors", "advice"),
    [
        ({"model.diffusion_model.out.2.weight": torch.ones(1)}, "Load Checkpoint"),
        ({"clip_l": torch.ones(2, 768)}, "embeddings/"),
        ({"controlnet_cond_embedding.conv_in.weight": torch.ones(1)}, "Load ControlNet Model"),
        ({"decoder.conv_in.weight": torch.ones(1)}, "Load VAE"),
        ({"what": torch.ones(1)}, "choose a LoRA file"),
        ({}, "found nothing"),
    ],
)
def test_a_file_of_another_kind_says_where_it_belongs(tmp_path, tensors, advice):
    with pytest.raises(WeightsError, match=r"some\.safetensors: no LoRA") as failed:
        open_adapter(saved(tmp_path, tensors))
    assert advice in str(failed.value)


def test_what_has_no_place_is_counted_and_named():
    tensors = named("lora_unet_block") | named("lora_unet_nowhere") | {"odd": torch.ones(1)}
    adapter = adapter_of(StateDict.of(tensors), "file")
    matched = match(adapter, {"denoiser": HERE})
    assert matched.unmatched == ("lora_unet_nowhere", "odd")
    [sentence] = complaints(adapter, matched, "Tiny")
    assert "2 of its names have no place in this Tiny model" in sentence
    assert "lora_unet_nowhere, odd" in sentence


@pytest.mark.parametrize(
    ("module", "inner", "family"),
    [
        ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", 2048, "XL"),
        ("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", 1024, "Diffusion 2"),
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 768, "Diffusion 1"),
        ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", 640, "1, 2 or XL"),
        ("lora_unet_double_blocks_0_img_attn_qkv", 64, "FLUX"),
        ("diffusion_model.blocks.3.self_attn.q", 64, "Wan"),
    ],
)
def test_an_adapter_of_another_family_says_so(module, inner, family):
    parts = {"lora_up.weight": torch.ones(4, 2), "lora_down.weight": torch.ones(2, inner)}
    adapter = adapter_of(StateDict.of(named(module, parts)), "file")
    assert family in (family_of(adapter) or "")
    [sentence] = complaints(adapter, match(adapter, {"denoiser": HERE}), "Tiny")
    assert "changes nothing: none of its 2 tensors" in sentence
    assert family in sentence


def test_text_encoders_that_are_not_offered_are_no_fault():
    tensors = named("lora_unet_block") | named("lora_te_text_model_encoder_layers_0_mlp_fc1")
    adapter = adapter_of(StateDict.of(tensors), "file")
    assert complaints(adapter, match(adapter, {"denoiser": HERE}), "Tiny") == []
    only_text = adapter_of(StateDict.of(named("lora_te_text_model_x")), "file")
    [sentence] = complaints(only_text, match(only_text, {"denoiser": HERE}), "Tiny")
    assert "use Load LoRA for model and text encoder" in sentence


@pytest.mark.parametrize(
    ("settings", "factor"),
    [
        ({"unet.lora_alpha": 8, "unet.r": 2}, 4.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"block": 1}}, 0.5),
        ({"unet.lora_alpha": 8, "unet.use_rslora": True}, 8 / 2**0.5),
        ({"text_encoder.lora_alpha": 8}, 1.0),
        ({"unet.lora_alpha": "many"}, 1.0),
    ],
)
def test_diffusers_keeps_alpha_in_the_header(tmp_path, settings, factor):
    parts = {"lora_B.weight": torch.ones(4, 2), "lora_A.weight": torch.ones(2, 4)}
    path = saved(tmp_path, named("unet.block", parts), lora_adapter_metadata=json.dumps(settings))
    [patch] = match(open_adapter(path), {"denoiser": HERE}).patches("denoiser", 1.0)["block.weight"]
    assert torch.allclose(patch.apply(torch.zeros(4, 4)), torch.full((4, 4), 2 * factor))


def test_a_part_that_two_names_mean_counts_once_and_is_named():
    twice = named("unet.block") | {"unet.block.lora_A.weight": torch.zeros(2, 4)}
    adapter = adapter_of(StateDict.of(twice), "file")
    assert adapter.unknown == ("unet.block.lora_A.weight",)
    assert match(adapter, {"denoiser": HERE}).unmatched == adapter.unknown


@pytest.mark.parametrize(("encoders", "hit"), [(("clip_l", "clip_g"), 2), (("clip_g",), 1)])
def test_numbers_of_text_encoders(encoders, hit):
    tensors = named("lora_te1_block") | named("lora_te2_block")
    adapter = adapter_of(StateDict.of(tensors), "file")
    matched = match(adapter, dict.fromkeys(encoders, HERE))
    assert len(matched.found) == hit
    assert "lora_te2_block" not in matched.unmatched


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_settings_that_cannot_be_read_say_nothing(tmp_path, text):
    adapter = open_adapter(saved(tmp_path, named("unet.block"), lora_adapter_metadata=text))
    assert "alpha" not in adapter.modules["unet.block"]


def test_equal_changes_of_one_file_are_equal_patches(tmp_path):
    path = saved(tmp_path, named("unet.block"))
    once, again = (match(open_adapter(path), {"denoiser": HERE}) for _ in range(2))
    assert once.patches("denoiser", 0.5) == again.patches("denoiser", 0.5)
    assert once.patches("denoiser", 0.5) != again.patches("denoiser", 0.6)
    save_file(named("unet.block"), path.with_name("other.safetensors"))
    other = match(open_adapter(path.with_name("other.safetensors")), {"denoiser": HERE})
    assert once.patches("denoiser", 0.5) != other.patches("denoiser", 0.5)
    assert once.patches("denoiser", 0.0) == {}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["lora_up.weight", "alpha"])
def test_values_that_are_no_numbers_are_refused_when_they_are_applied(tmp_path, part, number):
    parts = {"lora_up.weight": torch.ones(4, 2), "alpha": torch.tensor(2.0)}
    parts |= {"lora_down.weight": torch.ones(2, 4)}
    parts[part] = torch.full_like(parts[part], number)
    adapter = open_adapter(saved(tmp_path, named("lora_unet_block", parts)))
    [patch] = match(adapter, {"denoiser": HERE}).patches("denoiser", 1.0)["block.weight"]
    with pytest.raises(WeightsError, match=r"some\.safetensors: .*lora_unet_block.*finite numbers"):
        patch.apply(torch.zeros(4, 4))


def test_modules_of_other_sizes_are_said_to_be_of_other_sizes():
    wide = {"lora_up.weight": torch.ones(8, 2), "lora_down.weight": torch.ones(2, 8)}
    adapter = adapter_of(StateDict.of(named("lora_unet_block", wide)), "file")
    [sentence] = complaints(adapter, match(adapter, {"denoiser": HERE}), "Tiny")
    assert "none of its 1 modules fits this Tiny model" in sentence
    assert "no known kind" not in sentence


def test_an_adapter_of_an_unknown_family_is_not_sent_to_that_family():
    adapter = adapter_of(StateDict.of(named("lora_unet_nowhere")), "file")
    [sentence] = complaints(adapter, match(adapter, {"denoiser": HERE}), "Tiny")
    assert sentence.endswith("its names are of no known kind. Choose another LoRA.")
