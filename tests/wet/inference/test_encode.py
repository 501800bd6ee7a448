"""Encoding of prompts, and textual inversions in all common formats."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import Stopped, WeightsError
from engine.inference.encode import encode, textual_inversion


def nothing(_):
    return None


def test_a_prompt_becomes_one_entry(tiny_clip):
    ((tensor, extras),) = encode(tiny_clip, "a cat", nothing)
    assert tensor.shape == (1, 77, 64)
    assert extras["pooled_output"].shape == (1, 64)


def test_a_stop_reaches_the_encoder(tiny_clip):
    def checkpoint():
        raise Stopped

    with pytest.raises(Stopped):
        encode(tiny_clip, "a cat", nothing, checkpoint=checkpoint)


@pytest.mark.parametrize(
    "tensors",
    [
        {"emb_params": torch.arange(6.0).reshape(2, 3)},
        {"clip_g": torch.zeros(2, 5), "clip_l": torch.arange(6.0).reshape(2, 3)},
        {"<style>": torch.arange(6.0).reshape(2, 3)},
    ],
)
def test_safetensors_embeddings(tmp_path, tensors):
    save_file(tensors, tmp_path / "style.safetensors")
    found = textual_inversion(tmp_path / "style.safetensors")
    assert torch.equal(found, torch.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    "document",
    [
        {
            "string_to_token": {"*": 265},
            "string_to_param": {"*": torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))},
            "name": "style",
            "step": 100,
            "sd_checkpoint": None,
        },
        {"<style>": torch.arange(6.0).reshape(2, 3)},
        {"emb_params": torch.arange(6.0).reshape(2, 3)},
    ],
)
def test_pytorch_embeddings(tmp_path, document):
    torch.save(document, tmp_path / "style.pt")
    found = textual_inversion(tmp_path / "style.pt")
    assert torch.equal(found, torch.arange(6.0).reshape(2, 3))
    assert not found.requires_grad


def test_one_vector_is_one_row(tmp_path):
    save_file({"<style>": torch.arange(3.0)}, tmp_path / "style.safetensors")
    assert textual_inversion(tmp_path / "style.safetensors").shape == (1, 3)


def test_other_files_are_refused(tmp_path):
    save_file({"conv": torch.zeros(1, 2, 3, 4)}, tmp_path / "lora.safetensors")
    with pytest.raises(WeightsError, match=r"lora\.safetensors: no textual inversion"):
        textual_inversion(tmp_path / "lora.safetensors")


def test_no_vector_is_no_textual_inversion(tmp_path):
    save_file({"emb_params": torch.zeros(0, 64)}, tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match=r"none\.safetensors: no textual inversion"):
        textual_inversion(tmp_path / "none.safetensors")


def test_vectors_that_are_no_numbers_are_refused(tmp_path):
    save_file({"emb_params": torch.full((2, 64), torch.nan)}, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError, match=r"odd\.safetensors: .*no finite numbers"):
        textual_inversion(tmp_path / "odd.safetensors")
