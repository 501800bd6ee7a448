"""Prompt nodes: clip skip, embeddings by name, and when a cached result is outdated."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import save_file

from engine.files import Files
from engine.nodekit.context import RunningContext
from nodes.text import clip_set_last_layer, clip_text_encode, embedding_path


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


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".safetensors", b"\x08\0\0\0\0\0\0\0{broken}"),
        (".safetensors", b""),
        (".pt", b"PK\x03\x04 cut"),
        (".bin", b"<!DOCTYPE html>"),
        (".pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    ],
)
def test_a_damaged_embedding_is_left_out_and_said_once_on_the_node(
    tiny_clip, ctx, embedding, suffix, content
):
    embedding.with_name("bad" + suffix).write_bytes(content)
    ((plain, _),) = clip_text_encode("a dog", tiny_clip, ctx)
    assert ctx.shown == {}
    text = "a embedding:bad, embedding:bad (embedding:bad:1.2) dog"
    ((found, _),) = clip_text_encode(text.replace(",", ""), tiny_clip, ctx)
    assert found.shape == plain.shape
    (said,) = ctx.shown["text"]
    assert said.startswith(f"embedding:bad is left out: bad{suffix}: ")


def test_a_missing_embedding_is_said_once_on_the_node(tiny_clip, ctx, embedding):
    clip_text_encode(
        "embedding:style, embedding:lost, embedding:lost (embedding:lost:1.2)", tiny_clip, ctx
    )
    assert ctx.shown == {"text": ["embedding:lost is left out: there is no embedding of that name"]}


def test_no_folder_is_listed_for_a_name_that_is_missing(ctx, embedding, monkeypatch):
    monkeypatch.setattr(Files, "list", lambda self, kind: pytest.fail("a folder was listed"))
    assert embedding_path(ctx.files, "lost") is None
    assert embedding_path(ctx.files, "../../lost") is None
    assert embedding_path(ctx.files, "style") == embedding
