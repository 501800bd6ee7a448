"""CLIP's image encoder against transformers' own forward and preprocessing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.errors import Stopped, WeightsError
from engine.vision import clip_keys
from engine.vision.clip import ClipImageEncoder
from engine.vision.clip_network import ClipVision, ClipVisionConfig, clip_vision_config
from engine.vision.detect import find_image_encoder
from engine.weights.state_dict import StateDict

KIND = ClipImageEncoder()
TINY = ClipVisionConfig(
    side=28,
    patch=7,
    channels=128,
    feed_forward=256,
    layers=3,
    heads=2,
    activation="quick_gelu",
    projection=48,
)
TOLERANCE = 1e-5


@pytest.fixture
def encoder(fill):
    return fill(lambda: ClipVision(TINY))


def theirs(module):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = module.config
    oracle = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=config.channels,
            intermediate_size=config.feed_forward,
            projection_dim=config.projection,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            image_size=config.side,
            patch_size=config.patch,
            hidden_act=config.activation,
        )
    ).eval()
    missing, unexpected = oracle.load_state_dict(of_transformers(module), strict=False)
    assert [name for name in missing if "position_ids" not in name] == unexpected == []
    return oracle


def of_transformers(module):
    own = "visual_projection.weight"
    return {
        key if key == own else f"vision_model.{key}": value
        for key, value in module.state_dict().items()
    }


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_equals_transformers(fill, activation):
    encoder = fill(lambda: ClipVision(replace(TINY, activation=activation)))
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = theirs(encoder)(pixels, output_hidden_states=True)
        seen = KIND.encode(encoder, pixels, lambda: None)
    assert (seen.embeds - expected.image_embeds).abs().max() < TOLERANCE
    assert (seen.last - expected.last_hidden_state).abs().max() < TOLERANCE
    assert (seen.penultimate - expected.hidden_states[-2]).abs().max() < TOLERANCE
    assert (seen.penultimate - seen.last).abs().max() > 0.01


@pytest.mark.parametrize("size", [(40, 60), (90, 31), (28, 28), (20, 16)])
def test_pictures_are_prepared_as_by_transformers(size):
    from transformers import CLIPImageProcessorPil

    generator = torch.Generator().manual_seed(4)
    pictures = torch.randint(0, 256, (2, *size, 3), generator=generator, dtype=torch.uint8)
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    expected = processor(list(pictures.numpy()), return_tensors="pt")["pixel_values"]
    found = KIND.prepare(TINY, pictures.float() / 255, crop=True)
    assert found.shape == (2, 3, 28, 28)
    # Pillow rounds after each of its two passes, and cuts the remainder of a side.
    assert (found - expected).abs().mean() < 0.02
    if size == (28, 28):
        assert (found - expected).abs().max() < TOLERANCE


def test_without_cropping_the_whole_picture_is_seen():
    picture = torch.zeros(1, 28, 84, 4)
    picture[:, :, :28] = 1.0
    cropped = KIND.prepare(TINY, picture, crop=True)
    whole = KIND.prepare(TINY, picture, crop=False)
    assert cropped.std(dim=(2, 3)).max() < 1e-6
    assert whole.shape == cropped.shape
    assert (whole[0, 0, :, 0] - whole[0, 0, :, -1]).min() > 3


@pytest.mark.parametrize("size", [(3, 16384), (16384, 3)])
def test_of_a_very_long_picture_only_the_middle_is_scaled(size, monkeypatch):
    sizes = []
    scale = torch.nn.functional.interpolate

    def seen(pixels, size, **how):
        sizes.append(size)
        return scale(pixels, size, **how)

    monkeypatch.setattr(torch.nn.functional, "interpolate", seen)
    picture = torch.zeros(1, *size, 3)
    long = size.index(max(size)) + 1
    picture.narrow(long, max(size) // 2 - 5, 10).fill_(1.0)  # the square in the middle, and around
    found = KIND.prepare(TINY, picture, crop=True)
    white = KIND.prepare(TINY, torch.ones(1, 4, 4, 3), crop=True)
    assert sizes[0] in ((TINY.side, 16 * TINY.side), (16 * TINY.side, TINY.side))
    assert torch.allclose(found, white, atol=1e-5)


@pytest.mark.parametrize(
    "prefix",
    ["visual.", "", "embedder.model.visual.", "conditioner.embedders.0.open_clip.model.visual."],
)
def test_both_layouts_give_the_same_network(encoder, prefix, of_open_clip):
    text = {"transformer.resblocks.0.attn.in_proj_weight": torch.zeros(3, 1)} if prefix else {}
    open_clip = {f"{prefix}{key}": value for key, value in of_open_clip(encoder).items()}
    transformers = {
        **of_transformers(encoder),
        "vision_model.embeddings.position_ids": torch.arange(17)[None],
        "text_model.embeddings.token_embedding.weight": torch.zeros(2, 3),
    }
    for state in ({**open_clip, **text}, transformers):
        found = find_image_encoder(StateDict.of(state))
        assert found is not None
        assert found.config == TINY
        assert found.tensors.shapes.keys() == encoder.state_dict().keys()
        for key, value in encoder.state_dict().items():
            assert torch.equal(found.tensors[key], value), key


@pytest.mark.parametrize(
    ("width", "patch", "side", "layers", "projection", "heads", "activation"),
    [
        (1024, 14, 224, 24, 768, 16, "quick_gelu"),
        (1024, 14, 336, 24, 768, 16, "quick_gelu"),
        (1280, 14, 224, 32, 1024, 16, "gelu"),
        (1664, 14, 224, 48, 1280, 16, "gelu"),
    ],
)
def test_released_encoders_are_recognised(
    width, patch, side, layers, projection, heads, activation, shapes_of
):
    config = ClipVisionConfig(
        side=side,
        patch=patch,
        channels=width,
        feed_forward=8192 if width == 1664 else 4 * width,
        layers=layers,
        heads=heads,
        activation=activation,
        projection=projection,
    )
    assert clip_vision_config(shapes_of(KIND.build(config))) == config


def test_a_stop_takes_effect_at_the_next_layer(encoder):
    calls = []

    def checkpoint():
        calls.append(1)
        if len(calls) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        KIND.encode(encoder, torch.zeros(1, 3, 28, 28), checkpoint)


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("embeddings.patch_embedding.weight", (128, 3, 7, 6), r"patch, patch\], found"),
        ("embeddings.position_embedding.weight", (18, 128), "18 positions are no square"),
        ("embeddings.position_embedding.weight", (10**10 + 1, 128), "10,000,000,001 positions"),
        ("embeddings.position_embedding.weight", (0, 128), "is empty"),
        ("embeddings.patch_embedding.weight", (100, 3, 7, 7), "100 channels do not split"),
        ("visual_projection.weight", None, "visual_projection.weight should be a matrix"),
        ("encoder.layers.0.mlp.fc1.weight", None, "fc1.weight should be a matrix"),
    ],
)
def test_damaged_files_are_refused(encoder, key, shape, message):
    state = {name: value.to("meta") for name, value in of_transformers(encoder).items()}
    place = key if key.startswith("visual") else f"vision_model.{key}"
    state.pop(place)
    if shape is not None:
        state[place] = torch.empty(1, device="meta").expand(1, *shape)[0]
    with pytest.raises(WeightsError, match=message):
        find_image_encoder(StateDict.of(state))


def test_a_text_encoder_is_no_image_encoder():
    keys = ("text_model.embeddings.token_embedding.weight", "visual_projection.weight")
    assert clip_keys.tensors(StateDict.of(dict.fromkeys(keys, torch.zeros(2, 2)))) is None
