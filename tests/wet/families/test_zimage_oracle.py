"""The network of Z-Image and Lumina 2 against diffusers, from tiny random weights."""

import inspect
import json
import os

import torch

from engine.families.zimage import keys
from engine.families.zimage.network import NextDiT, NextDiTConfig
from engine.weights.apply import check
from engine.weights.state_dict import StateDict

SIZES = {
    "layers": 2,
    "noise_refiners": 1,
    "context_refiners": 1,
    "channels": 16,
    "context": 48,
}
Z_IMAGE = NextDiTConfig(
    width=64,
    feed_forward=170,
    head=32,
    key_heads=2,
    time=64,
    time_inner=1024,
    axes=(8, 12, 12),
    period=256.0,
    time_scale=1000.0,
    multiple=32,
    activated=False,
    **SIZES,
)
LUMINA = NextDiTConfig(
    width=96,
    feed_forward=384,
    head=24,
    key_heads=2,
    time=96,
    time_inner=96,
    axes=(8, 8, 8),
    period=10_000.0,
    time_scale=1.0,
    multiple=1,
    activated=True,
    **SIZES,
)
TOLERANCE = 1e-5


def loaded(network, state, folder, settings):
    os.environ["HF_HUB_OFFLINE"] = "1"
    settings = {"_class_name": network.__name__, **settings}
    (folder / "config.json").write_text(json.dumps(settings))
    copy = {key: value.clone() for key, value in state.items()}
    return network.from_single_file(copy, config=str(folder), local_files_only=True).eval()


def far(found, expected):
    return float((found - expected).norm() / expected.norm())


def check_layout(net, oracle, config):
    """Diffusers' tensors give ours again."""
    theirs = {key: value.clone() for key, value in oracle.state_dict().items()}
    ours = keys.tensors(StateDict.of(theirs))
    assert keys.config_of(ours) == config
    check(net, ours, origin="diffusers")
    for name, value in net.state_dict().items():
        assert torch.equal(ours[name], value), name


def test_z_image_equals_diffusers(fill, tmp_path):
    from diffusers import ZImageTransformer2DModel

    net = fill(lambda: NextDiT(Z_IMAGE))
    settings = {
        "dim": 64,
        "n_layers": 2,
        "n_refiner_layers": 1,
        "n_heads": 2,
        "n_kv_heads": 2,
        "cap_feat_dim": 48,
        "axes_dims": [8, 12, 12],
        "axes_lens": [256, 64, 64],
        "rope_theta": 256.0,
        "t_scale": 1000.0,
    }
    oracle = loaded(ZImageTransformer2DModel, net.state_dict(), tmp_path, settings)
    sigma = torch.tensor([0.7])
    # neither the words nor the patches are a multiple of 32; then both are
    for size, words in (((10, 14), 21), ((16, 16), 32)):
        x, context = torch.randn(1, 16, *size), torch.randn(1, words, 48)
        with torch.no_grad():
            expected = -oracle([x[0][:, None]], 1 - sigma, [context[0]]).sample[0][:, 0]
            found = net(x, sigma, context)
        assert far(found[0], expected) < TOLERANCE
    check_layout(net, oracle, Z_IMAGE)


def test_lumina_2_equals_diffusers(fill, tmp_path, monkeypatch):
    from diffusers import Lumina2Transformer2DModel
    from diffusers.loaders import single_file_model, single_file_utils

    source = inspect.getsource(single_file_utils.convert_lumina2_to_diffusers)
    for theirs, small in (
        ("q_dim = 2304", "q_dim = 96"),
        ("k_dim = v_dim = 768", "k_dim = v_dim = 48"),
    ):
        assert theirs in source
        source = source.replace(theirs, small)
    scope = dict(vars(single_file_utils))
    exec(source, scope)
    loadable = single_file_model.SINGLE_FILE_LOADABLE_CLASSES["Lumina2Transformer2DModel"]
    converter = scope["convert_lumina2_to_diffusers"]
    monkeypatch.setitem(loadable, "checkpoint_mapping_fn", converter)
    net = fill(lambda: NextDiT(LUMINA))
    settings = {
        "hidden_size": 96,
        "num_layers": 2,
        "num_refiner_layers": 1,
        "num_attention_heads": 4,
        "num_kv_heads": 2,
        "multiple_of": 64,
        "in_channels": 16,
        "cap_feat_dim": 48,
        "axes_dim_rope": [8, 8, 8],
        "axes_lens": [300, 64, 64],
    }
    oracle = loaded(Lumina2Transformer2DModel, net.state_dict(), tmp_path, settings)
    x, context, sigma = torch.randn(2, 16, 10, 14), torch.randn(2, 21, 48), torch.tensor([0.7, 0.2])
    with torch.no_grad():
        everything = torch.ones(2, 21, dtype=torch.bool)
        expected = -oracle(x, 1 - sigma, context, everything).sample
        found = net(x, sigma, context)
    assert far(found, expected) < TOLERANCE
    check_layout(net, oracle, LUMINA)
