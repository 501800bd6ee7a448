"""Stable Diffusion 3: its text with encoders absent, its sizes, its inputs, skipped layers."""

from dataclasses import dataclass

import pytest
import torch

from engine.diffusion.conditioning import Role
from engine.errors import NodeError, WeightsError
from engine.families.detect import detect
from engine.families.family import Entry, Run
from engine.families.sd3 import keys
from engine.families.sd3.family import StableDiffusion3
from engine.families.sd3.network import MMDiT, MMDiTConfig
from engine.families.sd3.text import combine
from engine.inference.skip_layers import Interval, negative_with_skipped_layers
from engine.nets.hooks import NetHooks
from engine.text.encoder import Encoded
from engine.weights.state_dict import StateDict

FAMILY = StableDiffusion3()
LARGE = MMDiTConfig(2432, 38, 64, 9728, 16, 4096, 2048, 192, norms=True, attend_twice=frozenset())
MEDIUM_35 = MMDiTConfig(
    1536, 24, 64, 6144, 16, 4096, 2048, 384, norms=True, attend_twice=frozenset(range(13))
)
MEDIUM = MMDiTConfig(1536, 24, 64, 6144, 16, 4096, 2048, 192, norms=False, attend_twice=frozenset())


def encoded(width, rows, *, pooled=True):
    states = torch.randn(1, rows, width)
    return Encoded(states, torch.randn(1, width) if pooled else None)


def of_all():
    return {
        "clip_l": encoded(768, 77),
        "clip_g": encoded(1280, 77),
        "t5xxl": encoded(4096, 77, pooled=False),
    }


@pytest.mark.parametrize(
    "present", ["clip_l", "clip_g", "t5xxl", "clip_l clip_g", "clip_l t5xxl", "clip_g t5xxl", "all"]
)
def test_zeros_stand_for_encoders_that_are_absent(present):
    given = of_all()
    names = list(given) if present == "all" else present.split()
    tokens, extras = combine({name: given[name] for name in names})
    wanted = torch.zeros(1, 77, 4096)
    pooled = torch.zeros(1, 2048)
    if "clip_l" in names:
        wanted[..., :768] = given["clip_l"].states
        pooled[:, :768] = given["clip_l"].pooled
    if "clip_g" in names:
        wanted[..., 768:2048] = given["clip_g"].states
        pooled[:, 768:] = given["clip_g"].pooled
    if names == ["t5xxl"]:
        wanted = wanted[:, :0]
    if "t5xxl" in names:
        wanted = torch.cat((wanted, given["t5xxl"].states), dim=1)
    assert torch.equal(tokens, wanted)
    assert torch.equal(extras["pooled_output"], pooled)


def test_there_must_be_an_encoder():
    with pytest.raises(WeightsError, match="at least one of CLIP L"):
        combine({})


@pytest.mark.parametrize(
    ("config", "parameters"),
    [(LARGE, 8_056_627_520), (MEDIUM_35, 2_243_171_520), (MEDIUM, 2_028_328_000)],
    ids=["sd35_large", "sd35_medium", "sd3_medium"],
)
def test_released_sizes_are_detected(config, parameters):
    net = FAMILY.build(config)
    state = {f"model.diffusion_model.{key}": value for key, value in net.state_dict().items()}
    family, found = detect(StateDict.of(state))
    assert isinstance(family, StableDiffusion3)
    assert found == config
    learned = sum(value.numel() for name, value in net.state_dict().items() if name != "pos_embed")
    assert learned == parameters


def test_a_table_of_positions_that_is_no_square_is_named():
    net = FAMILY.build(MEDIUM)
    state = dict(net.state_dict()) | {"pos_embed": torch.empty(1, 37, 1536, device="meta")}
    with pytest.raises(WeightsError, match="37 positions, which form no square"):
        keys.config_of(keys.tensors(StateDict.of(state)))


def inputs(embedding, pooled, size=(16, 16)):
    extras = {} if pooled is None else {"pooled_output": pooled}
    run = Run((1, 16, *size))
    return FAMILY.inputs(MEDIUM, Entry(embedding, extras), run=run, role=Role.POSITIVE)


def test_a_text_of_another_model_is_refused():
    tokens = torch.zeros(1, 77, 4096)
    assert set(inputs(tokens, torch.zeros(1, 2048))) == {"context", "vector"}
    with pytest.raises(NodeError, match="tokens have 2048 numbers, the model takes 4096"):
        inputs(tokens[..., :2048], torch.zeros(1, 2048))
    with pytest.raises(NodeError, match="pooled text of 2048 numbers, the conditioning has none"):
        inputs(tokens, None)
    with pytest.raises(NodeError, match="positions for 384 x 384"):
        inputs(tokens, torch.zeros(1, 2048), size=(386, 16))


TINY = MMDiTConfig(128, 2, 64, 256, 16, 96, 40, 12, norms=False, attend_twice=frozenset())


@dataclass(frozen=True)
class Holder:
    """What of a model is changed here."""

    hooks: NetHooks


def test_only_negatives_skip_a_layer(fill):
    net = fill(lambda: MMDiT(TINY))
    x, context, vector = torch.randn(2, 16, 8, 8), torch.randn(2, 5, 96), torch.randn(2, 40)
    time = torch.full((2,), 500.0)

    def unchanged(given, extra):
        return given

    holder, places = Holder(NetHooks()), [("double_block", 0)]
    hooks = negative_with_skipped_layers(holder, places, Interval(0.8, 0.2)).hooks
    without = NetHooks().with_replacement("dit", ("double_block", 0), unchanged)

    def run(hooks, sigma=0.5, order=(0, 1)):
        options = {"cond_or_uncond": list(order), "sigmas": torch.full((2,), sigma)}
        with torch.no_grad():
            return net(x, time, context, vector, hooks=hooks.with_options(options))

    whole, skipped, mixed = run(NetHooks()), run(without), run(hooks)
    assert torch.allclose(mixed[0], whole[0], atol=1e-6)
    assert torch.allclose(mixed[1], skipped[1], atol=1e-6)
    assert not torch.allclose(whole[1], skipped[1], atol=1e-2)
    assert torch.equal(run(hooks, order=(1, 1)), skipped)
    assert torch.equal(run(hooks, sigma=0.9), whole)
