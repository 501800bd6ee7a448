"""ControlNets of FLUX.1 against diffusers, from files in the published layouts."""

import pytest
import torch
from diffusers import FluxControlNetModel

from engine.control.kind import Call
from engine.errors import NodeError
from engine.families.flux import keys
from engine.families.flux.network import FluxConfig
from engine.families.other_layouts import original_layout
from engine.inference.control import control_of
from engine.nets.transformer_layers import patches
from engine.residency.manager import DeviceResidency
from engine.weights.state_dict import StateDict

pytestmark = pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")
CELLS, TEXT, POOLED, WIDTH = (6, 4), 24, 16, 128
MODES = 5


def close(found, expected) -> bool:
    return float((found - expected).norm() / expected.norm()) < 1e-5


def oracle(**more):
    """A tiny network of diffusers with one head, and its values."""
    torch.manual_seed(0)
    sizes = {
        "in_channels": 64, "num_layers": 2, "num_single_layers": 1, "attention_head_dim": WIDTH,
        "num_attention_heads": 1, "joint_attention_dim": TEXT, "pooled_projection_dim": POOLED,
        "guidance_embeds": True,
    }  # fmt: skip
    net = FluxControlNetModel(**{**sizes, **more}).eval()
    values = {
        name: torch.randn(each.shape) * max(each[0].numel(), 1) ** -0.5 if each.ndim else each
        for name, each in net.state_dict().items()
    }
    net.load_state_dict(values)
    return net, values


def given():
    torch.manual_seed(1)
    return {
        "x": torch.randn(2, 16, *CELLS),
        "context": torch.randn(2, 3, TEXT),
        "vector": torch.randn(2, POOLED),
        "guidance": torch.tensor([3.5, 1.0]),
        "time": torch.tensor([0.7, 0.3]),
    }


def expected_of(net, picture, inputs, mode=None):
    rows, columns = CELLS[0] // 2, CELLS[1] // 2
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    with torch.no_grad():
        return net(
            hidden_states=patches(inputs["x"]),
            controlnet_cond=picture,
            controlnet_mode=mode,
            timestep=inputs["time"],
            guidance=inputs["guidance"],
            pooled_projections=inputs["vector"],
            encoder_hidden_states=inputs["context"],
            txt_ids=torch.zeros(3, 3),
            img_ids=torch.cat((torch.zeros(len(places), 1), places), dim=1),
            return_dict=False,
        )


def found_of(net, picture, inputs):
    kind, config = net.kind, net.config
    residency = DeviceResidency(torch.device("cpu"), torch.float32)
    named = {name: inputs[name] for name in ("context", "vector", "guidance")}
    with residency.use(net.weights), torch.no_grad():
        module = net.weights.module
        features = kind.features(config, module, picture)
        call = Call(inputs["x"], inputs["time"], named, features, lambda: None)
        return kind.residuals(config, module, call)


@pytest.mark.parametrize("channels", [64, 68])
def test_instantx_and_alimama(channels):
    net, values = oracle()
    if channels != 64:
        values["controlnet_x_embedder.weight"] = torch.randn(WIDTH, channels) * 0.1
        net.controlnet_x_embedder = torch.nn.Linear(channels, WIDTH)
        net.load_state_dict(values)
    inputs, control = given(), control_of(StateDict.of(values))
    picture = torch.randn(1, channels // 4, *CELLS)
    double, single = expected_of(net, patches(picture).expand(2, -1, -1), inputs)
    found = found_of(control, picture, inputs)
    assert control.kind.takes_mask(control.config) == (channels == 68)
    assert control.types == 0
    # Ten blocks of nineteen in a row have the first residual, as in the incumbent.
    assert [len(found.input), len(found.output)] == [19, 38]
    assert all(close(each, double[number // 10]) for number, each in enumerate(found.input))
    assert all(close(each, single[0]) for each in found.output)


def test_union_with_a_type():
    net, values = oracle(num_mode=MODES, num_single_layers=0)
    inputs, union = given(), control_of(StateDict.of(values))
    picture = torch.randn(2, 16, *CELLS)
    mode = torch.full((2, 1), 3)
    double, _ = expected_of(net, patches(picture), inputs, mode)
    found = found_of(union.of_type(3), picture, inputs)
    assert close(found.input[0], double[0])
    assert close(found.input[18], double[1])
    assert found.output == ()
    assert not close(found_of(union, picture, inputs).input[0], double[0])
    assert union.types == MODES
    with pytest.raises(NodeError, match="has 5 types of pictures, numbered from 0, the chosen one"):
        union.of_type(5)


def test_xlabs():
    """Diffusers has the network in its own layout, the files have the original one."""
    net, values = oracle(num_single_layers=0, conditioning_embedding_channels=16, patch_size=2)
    sizes = FluxConfig(64, 0, TEXT, POOLED, WIDTH, 4 * WIDTH, 2, 0, guidance=True)
    names = keys.diffusers_names(sizes)
    names |= {"controlnet_x_embedder": "pos_embed_input"}
    names |= {f"controlnet_blocks.{number}": f"controlnet_blocks.{number}" for number in range(2)}
    names |= {"input_hint_block.conv_in": "input_hint_block.0"}
    names |= {f"input_hint_block.blocks.{n}": f"input_hint_block.{2 * n + 2}" for n in range(6)}
    names |= {"input_hint_block.conv_out": "input_hint_block.14"}
    file = original_layout(StateDict.of(values), names, parameter=keys.norm_scale)
    inputs, control = given(), control_of(file)
    assert control.kind.name == "ControlNet of FLUX.1 by XLabs"
    pixels = torch.rand(1, 3, 8 * CELLS[0], 8 * CELLS[1])
    shown = control.kind.shown(control.config, pixels)
    assert torch.equal(shown, pixels * 2 - 1)
    double, _ = expected_of(net, shown.expand(2, -1, -1, -1), inputs)
    found = found_of(control, shown, inputs)
    assert all(close(each, double[number % 2]) for number, each in enumerate(found.input))
    assert len(found.input) == 19
    assert control.kind.latent(control.config) is None
