"""The demo model: scenes match their captions, and the file is as a loader expects."""

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "models" / "checkpoints" / "calotype-demo.safetensors"
CONTROLNET = ROOT / "models" / "controlnet" / "calotype-demo-edges.safetensors"
MAIN_WORDS = {
    "sun over mountains": ("mountains", "sun"),
    "moon over snowy mountains": ("moon", "mountains"),
    "boat": ("boat",),
    "house on a hill": ("hill",),
    "pines in the snow": ("pine",),
    "cactuses": ("cact",),
    "city": ("city", "buildings"),
    "lighthouse": ("lighthouse",),
    "tent": ("tent",),
    "castle": ("castle",),
    "balloon": ("balloon",),
    "mountains": ("mountains",),
    "flowers": ("flowers",),
    "island": ("island",),
    "snowman": ("snowman",),
    "aurora": ("aurora", "northern lights"),
}


@pytest.fixture
def scenes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from tools.demo_model import scenes

    yield scenes
    for name in [name for name in sys.modules if name.partition(".")[0] == "tools"]:
        del sys.modules[name]


def test_a_seed_draws_the_same_scene_every_time(scenes):
    for seed in range(8):
        pixels, caption = scenes.render(seed, 64)
        again, same = scenes.render(seed, 64)
        assert caption == same
        assert pixels.shape == (64, 64, 3)
        assert np.array_equal(pixels, again)


def test_the_size_of_a_picture_changes_nothing_but_its_sharpness(scenes):
    for seed in range(6):
        small, caption = scenes.render(seed, 64)
        large, same = scenes.render(seed, 128)
        assert caption == same
        halved = large.reshape(64, 2, 64, 2, 3).mean((1, 3))
        assert np.abs(halved - small).mean() < 6


def test_every_theme_names_its_main_object(scenes):
    assert {theme.name for theme in scenes.THEMES} == set(MAIN_WORDS)
    for theme in scenes.THEMES:
        for seed in range(5):
            _, caption = scenes.render_theme(theme, random.Random(seed), 32)
            assert any(word in caption for word in MAIN_WORDS[theme.name]), caption


def test_the_committed_checkpoint_says_what_it_is():
    with safe_open(CHECKPOINT, "pt") as file:
        metadata, keys = file.metadata(), set(file.keys())
        shape = file.get_slice("model.diffusion_model.input_blocks.0.0.weight").get_shape()
    assert CHECKPOINT.stat().st_size < 40_000_000
    assert metadata["modelspec.license"] == "Apache-2.0"
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1"
    assert metadata["calotype.attention_heads"] == "8"
    preview = json.loads(metadata["calotype.latent_rgb_factors"])
    assert np.shape(preview["factors"]) == (4, 3)
    assert np.shape(preview["bias"]) == (3,)
    assert shape == [64, 4, 3, 3]
    assert {
        "first_stage_model.decoder.conv_out.weight",
        "first_stage_model.encoder.conv_in.weight",
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
        "model.diffusion_model.out.2.weight",
    } <= keys


def test_the_committed_controlnet_says_what_it_is_and_is_small():
    with safe_open(CONTROLNET, "pt") as file:
        metadata, keys = file.metadata(), set(file.keys())
        packed = {key for key in keys if file.get_slice(key).get_dtype() == "F8_E4M3"}
    assert CONTROLNET.stat().st_size <= 4_000_000
    assert metadata["modelspec.license"] == "Apache-2.0"
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1/controlnet"
    assert metadata["calotype.attention_heads"] == "8"
    assert "tools/demo_model" in metadata["calotype.origin"]
    assert int(metadata["calotype.training_samples"]) > 1000
    assert {"zero_convs.0.0.weight", "input_hint_block.14.weight", "time_embed.0.bias"} <= keys
    assert packed
    assert all(key.startswith(("input_blocks.", "middle_block.")) for key in packed)


def test_the_engine_computes_the_committed_controlnet_as_its_training_did(scenes):
    """Both in fp32 from the same file; the bound is about ten times the difference seen."""
    from engine.control.detect import find_control
    from engine.weights.open import open_weights
    from tools.demo_model import controlnet

    generator = torch.Generator().manual_seed(0)
    x, context = (torch.randn(2, *size, generator=generator) for size in ((4, 8, 8), (77, 64)))
    picture = (torch.rand(2, 3, 64, 64, generator=generator) < 0.05).float()
    steps = torch.tensor([900.0, 20.0])
    found = find_control(open_weights(CONTROLNET))
    net = found.kind.build(found.config).to_empty(device="cpu")
    net.load_state_dict({name: each.float() for name, each in load_file(CONTROLNET).items()})
    with torch.no_grad():
        *skips, middle = controlnet.read(CONTROLNET)(x, steps, context, picture)
        residuals = net(x, steps, net.get_submodule("input_hint_block")(picture), context)
    for ours, expected in zip(residuals.output, reversed(skips), strict=True):
        assert torch.linalg.vector_norm(ours - expected) < 1e-5 * torch.linalg.vector_norm(expected)
    assert torch.linalg.vector_norm(residuals.middle[0] - middle) < 1e-5 * middle.norm()
    assert min(each.std() for each in (*skips, middle)) > 1e-3, "it adds something everywhere"
