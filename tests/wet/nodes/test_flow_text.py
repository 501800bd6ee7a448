"""Prompts for flow models: one text for each encoder, pictures within prompts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.errors import NodeError
from engine.families.family import TextPlan
from engine.inference.encode import tokenize
from engine.inference.values import Clip, TextPart
from engine.nodekit.context import RunningContext
from engine.residency.handles import LazyWeights
from engine.text.clip import CLIP_G
from engine.text.clip_network import ClipTextConfig
from engine.text.decoder import LanguageSetup
from engine.text.decoder_network import DecoderConfig, Rotary
from engine.text.encoder import TextStyle
from engine.text.language_models import QWEN25_7B
from engine.text.qwen25_vision import Qwen25VisionConfig
from engine.text.t5 import T5XXL, T5Setup
from engine.text.t5_network import T5Config
from engine.text.tokenizer_files import TokenizerSource, qwen2, t5
from engine.text.tokens import Picture
from nodes import flow_text
from nodes.flow_text import (
    EDIT,
    PICTURE,
    clip_text_encode_flux,
    clip_text_encode_sd3,
    t5_tokenizer_options,
    text_encode_qwen_image_edit,
    text_encode_qwen_image_edit_plus,
)

PLAIN = "<|im_start|>system\nSee:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n"


@pytest.fixture
def ctx(files):
    return RunningContext("1", files)


def part(fill, encoder, config):
    weights = LazyWeights(encoder.name, 1, lambda: fill(lambda: encoder.build(config)))
    return TextPart(encoder, config, weights)


@pytest.fixture
def three(tiny_clip, fill):
    """CLIP L, CLIP bigG and T5, tiny; each is an extra of the conditioning."""
    sizes = T5Config(32128, 16, 16, 24, 2, 2, 32, gated=True, each=False)

    def combine(encoded):
        return torch.zeros(1, 1, 1), {name: each.states for name, each in encoded.items()}

    names = ("clip_l", "clip_g", "t5xxl")
    styles = {name: TextStyle(shortest=77) for name in names}
    parts = dict(tiny_clip.parts)
    config = ClipTextConfig(49408, 77, 64, 128, 2, 1, "gelu")
    parts["clip_g"] = part(fill, CLIP_G, config)
    parts["t5xxl"] = part(fill, T5XXL, T5Setup(sizes, TokenizerSource(t5)))
    return Clip(TextPlan(styles, combine, optional=frozenset(names)), parts)


@pytest.fixture
def seeing(cpu_residency, fill):
    """A tiny Qwen2.5-VL."""
    rotary = Rotary(sections=(2, 3, 3))
    sizes = DecoderConfig(151_700, 16, 24, 2, 1, 1, 16, True, False, 1e-6, rotary)
    vision = Qwen25VisionConfig(80, 32, 1, 14, 2, 16)
    setup = LanguageSetup(sizes, vision, TokenizerSource(qwen2))
    style = TextStyle(template=PLAIN, only_after_template=True, weighted=False)

    def combine(encoded):
        return encoded["qwen25_7b"].states, {}

    parts = {"qwen25_7b": part(fill, QWEN25_7B, setup)}
    return Clip(TextPlan({"qwen25_7b": style}, combine), parts)


def test_a_text_for_each_encoder(three, ctx):
    flux = replace(three, parts={n: p for n, p in three.parts.items() if n != "clip_g"})
    ((_, extras),) = clip_text_encode_flux(
        clip=flux, clip_l="a cat", t5xxl="a photo of a cat", guidance=2.5, ctx=ctx
    )
    assert extras["guidance"] == 2.5
    ((_, same),) = clip_text_encode_flux(
        clip=flux, clip_l="a dog", t5xxl="a photo of a cat", guidance=2.5, ctx=ctx
    )
    assert torch.equal(extras["t5xxl"], same["t5xxl"])
    assert not torch.equal(extras["clip_l"], same["clip_l"])


def test_empty_texts_of_sd3(three, ctx):
    def encoded(padding, **texts):
        texts = {"clip_l": "", "clip_g": "", "t5xxl": "", **texts}
        ((_, extras),) = clip_text_encode_sd3(clip=three, empty_padding=padding, ctx=ctx, **texts)
        return extras

    # as the reference's runs have it: the other CLIP encoder an empty prompt, T5 an end alone
    alone = encoded("none", clip_g="a cat")
    assert alone["clip_l"].shape[1] == alone["clip_g"].shape[1] == 77
    assert alone["t5xxl"].shape[1] == 1
    assert set(encoded("none")) == {"t5xxl"}
    assert set(encoded("empty_prompt", clip_g="a cat")) == {"clip_l", "clip_g", "t5xxl"}
    # the shorter one gets empty chunks
    found = encoded("none", clip_l="cat " * 100, clip_g="a cat")
    assert found["clip_l"].shape[1] == found["clip_g"].shape[1] == 154


def test_an_encoder_of_another_model_is_named(seeing, tiny_clip, ctx):
    with pytest.raises(NodeError, match=r"CLIP L and T5 XXL; this one has Qwen2.5-VL 7B"):
        clip_text_encode_flux(clip=seeing, clip_l="a", t5xxl="b", guidance=1.0, ctx=ctx)
    image = torch.rand(1, 64, 96, 3)
    with pytest.raises(NodeError, match="CLIP L takes no pictures"):
        text_encode_qwen_image_edit(clip=tiny_clip, prompt="a", image=image, ctx=ctx)


def test_padding_of_t5(three):
    def count(clip):
        return len(tokenize(clip, "a cat", lambda *_: None)["t5xxl"][0])

    assert count(three) == 77
    assert count(t5_tokenizer_options(clip=three, min_padding=0, min_length=0)) == 4
    assert count(t5_tokenizer_options(clip=three, min_padding=3, min_length=0)) == 7
    assert count(t5_tokenizer_options(clip=three, min_padding=3, min_length=9)) == 9


def tokens_of(monkeypatch, run):
    """What a node gives the text encoder."""
    seen = []

    def kept(clip, tokens, **_):
        seen.append(tokens)
        return [[torch.zeros(1, 1, 1), {}]]

    monkeypatch.setattr(flow_text, "encode_tokens", kept)
    run()
    return [token for token, _ in seen[0]["qwen25_7b"][0]]


def as_text(tokens):
    """Numbers, with the sizes of pictures in their places."""
    return [tuple(t.pixels.shape[1:]) if isinstance(t, Picture) else t for t in tokens]


def expected(text, *sizes):
    found = qwen2().numbers(text)
    places = [i for i, number in enumerate(found) if number == 151655]
    for place, (height, width) in zip(places, sizes, strict=True):
        found[place] = (height, width, 3)
    return found


def test_pictures_in_an_instruction(monkeypatch, seeing, ctx):
    first, second = torch.rand(1, 64, 96, 3), torch.rand(1, 75, 101, 4)

    def edit(image):
        return lambda: text_encode_qwen_image_edit(
            clip=seeing, prompt="make the (cat:1.2) red", image=image, ctx=ctx
        )

    def plus(**images):
        return lambda: text_encode_qwen_image_edit_plus(
            clip=seeing, prompt="make it red", ctx=ctx, **images
        )

    found = as_text(tokens_of(monkeypatch, edit(None)))
    assert found == expected(PLAIN.replace("{}", "make the (cat:1.2) red"))
    found = as_text(tokens_of(monkeypatch, edit(first)))
    text = EDIT.replace("{}", f"{PICTURE}make the (cat:1.2) red")
    assert found == expected(text, (836, 1254))
    assert len(found) == 82
    found = as_text(tokens_of(monkeypatch, plus(image1=first, image3=second)))
    text = EDIT.replace("{}", f"Picture 1: {PICTURE}Picture 2: {PICTURE}make it red")
    assert found == expected(text, (314, 470), (331, 446))
    assert as_text(tokens_of(monkeypatch, plus())) == expected(EDIT.replace("{}", "make it red"))


def test_references_are_encoded_too(monkeypatch, seeing, tiny_vae, ctx):
    sizes = []
    monkeypatch.setattr(
        flow_text,
        "encode_picture",
        lambda vae, picture, **_: sizes.append(tuple(picture.shape)) or torch.zeros(1, 4, 2, 2),
    )
    monkeypatch.setattr(flow_text, "MEGAPIXEL", 160 * 160)
    image = torch.rand(1, 64, 96, 3)
    ((tensor, extras),) = text_encode_qwen_image_edit_plus(
        clip=seeing, prompt="a", vae=tiny_vae, image1=image, image2=image, ctx=ctx
    )
    assert [len(extras["reference_latents"]), *sizes] == [2, (1, 128, 192, 3), (1, 128, 192, 3)]
    # a picture is as many vectors as it has cells of 28 pixels; the template is left out
    words = qwen2().numbers("Picture 1: <|vision_start|><|vision_end|>" * 2 + "a<|im_end|>\n")
    after = qwen2().numbers("<|im_start|>assistant\n")
    assert tensor.shape == (1, len(words) + len(after) + 2 * 11 * 17, 16)
    assert tensor.isfinite().all()
