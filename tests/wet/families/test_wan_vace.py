"""Wan's VACE: several videos to follow at once, and files that are none of it."""

import pytest
import torch

from engine.errors import NodeError, WeightsError
from engine.families.bridge.wan import WanFamily
from engine.families.family import Entry, Run
from engine.nets import foreign_networks
from engine.weights.state_dict import StateDict
from tests.wet import bridge_files

SIZE = (3, 6, 6)
TEXT = torch.randn(2, 512, bridge_files.WIDTH, generator=torch.Generator().manual_seed(2))


def drawn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def net():
    return bridge_files.network("wan_vace")


def config_of(net, **changes):
    values = {**net.state_dict(), **changes}
    return WanFamily().detect(StateDict.of(bridge_files.original("wan_vace", values)))


def entry(*strengths):
    count = range(len(strengths))
    extras = {
        "vace_frames": [drawn(1, 32, *SIZE, seed=10 + each) for each in count],
        "vace_mask": [(drawn(1, 64, *SIZE, seed=20 + each) > 0).float() for each in count],
        "vace_strength": list(strengths),
    }
    return Entry(TEXT[:1], extras if strengths else {})


def predicted(net, x, *entries):
    """Of a row of x for each entry."""
    family, config = WanFamily(), config_of(net)
    all_inputs = [family.inputs(config, each, run=Run(x.shape), role=None) for each in entries]
    rows = {key: torch.cat([each[key].value for each in all_inputs]) for key in all_inputs[0]}
    time = torch.full((len(x),), 500.0)
    with torch.no_grad():
        return family.call(net, x, time, rows)


def test_what_is_made_of_several_videos_is_added_up(net):
    """Hints do not depend on each other: those of single calls, weighted, in one more call."""
    x = drawn(2, 16, *SIZE, seed=1)
    hints = []

    def noted(_, inputs, output):
        hints.append(output[0])

    family, config = WanFamily(), config_of(net)
    strengths = (0.7, 0.0, 2.5)
    both = entry(*strengths)
    whole = family.inputs(config, both, run=Run(x.shape), role=None)["followed"].value
    handles = [each.register_forward_hook(noted) for each in net.vace_blocks]
    with torch.no_grad():
        for each in whole.chunk(3, dim=1):
            net(
                x,
                torch.full((2,), 500.0),
                TEXT[:1].expand(2, -1, -1),
                None,
                each.repeat(2, 1, 1, 1, 1),
            )
    for handle in handles:
        handle.remove()
    summed = [
        sum(strength * hints[2 * n + block] for n, strength in enumerate(strengths))
        for block in range(2)
    ]
    handles = [
        layer.register_forward_hook(lambda _, i, output, hint=hint: (hint, output[1]))
        for layer, hint in zip(net.vace_blocks, summed, strict=True)
    ]
    with torch.no_grad():
        wanted = net(
            x,
            torch.full((2,), 500.0),
            TEXT[:1].expand(2, -1, -1),
            None,
            whole[:, :96].repeat(2, 1, 1, 1, 1),
        ).sample
    for handle in handles:
        handle.remove()
    found = predicted(net, x, both, both)
    assert ((found - wanted).norm() / wanted.norm()).item() < 1e-6
    assert (predicted(net, x, entry(1.0), entry(1.0)) - wanted).norm() / wanted.norm() > 1e-3


def test_each_row_has_its_own_strength(net):
    x = drawn(1, 16, *SIZE, seed=1)
    found = predicted(net, x.expand(2, -1, -1, -1, -1), entry(0.5), entry(2.0))
    for row, strength in zip(found, (0.5, 2.0), strict=True):
        alone = predicted(net, x, entry(strength))[0]
        assert torch.allclose(row, alone, atol=1e-5)
    without = predicted(net, x, entry())
    assert torch.isfinite(without).all()


def test_a_video_of_another_size_is_refused(net):
    with pytest.raises(NodeError, match=r"3 x 6 x 6 cells .* the latent 4 x 6 x 6"):
        WanFamily().inputs(config_of(net), entry(1.0), run=Run((1, 16, 4, 6, 6)), role=None)


def test_blocks_of_other_numbers_or_channels_are_refused(net):
    with pytest.raises(WeightsError, match="take 90 channels"):
        config_of(net, **{"vace_patch_embedding.weight": torch.zeros(128, 90, 1, 2, 2)})


@pytest.mark.parametrize(
    ("channels", "blocks", "inner", "of_vace", "layers"),
    [(1536, 30, 8960, 15, tuple(range(0, 30, 2))), (5120, 40, 13824, 8, tuple(range(0, 40, 5)))],
)
def test_the_published_sizes(channels, blocks, inner, of_vace, layers):
    """VACE 1.3B has a block for every second one, VACE 14B for every fifth."""
    import diffusers

    with torch.device("meta"):
        net = diffusers.WanVACETransformer3DModel(
            num_attention_heads=channels // 128,
            ffn_dim=inner,
            num_layers=blocks,
            vace_layers=layers,
        )
    config = config_of(net)
    assert config.argument("vace_layers") == layers
    built = WanFamily().build(config)
    assert {name: each.shape for name, each in built.state_dict().items()} == {
        name: each.shape for name, each in net.state_dict().items()
    }
    assert len(built.vace_blocks) == of_vace
    assert not built.__dict__[foreign_networks.TABLES][0][0].freqs_cos.is_meta
