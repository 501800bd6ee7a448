"""The UNet for videos against diffusers' UNetSpatioTemporalConditionModel on random weights."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from engine.nets.attention import attend
from engine.nets.layouts import regular_unet
from engine.nets.temporal import Mixer, as_rows, as_videos
from engine.nets.unet import UNet, unet_config
from engine.nets.unet_names import unet_names

TOLERANCE = 2e-5
HALVES = slice(0, 40_000), slice(40_000, None)
SMALL = regular_unet(
    64,
    (1, 2, 2, 2),
    (1, 1, 1, 0),
    context=48,
    head_channels=32,
    blocks=1,
    in_channels=8,
    linear=True,
    vector=3 * 16,
    temporal=True,
)


@pytest.fixture
def net(fill):
    return fill(lambda: UNet(SMALL))


def theirs(net):
    from diffusers import UNetSpatioTemporalConditionModel

    oracle = UNetSpatioTemporalConditionModel(
        in_channels=8,
        out_channels=4,
        block_out_channels=(64, 128, 128, 128),
        layers_per_block=1,
        cross_attention_dim=48,
        num_attention_heads=(2, 4, 4, 4),
        addition_time_embed_dim=16,
        projection_class_embeddings_input_dim=3 * 16,
    ).eval()
    names = {ours: their for their, ours in unet_names(SMALL).items()}
    state = {}
    for key, value in net.state_dict().items():
        module, _, kind = key.rpartition(".")
        state[f"{names[module]}.{kind}"] = value
    oracle.load_state_dict(state)
    for name, module in oracle.named_modules():
        # Diffusers has 1e-6 in some residual blocks, where the original network has 1e-5.
        if isinstance(module, torch.nn.GroupNorm) and "res_block" in name:
            module.eps = 1e-5
    return oracle


@pytest.mark.parametrize(("videos", "frames"), [(1, 3), (2, 4), (1, 1)])
def test_equals_diffusers(net, videos, frames):
    generator = torch.Generator().manual_seed(2)
    rows = videos * frames
    x = torch.randn(rows, 8, 16, 24, generator=generator)
    context = torch.randn(videos, 1, 48, generator=generator).repeat_interleave(frames, dim=0)
    numbers = torch.tensor([5.0, 127.0, 0.02])
    time = torch.tensor([1.6])
    oracle = theirs(net)
    embedded = oracle.add_time_proj(numbers).reshape(1, -1).expand(rows, -1)
    expected = oracle(
        x.unflatten(0, (videos, frames)),
        time,
        encoder_hidden_states=context[::frames],
        added_time_ids=numbers.expand(videos, 3),
    ).sample.flatten(0, 1)
    found = net(x, time.expand(rows), context, embedded, frames=frames)
    assert (found - expected).abs().max() < TOLERANCE * expected.abs().max()


def test_frames_affect_one_another(net):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(3, 8, 8, 8, generator=generator)
    more = torch.zeros(3, 1, 48), torch.zeros(3, 48)
    time = torch.ones(3)
    together = net(x, time, *more, frames=3)
    apart = net(x, time, *more, frames=1)
    assert (together - apart).abs().mean() > 0.01


def test_the_configuration_is_read_from_shapes(net, shapes_of):
    assert unet_config(shapes_of(net), head_channels=32) == SMALL


def test_rows_and_videos():
    rows = torch.arange(2 * 3 * 4).reshape(6, 4)
    videos = as_videos(rows, 3)
    assert videos.shape == (2, 4, 3)
    assert videos[1, :, 0].tolist() == rows[3].tolist()
    assert torch.equal(as_rows(videos), rows)


def test_the_mixer_weighs_pictures_by_its_factor():
    mixer = Mixer()
    mixer.mix_factor.data.fill_(torch.logit(torch.tensor(0.25)))
    found = mixer(torch.tensor([4.0]), torch.tensor([8.0]))
    assert found.item() == pytest.approx(7.0)


def test_no_kernel_gets_more_rows_than_cuda_takes(monkeypatch):
    """A row for each cell: a video of 1536 x 2048 pixels with guidance has 98,304."""
    rows: list[int] = []
    plain = functional.scaled_dot_product_attention

    def counted(*tokens, **more):
        rows.append(len(tokens[0]))
        return plain(*tokens, **more)

    tokens = torch.randn(65_537, 2, 4)
    key, value = tokens + 1, tokens - 1
    expected = torch.cat([attend(*(t[part] for t in (tokens, key, value)), 2) for part in HALVES])
    monkeypatch.setattr(functional, "scaled_dot_product_attention", counted)
    assert torch.equal(attend(tokens, key, value, 2), expected)
    assert max(rows) <= 65_535
    assert sum(rows) == len(tokens)
