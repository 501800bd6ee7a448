"""ControlNets of Stable Diffusion 3 against diffusers, from files in the published layouts."""

import pytest
import torch
from diffusers import SD3ControlNetModel

from engine.control.kind import Call
from engine.errors import NodeError, WeightsError
from engine.families.sd3.network import MMDiT, MMDiTConfig, middle
from engine.inference.control import control_of
from engine.residency.handles import LazyWeights
from engine.residency.manager import DeviceResidency
from engine.residency.sources import TensorSource
from engine.weights.state_dict import StateDict

ROWS, COLUMNS, TEXT, POOLED, WIDTH = 4, 6, 24, 40, 128
SIZES = {
    "sample_size": 16, "in_channels": 16, "attention_head_dim": 64, "num_attention_heads": 2,
    "caption_projection_dim": WIDTH, "pooled_projection_dim": POOLED, "pos_embed_max_size": 8,
}  # fmt: skip
MODEL = MMDiTConfig(WIDTH, 2, 64, 256, 16, TEXT, POOLED, 8, norms=True, attend_twice=frozenset())


def close(found, expected) -> bool:
    return float((found - expected).norm() / expected.norm()) < 1e-5


def oracle(**more):
    torch.manual_seed(0)
    net = SD3ControlNetModel(**{**SIZES, **more}).eval()
    values = {
        name: torch.randn(each.shape) * max(each[0].numel(), 1) ** -0.5
        for name, each in net.state_dict().items()
    }
    net.load_state_dict(values)
    return net, values


def found_of(control, picture, x, inputs, model=None):
    if model is not None:
        control = control.on(model)
    kind, config = control.kind, control.config
    with DeviceResidency(torch.device("cpu"), torch.float32).use(control.weights), torch.no_grad():
        module = control.weights.module
        features = kind.features(config, module, picture)
        call = Call(x, torch.tensor([700.0, 300.0]), inputs, features, lambda: None)
        return kind.residuals(config, module, call).input


@pytest.mark.parametrize("channels", [16, 17])
def test_instantx_and_alimama(channels):
    """With norms and second attentions, as networks for SD3.5 medium have them."""
    net, values = oracle(
        num_layers=2, joint_attention_dim=TEXT, qk_norm="rms_norm", dual_attention_layers=(0,),
        extra_conditioning_channels=channels - 16,
    )  # fmt: skip
    control = control_of(StateDict.of(values))
    assert control.kind.takes_mask(control.config) == (channels == 17)
    assert control.kind.latent(control.config).shift == 0
    x, picture = torch.randn(2, 16, ROWS, COLUMNS), torch.randn(1, channels, ROWS, COLUMNS)
    inputs = {"context": torch.randn(2, 5, TEXT), "vector": torch.randn(2, POOLED)}
    with torch.no_grad():
        expected = net(
            hidden_states=x,
            controlnet_cond=picture.expand(2, -1, -1, -1),
            encoder_hidden_states=inputs["context"],
            pooled_projections=torch.zeros(2, POOLED),
            timestep=torch.tensor([700.0, 300.0]),
            return_dict=False,
        )[0]
    found = found_of(control, picture, x, inputs)
    # Of two blocks as many as heads: each serves one, but the model's last gets none.
    assert len(found) == 1
    assert close(found[0], expected[0])


def in_the_authors_layout(values):
    """Stability AI's names of the blocks, with one matrix for query, key and value."""
    found = {}
    for name, each in values.items():
        if not name.startswith("transformer_blocks."):
            found[name] = each
            continue
        start, (rest, kind) = name.rsplit(".", 2)[0], (name, name.rsplit(".", 1)[1])
        block = ".".join(rest.split(".")[:2])
        part = rest.removeprefix(f"{block}.").rsplit(".", 1)[0]
        del start
        named = {
            "norm1.linear": "adaLN_modulation.1", "attn.to_out.0": "attn.proj",
            "ff.net.0.proj": "mlp.fc1", "ff.net.2": "mlp.fc2",
        }  # fmt: skip
        if part in named:
            found[f"{block}.{named[part]}.{kind}"] = each
        elif part == "attn.to_q":
            parts = (values[f"{block}.attn.to_{letter}.{kind}"] for letter in "qkv")
            found[f"{block}.attn.qkv.{kind}"] = torch.cat(list(parts))
    return found


def model():
    """Weights of a model, whose embedding of the latent the network takes."""
    with torch.device("meta"):
        net = MMDiT(MODEL)
    torch.manual_seed(7)
    values = {name: torch.randn(each.shape) * 0.1 for name, each in net.state_dict().items()}
    sources = {name: TensorSource(each) for name, each in values.items()}
    return LazyWeights("a model", 0, lambda: net, sources=sources), values


@pytest.mark.parametrize("number", [0, 1, 2])
def test_stability(number):
    net, values = oracle(
        num_layers=1, joint_attention_dim=None, use_pos_embed=False, pos_embed_type=None
    )
    file = in_the_authors_layout(values)
    file["control_type"] = torch.tensor([number], dtype=torch.int32)
    control = control_of(StateDict.of(file))
    kind, config = control.kind, control.config
    handle, own = model()
    x, picture = torch.randn(2, 16, ROWS, COLUMNS), torch.randn(1, 16, ROWS, COLUMNS)
    inputs = {"vector": torch.randn(2, POOLED)}
    embedded = torch.nn.functional.conv2d(
        x, own["x_embedder.proj.weight"], own["x_embedder.proj.bias"], stride=2
    )
    embedded = embedded.flatten(2).transpose(1, 2) + middle(own["pos_embed"], ROWS, COLUMNS)
    with torch.no_grad():
        [expected] = net(
            hidden_states=embedded,
            controlnet_cond=picture.expand(2, -1, -1, -1),
            pooled_projections=inputs["vector"],
            timestep=torch.tensor([700.0, 300.0]),
            return_dict=False,
        )[0]
    found = found_of(control, picture, x, inputs, handle)
    assert len(found) == 2
    assert all(close(each, expected) for each in found)
    pixels = torch.tensor([0.0, 0.25, 1.0]).reshape(1, 1, 1, 3)
    shown = kind.shown(config, pixels) * 2 - 1  # as the autoencoder gets it
    wanted = {0: pixels * 2 - 1, 1: pixels * 127.5 + 0.5, 2: 1 - 2 * pixels}[number]
    assert torch.allclose(shown, wanted)
    file["control_type"] = torch.tensor([3])
    with pytest.raises(WeightsError, match=r"its control_type is \[3\], expected 0 \(blurred\)"):
        control_of(StateDict.of(file))
    other = LazyWeights("another", 0, lambda: torch.nn.Linear(1, 1), sources={})
    with pytest.raises(NodeError, match=r"was made for Stable Diffusion 3 \(tokens of 128 numb"):
        control.on(other)
