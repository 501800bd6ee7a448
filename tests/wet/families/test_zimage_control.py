"""Z-Image's control networks against diffusers, and what they refuse."""

import copy

import pytest
import torch

from engine.errors import NodeError, WeightsError
from engine.families.zimage.control import ZImageControl, control_config, control_tensors
from engine.families.zimage.network import NextDiT
from engine.inference import model_patches
from engine.nets.hooks import NetHooks
from engine.weights.apply import check
from engine.weights.state_dict import StateDict

from .test_zimage_oracle import Z_IMAGE, far, loaded

SETTINGS = {
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
STRENGTH = 0.7
TOLERANCE = 1e-5


def random_values(module):
    generator = torch.Generator().manual_seed(3)
    for value in module.state_dict().values():
        noise = torch.randn(value.shape, generator=generator)
        value.copy_(noise * value.shape[-1] ** -0.5 if value.ndim > 1 else 1 + 0.1 * noise)
    return module.eval()


def ours_of(theirs, *, empty=False):
    """Our network from the oracle's tensors, which are those of published files."""
    state = {name: value.clone() for name, value in theirs.state_dict().items()}
    state = {n: v for n, v in state.items() if n.startswith("control_")}
    if empty:
        width = theirs.config.dim
        for place in range(1):
            for name, value in copy.copy(state).items():
                if name.startswith(f"control_layers.{place}."):
                    state[name.replace("control_layers", "control_noise_refiner")] = value * 0
        assert state["control_noise_refiner.0.after_proj.weight"].shape == (width, width)
    tensors = control_tensors(StateDict.of(state))
    config = control_config(tensors)
    with torch.device("meta"):
        net = ZImageControl(config)
    check(net, tensors, origin="control")
    net.load_state_dict({name: tensors[name] for name in tensors}, assign=True)
    return config, net.eval()


@pytest.mark.parametrize("refiner", [None, "control_noise_refiner", "control_layers"])
def test_what_is_added_equals_diffusers(refiner, fill, tmp_path):
    from diffusers import ZImageControlNetModel, ZImageTransformer2DModel

    net = fill(lambda: NextDiT(Z_IMAGE))
    transformer = loaded(ZImageTransformer2DModel, net.state_dict(), tmp_path, SETTINGS)
    channels = 33 if refiner else 16
    with torch.no_grad():
        theirs = random_values(
            ZImageControlNetModel(
                control_layers_places=[0, 1],
                control_refiner_layers_places=[0] if refiner else None,
                control_in_dim=channels,
                add_control_noise_refiner=refiner,
                dim=64,
                n_refiner_layers=1,
                n_heads=2,
                n_kv_heads=2,
            )
        )
    config, control = ours_of(theirs, empty=refiner == "control_layers")
    assert (config.refines, config.repeats) == (bool(refiner), refiner == "control_layers")
    theirs = ZImageControlNetModel.from_transformer(theirs, transformer)
    x, context = torch.randn(1, 16, 10, 14), torch.randn(1, 21, 48)
    picture, sigma = torch.randn(1, channels, 10, 14), torch.tensor([0.7])
    calls = model_patches._Calls(control, picture, net.x_pad_token, Z_IMAGE, STRENGTH)
    hooks = NetHooks()
    for kind in model_patches.KINDS:
        hooks = hooks.with_patch(kind, calls)
    with torch.no_grad():
        added = theirs([x[0][:, None]], 1 - sigma, [context[0]], [picture[0][:, None]], STRENGTH)
        found = net(x, sigma, context, hooks=hooks)
        expected = transformer(
            [x[0][:, None]], 1 - sigma, [context[0]], controlnet_block_samples=added
        )
    for place, hint in added.items():
        expected_here = torch.cat((hint[:, 64:], hint[:, :64]), dim=1)  # text comes last there
        assert far(STRENGTH * calls.adding[place], expected_here) < TOLERANCE
    if refiner is None:  # diffusers does not refine the model's own tokens
        assert far(found[0], -expected.sample[0][:, 0]) < TOLERANCE


def test_files_of_other_kinds_are_named(tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "other.safetensors"
    save_file({"double_blocks.0.x": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match="no model patch"):
        model_patches.load_model_patch(path)


def test_a_model_of_another_family_is_refused():
    class Other:
        config, net = object(), type("Named", (), {"name": "flux.safetensors, denoiser"})

    patch = type("Patch", (), {"name": "union", "config": type("C", (), {"net": Z_IMAGE})})
    with pytest.raises(NodeError, match=r"control network of Z-Image with tokens of 64 numbers"):
        model_patches.controlled(Other, patch, None, 1.0)
