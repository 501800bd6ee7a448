"""The demo model: scenes match their captions, and the file is as a loader expects."""

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "models" / "checkpoints" / "calotype-demo.safetensors"
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
