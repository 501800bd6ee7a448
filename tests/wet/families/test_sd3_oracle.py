"""The network of SD3 and SD3.5 against diffusers, from tiny random weights in both layouts."""

import json
import os

import pytest
import torch

from engine.families.sd3 import keys
from engine.families.sd3.network import MMDiT, MMDiTConfig
from engine.weights.apply import check
from engine.weights.state_dict import StateDict

PREFIX = "model.diffusion_model."
MEDIUM = MMDiTConfig(128, 3, 64, 512, 16, 96, 40, 12, norms=False, attend_twice=frozenset())
MEDIUM_35 = MMDiTConfig(128, 3, 64, 512, 16, 96, 40, 12, norms=True, attend_twice=frozenset({0, 1}))
TOLERANCE = 1e-5


def oracle_of(state, config, folder):
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import SD3Transformer2DModel

    settings = {
        "_class_name": "SD3Transformer2DModel",
        "sample_size": 8,
        "patch_size": 2,
        "in_channels": config.channels,
        "out_channels": config.channels,
        "num_layers": config.depth,
        "attention_head_dim": config.head,
        "num_attention_heads": config.width // config.head,
        "joint_attention_dim": config.context,
        "caption_projection_dim": config.width,
        "pooled_projection_dim": config.vector,
        "pos_embed_max_size": config.positions,
        "qk_norm": "rms_norm" if config.norms else None,
        "dual_attention_layers": sorted(config.attend_twice),
    }
    (folder / "config.json").write_text(json.dumps(settings))
    prefixed = {f"{PREFIX}{key}": value.clone() for key, value in state.items()}
    return SD3Transformer2DModel.from_single_file(
        prefixed, config=str(folder), local_files_only=True
    ).eval()


def far(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("config", [MEDIUM, MEDIUM_35], ids=["sd3", "sd35_medium"])
def test_the_network_and_both_layouts_equal_diffusers(config, fill, tmp_path):
    net = fill(lambda: MMDiT(config))
    oracle = oracle_of(net.state_dict(), config, tmp_path)
    x = torch.randn(2, 16, 10, 14)
    context, vector = torch.randn(2, 7, config.context), torch.randn(2, config.vector)
    time = torch.tensor([900.0, 250.5])
    with torch.no_grad():
        expected = oracle(x, context, vector, time).sample
        found = net(x, time, context, vector)
    assert far(found, expected) < TOLERANCE
    theirs = StateDict.of({key: value.clone() for key, value in oracle.state_dict().items()})
    ours = keys.tensors(theirs)
    assert keys.config_of(ours) == config
    check(net, ours, origin="diffusers")
    for name, value in net.state_dict().items():
        assert torch.equal(ours[name], value), name


def test_odd_sides_are_continued_and_cut_off(fill):
    net = fill(lambda: MMDiT(MEDIUM))
    x = torch.randn(1, 16, 9, 13)
    context, vector = torch.randn(1, 7, 96), torch.randn(1, 40)
    time = torch.tensor([500.0])
    padded = torch.nn.functional.pad(x, (0, 1, 0, 1), mode="circular")
    with torch.no_grad():
        found = net(x, time, context, vector)
        whole = net(padded, time, context, vector)
    assert torch.equal(found, whole[..., :9, :13])
