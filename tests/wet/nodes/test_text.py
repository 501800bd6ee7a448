"""Prompt nodes: clip skip, embeddings by name, and what makes a cached result stale."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import save_file

from engine.nodekit.context import RunningContext
from nodes.text import clip_set_last_layer, clip_text_encode


@pytest.fixture
def ctx(files):
    return RunningContext("1", files)


@pytest.fixture
def embedding(files):
    folder = files.folders("embeddings")[0]
    folder.mkdir(parents=True)
    path = folder / "style.safetensors"
    save_file({"emb_params": torch.randn(2, 64)}, path)
    return path


def test_clip_skip_changes_the_value_and_the_result(tiny_clip, ctx):
    skipping = clip_set_last_layer(tiny_clip, -2)
    assert skipping.layer == -2
    assert tiny_clip.layer is None
    ((last, _),) = clip_text_encode("a cat", tiny_clip, ctx)
    ((before_last, _),) = clip_text_encode("a cat", skipping, ctx)
    assert last.shape == (1, 77, 64)
    assert not torch.allclose(last, before_last)


@pytest.mark.parametrize("name", ["style", "style.safetensors"])
def test_embeddings_are_found_by_name(tiny_clip, ctx, embedding, name):
    ((plain, _),) = clip_text_encode("a dog", tiny_clip, ctx)
    ((styled, _),) = clip_text_encode(f"a embedding:{name} dog", tiny_clip, ctx)
    ((lost, _),) = clip_text_encode("a embedding:lost dog", tiny_clip, ctx)
    assert not torch.allclose(plain, styled)
    assert torch.equal(plain, lost)


def test_a_changed_embedding_file_makes_the_result_stale(ctx, embedding):
    asked = {"text": "(embedding:style, cat:1.2) embedding:lost"}
    before = clip_text_encode.fingerprint_of(asked, ctx)
    assert len(before) == 1
    os.utime(embedding, ns=(1, 1))
    assert clip_text_encode.fingerprint_of(asked, ctx) != before
    assert clip_text_encode.fingerprint_of({"text": "a cat"}, ctx) == []
