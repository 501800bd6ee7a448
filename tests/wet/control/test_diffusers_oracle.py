"""Control networks against diffusers' own, on random weights, in fp32.

The networks are made and saved by diffusers and read here as files. Tolerance 2e-5, relative L2 of
each residual: diffusers adds and normalises in another order.
"""

import pytest
import torch
from diffusers import ControlNetModel, ControlNetUnionModel, T2IAdapter
from safetensors.torch import save_file

from engine.control.kind import Call
from engine.inference.control import load_control
from engine.residency.manager import DeviceResidency
from tests.wet.control.conftest import filled, picture

TOLERANCE = 2e-5
TINY = {
    "in_channels": 4,
    "block_out_channels": (32, 64),
    "layers_per_block": 2,
    "cross_attention_dim": 48,
    "conditioning_embedding_out_channels": (8, 16, 16, 32),
}
XL = {
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 20 + 6 * 8,
    "use_linear_projection": True,
}
ATTENDING = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D")
PLAIN = ("DownBlock2D", "DownBlock2D")
KINDS = {
    "sd1": {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"), "attention_head_dim": 8},
    "deep": {
        "down_block_types": ATTENDING,
        "transformer_layers_per_block": (1, 3),
        "attention_head_dim": (1, 2),
        "block_out_channels": (64, 128),
    }
    | XL,
    "small": {
        "down_block_types": PLAIN,
        "transformer_layers_per_block": (0, 0),
        "attention_head_dim": (1, 1),
    }
    | XL,
}


def close(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm()) < TOLERANCE


def random(model):
    model.load_state_dict(filled(model))
    return model.eval()


def saved(model, folder):
    path = folder / "net.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)
    return load_control(path)


def ours(net, call, shown):
    """The residuals of our network: (skips from the first, the middle)."""
    residency = DeviceResidency(torch.device("cpu"), torch.float32, budget=10**9)
    with torch.no_grad(), residency.use(net.weights):
        module = net.weights.module
        features = net.kind.features(net.config, module, shown)
        return net.kind.residuals(
            net.config,
            module,
            Call(call["x"], call["time"], call["inputs"], features, lambda: None),
        )


def inputs(model):
    """x, time, and the text as both take them; for SDXL with sizes."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 4, 9, 8, generator=generator)
    time = torch.tensor([3.0, 640.0])
    text = torch.randn(2, 5, 48, generator=generator)
    given = {"context": text}
    theirs = {}
    if model.config.addition_embed_type:
        pooled = torch.randn(2, 20, generator=generator)
        sizes = torch.arange(12.0).reshape(2, 6) * 40
        embedded = model.add_time_proj(sizes.flatten()).reshape(2, -1)
        given["vector"] = torch.cat((pooled, embedded), dim=1)
        theirs = {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}
    return {"x": x, "time": time, "inputs": given}, theirs


def shown_to(rows=1):
    """A picture of 9 x 8 cells."""
    return picture(rows, 72)[:, :, :64].movedim(-1, 1)


@pytest.mark.parametrize("name", KINDS)
def test_controlnets(name, tmp_path):
    model = random(ControlNetModel(**(TINY | KINDS[name])))
    call, more = inputs(model)
    shown = shown_to()
    with torch.no_grad():
        skips, middle = model(
            call["x"],
            call["time"],
            encoder_hidden_states=call["inputs"]["context"],
            controlnet_cond=shown.repeat(2, 1, 1, 1),
            return_dict=False,
            **more,
        )
    found = ours(saved(model, tmp_path), call, shown)
    assert close(found.middle[0], middle)
    assert len(found.output) == len(skips)
    for mine, theirs in zip(reversed(found.output), skips, strict=True):
        assert close(mine, theirs)


def union(**more):
    sizes = {
        "num_control_type": 6,
        "num_trans_channel": 32,
        "num_proj_channel": 32,
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 20 + 6 * 256,
    }
    return random(ControlNetUnionModel(**(TINY | KINDS["small"] | sizes | more)))


@pytest.mark.parametrize("kind", [0, 1, 5])
def test_a_union_controlnet(kind, tmp_path):
    """Diffusers attends among the rows of the batch, which have the same picture here, and not
    among the tokens of a row: so the token of the latent that it adds has no effect.
    """
    model = union(num_trans_layer=2)
    call, more = inputs(model)
    shown = shown_to()
    types = torch.zeros(2, 6)
    types[:, kind] = 1.0
    with torch.no_grad():
        skips, middle = model(
            call["x"],
            call["time"],
            encoder_hidden_states=call["inputs"]["context"],
            controlnet_cond=[shown.repeat(2, 1, 1, 1)],
            control_type=types,
            control_type_idx=[kind],
            return_dict=False,
            **more,
        )
    net = saved(model, tmp_path)
    assert net.types == 6
    found = ours(net.of_type(kind), call, shown)
    assert close(found.middle[0], middle)
    for mine, theirs in zip(reversed(found.output), skips, strict=True):
        assert close(mine, theirs)


ADAPTERS = {
    "full": ("full_adapter", 8, 3, (2, 5, 8, 11)),
    "grey": ("full_adapter", 8, 1, (2, 5, 8, 11)),
    "light": ("light_adapter", 8, 3, (2, 5, 8, 11)),
    "xl": ("full_adapter_xl", 16, 3, (3, 5, 8)),
}


def original_names(state, blocks=2):
    """The names of the published full files."""
    found = {}
    for name, tensor in state.items():
        parts = name.removeprefix("adapter.").split(".")
        if parts[0] == "body":
            level = int(parts[1])
            block = int(parts[3]) if parts[2] == "resnets" else 0
            rest = parts[4:] if parts[2] == "resnets" else parts[2:]
            parts = ["body", str(level * blocks + block), *rest]
        found[".".join(parts)] = tensor.contiguous()
    return found


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("layout", ["diffusers", "original"])
def test_t2i_adapters(name, layout, tmp_path):
    kind, factor, channels, places = ADAPTERS[name]
    model = T2IAdapter(
        in_channels=channels,
        channels=[32, 64, 128] if name == "light" else [32, 64, 128, 128],
        num_res_blocks=2,
        downscale_factor=factor,
        adapter_type=kind,
    )
    model = random(model)
    state = {n: tensor.contiguous() for n, tensor in model.state_dict().items()}
    if layout == "original":
        light = {
            n.removeprefix("adapter.").replace(".resnets.", ".body."): t for n, t in state.items()
        }
        state = light if name == "light" else original_names(state)
    save_file(state, tmp_path / "net.safetensors")
    net = load_control(tmp_path / "net.safetensors")
    assert net.kind.picture_size(net.config, (9, 8)) == ((80, 64) if factor == 16 else (72, 64))
    shown = picture(1, 64).movedim(-1, 1)  # levels of odd sizes are halved in another way
    with torch.no_grad():
        expected = model(shown.mean(dim=1, keepdim=True) if channels == 1 else shown)
    call = {"x": torch.zeros(2, 4, 8, 8), "time": torch.zeros(2), "inputs": {}}
    found = ours(net, call, shown)
    features = [each for each in found.input if each is not None] + list(found.middle)
    assert [i for i, each in enumerate(found.input) if each is not None] == list(places)
    assert len(features) == len(expected) == 4
    for mine, theirs in zip(features, expected, strict=True):
        assert len(mine) == 2
        assert close(mine[:1], theirs)
