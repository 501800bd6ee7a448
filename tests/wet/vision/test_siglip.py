"""SigLIP's image encoder against transformers' own forward and preprocessing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.errors import WeightsError
from engine.vision.detect import find_image_encoder
from engine.vision.siglip import Siglip, SiglipConfig, SiglipImageEncoder
from engine.weights.state_dict import StateDict

KIND = SiglipImageEncoder()
TINY = SiglipConfig(side=28, patch=7, channels=128, feed_forward=200, layers=3, heads=2)
TOLERANCE = 1e-5


@pytest.fixture
def encoder(fill):
    return fill(lambda: Siglip(TINY))


def file(encoder) -> dict[str, torch.Tensor]:
    """As published, with the head that pools, which has no use here."""
    found = {f"vision_model.{name}": each for name, each in encoder.state_dict().items()}
    return found | {"vision_model.head.probe": torch.zeros(1, 1, 128), "logit_scale": torch.ones(1)}


def test_equals_transformers(encoder):
    from transformers import SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(
        hidden_size=128, intermediate_size=200, num_hidden_layers=3, num_attention_heads=2,
        image_size=28, patch_size=7, vision_use_head=False,
    )  # fmt: skip
    oracle = SiglipVisionModel(config).eval()
    own = oracle.state_dict()
    prefix = "vision_model." if any(name.startswith("vision_model.") for name in own) else ""
    missing, unexpected = oracle.load_state_dict(
        {f"{prefix}{name}": each for name, each in encoder.state_dict().items()}, strict=False
    )
    assert [name for name in missing if "position_ids" not in name] == unexpected == []
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = oracle(pixels, output_hidden_states=True)
        seen = KIND.encode(encoder, pixels, lambda: None)
    assert (seen.last - expected.last_hidden_state).abs().max() < TOLERANCE
    assert (seen.penultimate - expected.hidden_states[-2]).abs().max() < TOLERANCE
    assert torch.equal(seen.embeds, seen.last.mean(dim=1))


def test_a_file_is_recognised(encoder):
    found = find_image_encoder(StateDict.of(file(encoder)))
    assert found is not None
    assert (found.kind.name, found.config) == ("SigLIP image encoder", TINY)
    assert set(found.tensors) == set(encoder.state_dict())


def test_the_released_encoder_sees_384_pixels(encoder):
    """Of 27 patches of 14 pixels; the rest of a side is cut, as in transformers."""
    start = "vision_model.embeddings."
    shapes = {
        f"{start}patch_embedding.weight": torch.empty(1152, 3, 14, 14, device="meta"),
        f"{start}position_embedding.weight": torch.empty(729, 1152, device="meta"),
    }
    found = find_image_encoder(StateDict.of(file(encoder) | shapes))
    assert (found.config.side, found.config.patch, found.config.heads) == (384, 14, 16)
    assert Siglip(replace(TINY, side=32)).embeddings(torch.zeros(1, 3, 32, 32)).shape[1] == 16


def test_pictures_are_in_minus_one_to_one():
    picture = torch.rand(1, 40, 60, 4, generator=torch.Generator().manual_seed(4))
    picture[:, :, :10] = 1.0
    picture[:, :, 50:] = 0.0
    whole = KIND.prepare(TINY, picture, crop=False)
    cropped = KIND.prepare(TINY, picture, crop=True)
    assert whole.shape == cropped.shape == (1, 3, 28, 28)
    assert whole[..., 0].allclose(torch.ones(1))
    assert whole[..., -1].allclose(-torch.ones(1))
    assert cropped[..., 0].mean() < 0.9


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"vision_model.embeddings.patch_embedding.weight": torch.zeros(128, 147)},
            r"found \[128, 147\]; encoders of pictures of any size \(NaFlex\) cannot",
        ),
        (
            {"vision_model.embeddings.position_embedding.weight": torch.zeros(15, 128)},
            "15 positions are no square of patches",
        ),
        (
            {"vision_model.encoder.layers.0.mlp.fc1.weight": torch.zeros(128)},
            r"is no matrix \(found \[128\]\)",
        ),
    ],
)
def test_what_is_no_such_encoder_is_a_sentence(encoder, change, said):
    with pytest.raises(WeightsError, match=said):
        find_image_encoder(StateDict.of(file(encoder) | change))
