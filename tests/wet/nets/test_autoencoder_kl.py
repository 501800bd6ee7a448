"""The KL autoencoder against diffusers on tiny random nets and against the reference's numbers."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from engine.errors import Stopped, WeightsError
from engine.nets.autoencoder_kl import AutoencoderKL, autoencoder_config
from engine.nets.layouts import regular_autoencoder, stable_diffusion_1


@pytest.mark.parametrize(("widths", "blocks"), [((32, 64, 64, 64), 2), ((64, 64, 64, 96), 1)])
def test_equals_diffusers(fill, diffusers_autoencoder, widths, blocks):
    net = fill(lambda: AutoencoderKL(regular_autoencoder(widths, blocks=blocks)))
    oracle = diffusers_autoencoder(
        net,
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=list(widths),
        layers_per_block=blocks,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
    )
    pixels = torch.rand(2, 3, 48, 56) * 2 - 1
    expected = oracle.encode(pixels).latent_dist.mean
    mean = net.encode(pixels)
    assert mean.shape == (2, 4, 6, 7)
    assert (mean - expected).abs().max() < 1e-5  # seen: under 1e-6
    z = torch.randn(2, 4, 5, 7)
    decoded = net.decode(z)
    assert decoded.shape == (2, 3, 40, 56)
    assert (decoded - oracle.decode(z).sample).abs().max() < 1e-4  # seen: under 1e-5


def test_tiny15_equals_the_reference(reference_folder, tiny15_checkpoint):
    prefix = "first_stage_model."
    state = {
        key.removeprefix(prefix): tensor.float()
        for key, tensor in load_file(tiny15_checkpoint).items()
        if key.startswith(prefix)
    }
    with torch.device("meta"):
        net = AutoencoderKL(autoencoder_config({k: tuple(t.shape) for k, t in state.items()}))
    net.load_state_dict(state, assign=True)
    assert net.config == stable_diffusion_1()[1]
    assert net.config.downscale == 8
    reference = load_file(reference_folder / "vae_tiny15.safetensors")
    pixels = reference["pixels"].movedim(-1, 1) * 2 - 1
    assert (net.encode(pixels) - reference["encoded"]).abs().max() < 1e-4
    decoded = (net.decode(reference["z"]) / 2 + 0.5).clamp(0, 1).movedim(1, -1)
    assert (decoded - reference["decoded"]).abs().max() < 1e-4


@pytest.mark.parametrize(
    "config",
    [
        regular_autoencoder(
            (
                32,
                64,
                64,
                96,
            )
        ),
        regular_autoencoder(
            (
                64,
                64,
                64,
                96,
            ),
            blocks=1,
        ),
        regular_autoencoder((32,), quantised=False),
    ],
)
def test_a_configuration_is_read_back_from_its_shapes(shapes_of, config):
    with torch.device("meta"):
        assert autoencoder_config(shapes_of(AutoencoderKL(config))) == config


def test_channels_last_gives_the_same(fill):
    net = fill(
        lambda: AutoencoderKL(
            regular_autoencoder(
                (
                    32,
                    32,
                    64,
                )
            )
        )
    )
    z = torch.randn(1, 4, 6, 6)
    expected = net.decode(z)
    net.to(memory_format=torch.channels_last)
    found = net.decode(z.contiguous(memory_format=torch.channels_last))
    assert (found - expected).abs().max() < 1e-5
    pixels = torch.rand(1, 3, 24, 24)
    assert (net.encode(pixels) - net.encode(pixels.clone())).abs().max() == 0


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("decoder.conv_in.weight", None, "decoder.conv_in.weight should have"),
        ("encoder.down.1.block.0.conv1.weight", None, "encoder.down.1.block.0.conv1.weight"),
        ("decoder.up.1.block.0.conv1.weight", (96, 64, 3, 3), "96 channels leads to one"),
        ("decoder.up.1.block.0.conv1.weight", (33, 64, 3, 3), "33 channels leads|multiples of 32"),
    ],
)
def test_incomplete_or_misshapen_nets_are_refused(shapes_of, key, shape, message):
    with torch.device("meta"):
        shapes = shapes_of(
            AutoencoderKL(
                regular_autoencoder(
                    (
                        32,
                        32,
                        64,
                    )
                )
            )
        )
    del shapes[key]
    if shape:
        shapes[key] = shape
    with pytest.raises(WeightsError, match=message):
        autoencoder_config(shapes)


@pytest.mark.parametrize("way", ["encode", "decode"])
def test_a_stop_takes_effect_within_a_block(fill, way):
    net = fill(
        lambda: AutoencoderKL(
            regular_autoencoder(
                (
                    32,
                    32,
                )
            )
        )
    )
    x = torch.zeros(1, 3, 16, 16) if way == "encode" else torch.zeros(1, 4, 4, 4)
    calls = []

    def checkpoint():
        calls.append(1)
        if len(calls) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        getattr(net, way)(x, checkpoint=checkpoint)
    assert len(calls) == 3
