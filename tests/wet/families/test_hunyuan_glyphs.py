"""HunyuanVideo 1.5: the network as in diffusers, in all layouts, with and without a picture."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import diffusers
import pytest
import torch
from safetensors.torch import save_file

from engine.adapters.explain import complaints
from engine.adapters.read import adapter_of
from engine.errors import NodeError, WeightsError
from engine.families.detect import detect, detect_encoder
from engine.families.hunyuan_video.glyphs import text
from engine.families.hunyuan_video.glyphs.network import HunyuanGlyphsConfig
from engine.families.hunyuan_video.glyphs.video import HunyuanVideo15Family
from engine.families.hunyuan_video.network import HunyuanVideoConfig
from engine.inference.adapters import matched_with, patched_model
from engine.inference.load import load_denoiser
from engine.residency.manager import DeviceResidency
from engine.text.quoted import Quotations
from engine.text.table import ENCODERS
from engine.text.tokenizer_files import qwen2
from engine.weights.state_dict import StateDict

from .flux_files import loaded, random_tensors
from .hunyuan_files import (
    GLYPHS,
    TIME,
    WORDS,
    asked,
    drawn,
    entry_of,
    layouts,
    of_diffusers,
    strays,
)

VIDEO = HunyuanVideo15Family()
SEEN = 36
VIDEO_CONFIG = HunyuanGlyphsConfig(
    HunyuanVideoConfig(65, 32, WORDS, 0, 256, 1024, 2, 0, 2, guidance=False),
    axes=(16, 56, 56),
    glyph_channels=GLYPHS,
    glyph_inner=2048,
    seen_channels=SEEN,
    kinds=True,
)
SIZE = (3, 4, 6)


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode():
        yield


def video_twin(given):
    """diffusers' class with the tensors."""
    net = diffusers.HunyuanVideo15Transformer3DModel(
        num_attention_heads=2,
        num_layers=2,
        text_embed_dim=WORDS,
        text_embed_2_dim=GLYPHS,
        image_embed_dim=SEEN,
    )
    net.load_state_dict(of_diffusers(given))
    return net.eval()


def expected_video(net, x, entry, beside=None, seen=None):
    """The class as its pipelines call it: all texts padded, a mask for what counts."""
    context = torch.cat((entry.embedding, drawn(1, 3, WORDS, seed=8)), 1).expand(2, -1, -1)
    mask = torch.tensor([[1.0] * 7 + [0.0] * 3] * 2)
    glyphs, glyph_mask = torch.zeros(2, 8, GLYPHS), torch.zeros(2, 8)
    if text.GLYPHS in entry.extras:
        glyphs[:, :5], glyph_mask[:, :5] = entry.extras[text.GLYPHS], 1
    beside = torch.zeros(2, 33, *SIZE) if beside is None else beside
    seen = torch.zeros(2, 9, SEEN) if seen is None else seen.expand(2, -1, -1)
    whole = torch.cat((x, beside), 1)
    return net(whole, TIME, context, mask, None, glyphs, glyph_mask, seen).sample


@pytest.mark.parametrize("glyphs", [False, True])
def test_videos_of_text_are_those_of_the_class(glyphs):
    given = random_tensors(VIDEO.build(VIDEO_CONFIG))
    x, entry = drawn(2, 32, *SIZE), entry_of(glyphs=glyphs)
    wanted = expected_video(video_twin(given), x, entry)
    assert strays(asked(VIDEO, VIDEO_CONFIG, given, x, entry), wanted) < 1e-5


def test_videos_of_a_picture_are_those_of_the_class():
    given = random_tensors(VIDEO.build(VIDEO_CONFIG))
    x, seen, picture = drawn(2, 32, *SIZE), drawn(1, 9, SEEN, seed=4), drawn(1, 32, 1, 4, 6, seed=5)
    mask = torch.ones(1, 1, *SIZE)
    mask[:, :, 0] = 0
    output = SimpleNamespace(last_hidden_state=seen)
    entry = entry_of(
        glyphs=True, clip_vision_output=output, concat_latent_image=picture, concat_mask=mask
    )
    beside = torch.zeros(2, 33, *SIZE)
    beside[:, :32, :1] = picture * 1.03682
    beside[:, 32, 0] = 1
    wanted = expected_video(video_twin(given), x, entry, beside, seen)
    assert strays(asked(VIDEO, VIDEO_CONFIG, given, x, entry), wanted) < 1e-5
    other = SimpleNamespace(last_hidden_state=seen[..., :30])
    with pytest.raises(NodeError, match="states have 30 numbers"):
        asked(VIDEO, VIDEO_CONFIG, given, x, entry_of(clip_vision_output=other))
    with pytest.raises(NodeError, match="32 channels of 4 x 6 cells"):
        asked(VIDEO, VIDEO_CONFIG, given, x, entry_of(concat_latent_image=picture[:, :16]))


def test_prompts_of_different_lengths_share_a_call():
    given = random_tensors(VIDEO.build(VIDEO_CONFIG))
    net, x = loaded(VIDEO.build(VIDEO_CONFIG), given), drawn(2, 32, *SIZE)
    context, glyphs = drawn(2, 7, WORDS, seed=2), drawn(2, 5, GLYPHS, seed=3)
    masks = torch.ones(2, 7, dtype=torch.bool), torch.ones(2, 5, dtype=torch.bool)
    masks[0][1, 4:] = masks[1][1, 2:] = False
    rows = {"beside": torch.zeros(2, 33, *SIZE), "context": context, "glyphs": glyphs}
    nothing = {"control": None, "hooks": None, "checkpoint": lambda: None}
    more = {"context_mask": masks[0], "glyphs_mask": masks[1]}
    found = VIDEO.predict(net, x, TIME, rows | more, **nothing)
    alone = {key: each[1:] for key, each in rows.items()}
    alone |= {"context": context[1:, :4], "glyphs": glyphs[1:, :2]}
    assert strays(found[1:], VIDEO.predict(net, x[1:], TIME[1:], alone, **nothing)) < 1e-5


def test_all_layouts_of_videos_are_read():
    given = random_tensors(VIDEO.build(VIDEO_CONFIG))
    for name, layout in layouts(given).items():
        family, config = detect(StateDict.of(layout))
        assert (family.name, config) == ("HunyuanVideo 1.5", VIDEO_CONFIG), name
        read = family.denoiser(config, StateDict.of(layout))
        assert set(read) == set(given), name
        assert all(torch.equal(read[key], each) for key, each in given.items()), name
    given["img_in.proj.weight"] = torch.zeros(256, 65, 1, 2, 2)
    with pytest.raises(WeightsError, match="expected single cells of 65 channels"):
        detect(StateDict.of(given))


MODULES = {
    "diffusion_model.double_blocks.1.img_attn_k": ("double_blocks.1.img_attn.qkv", 256, 512),
    "lora_unet_double_blocks_1_txt_attn_v": ("double_blocks.1.txt_attn.qkv", 512, 768),
    "transformer.transformer_blocks.1.attn.to_q": ("double_blocks.1.img_attn.qkv", 0, 256),
    "diffusion_model.double_blocks.0.img_attn.qkv": ("double_blocks.0.img_attn.qkv", 0, 768),
}


@pytest.mark.parametrize("name", MODULES)
def test_adapters_in_their_usual_names(name, tmp_path):
    module, first, last = MODULES[name]
    given = random_tensors(VIDEO.build(VIDEO_CONFIG))
    save_file(given, tmp_path / "model.safetensors")
    model = load_denoiser(tmp_path / "model.safetensors")
    down, up = drawn(4, 256, seed=7), drawn(last - first, 4, seed=8)
    kinds = ("lora_down", "lora_up") if name.startswith("lora_unet") else ("lora_A", "lora_B")
    pair = zip(kinds, (down, up), strict=True)
    adapter = adapter_of(
        StateDict.of({f"{name}.{kind}.weight": each for kind, each in pair}), "lora"
    )
    matched = matched_with(adapter, model, None)
    assert complaints(adapter, matched, model.family.name) == []
    changed = given[f"{module}.weight"].clone()
    changed[first:last] += 0.5 * up @ down
    patched = patched_model(model, matched, 0.5)
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)
    with residency.use(patched.net):
        found = patched.net.module.get_submodule(module).weight
        assert strays(found, changed) < 1e-6


def test_templates_are_those_of_the_pipelines():
    from diffusers.pipelines.hunyuan_video1_5 import pipeline_hunyuan_video1_5 as video

    method = video.HunyuanVideo15Pipeline._get_mllm_prompt_embeds
    defaults = inspect.signature(method).parameters
    said = f"<|im_start|>system\n{defaults['system_message'].default}<|im_end|>\n"
    assert text.VIDEO_TEMPLATE.startswith(said)
    assert defaults["crop_start"].default == text.VIDEO_LEFT_OUT
    before = text.VIDEO_TEMPLATE.partition("{}")[0]
    assert len(qwen2().numbers(before)) == text.VIDEO_LEFT_OUT
    for prompt in ('a sign "STOP" and “爱” and "STOP"', "no 'words' here", '"a"'):
        wanted = video.extract_glyph_texts(prompt) or ""
        assert text.VIDEO_QUOTATIONS.of(prompt) == wanted


def test_quotations_are_encoded_as_bytes():
    from transformers import ByT5Tokenizer, T5Config, T5EncoderModel

    sizes = T5Config(
        vocab_size=1510,
        d_model=GLYPHS,
        d_kv=64,
        num_heads=2,
        num_layers=2,
        d_ff=48,
        feed_forward_proj="gated-gelu",
    )
    theirs = T5EncoderModel(sizes).eval()
    tensors = {
        name: drawn(*each.shape, seed=len(name)) * 0.1 for name, each in theirs.state_dict().items()
    }
    tensors["encoder.embed_tokens.weight"] = tensors["shared.weight"]
    theirs.load_state_dict(tensors)
    encoder, config = detect_encoder(StateDict.of(tensors))
    assert encoder is ENCODERS["byt5_small"]
    style = VIDEO.text.styles["byt5_small"]
    tokens = encoder.tokenize(config, 'the word "Grüße" on a wall', None, style=style)
    numbers = ByT5Tokenizer()('Text "Grüße". ').input_ids
    assert [number for number, _ in tokens[0]] == numbers
    module = loaded(encoder.build(config), dict(encoder.tensors(StateDict.of(tensors))))
    found = encoder.encode(module, tokens, style=style, layer=None, checkpoint=lambda: None)
    wanted = theirs(input_ids=torch.tensor([numbers])).last_hidden_state
    assert strays(found.states, wanted) < 1e-5
    assert encoder.tokenize(config, "no words", None, style=style) == []
    assert Quotations((('""',),)).of('"A"\n"A"') == 'Text "A". Text "A". '
