"""FLUX.1 Redux: its projections, and how strongly a prompt attends to a picture."""

import math

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import linear, silu

from engine.errors import NodeError, WeightsError
from engine.families.flux.network import Flux
from engine.families.flux.styles import STYLES, attention_bias, style_inputs
from engine.inference.vision import ClipVisionOutput
from engine.nodekit.context import RunningContext
from nodes.style import apply_style, load_style
from tests.wet.flux_models import FLUX, WIDTH

SEEN = 24


@pytest.fixture
def tensors():
    torch.manual_seed(2)
    return {
        "redux_up.weight": torch.randn(48, SEEN) * 0.2,
        "redux_up.bias": torch.randn(48),
        "redux_down.weight": torch.randn(WIDTH, 48) * 0.2,
        "redux_down.bias": torch.randn(WIDTH),
    }


@pytest.fixture
def context(files, settings, tensors, cpu_residency):
    folder = settings.models_directories[0] / "style_models"
    folder.mkdir(parents=True)
    save_file(tensors, folder / "redux.safetensors")
    cut = {name: each for name, each in tensors.items() if name != "redux_up.weight"}
    save_file(cut, folder / "cut.safetensors")
    return RunningContext("1", files)


def seen(width=SEEN):
    states = torch.randn(1, 9, width, generator=torch.Generator().manual_seed(5))
    return ClipVisionOutput(states, torch.zeros(1, 8), states)


def applied(context, strength, kind, prompt=None, output=None):
    return apply_style(
        conditioning=prompt or [[torch.ones(1, 4, WIDTH), {"pooled_output": 1}]],
        style_model=load_style("redux.safetensors", context),
        clip_vision_output=output or seen(),
        strength=strength,
        strength_type=kind,
        ctx=context,
    )


def test_the_picture_becomes_tokens(context, tensors):
    up, down = (
        (tensors[f"redux_{name}.weight"], tensors[f"redux_{name}.bias"]) for name in ("up", "down")
    )
    expected = linear(silu(linear(seen().last_hidden_state, *up)), *down)
    [[tokens, extras]] = applied(context, 0.5, "multiply")
    assert (tokens[:, 4:] - 0.5 * expected).abs().max() < 1e-5
    assert extras == {"pooled_output": 1}
    twice = applied(context, 2.0, "attn_bias", applied(context, 0.5, "attn_bias"))
    assert twice[0][1][STYLES] == ((4, 9, 0.5), (13, 9, 2.0))
    assert (twice[0][0][:, 13:] - expected).abs().max() < 1e-5
    assert STYLES not in applied(context, 1.0, "attn_bias")[0][1]


def test_what_does_not_fit_is_a_sentence(context):
    with pytest.raises(NodeError, match="24; encode the picture with SigLIP so400m"):
        applied(context, 1.0, "multiply", output=seen(17))
    with pytest.raises(WeightsError, match=r"not a complete Redux model: redux_up\.weight"):
        load_style("cut.safetensors", context)


def test_who_attends_with_a_bias():
    """Text and picture look at a style with its bias, the style's own tokens without."""
    extras = {STYLES: ((2, 1, 0.5), (3, 2, 2.0))}
    styles = style_inputs(extras, 5)["styles"].value
    found = attention_bias(styles, torch.zeros(1, 2, 8))[0]
    half, twice = math.log(0.5), math.log(2.0)
    plain = [0, 0, half, twice, twice, 0, 0]
    expected = [plain, plain, [0, 0, 0, twice, twice, 0, 0], [0] * 7, [0] * 7, plain, plain]
    assert torch.allclose(found, torch.tensor(expected))
    assert style_inputs({}, 5) == {}


def test_strength_in_the_network(fill):
    """At 0 nothing looks at the style, at 1 it is a part of the text."""
    net = fill(lambda: Flux(FLUX))
    generator = torch.Generator().manual_seed(1)
    x, text, other = (
        torch.randn(1, *shape, generator=generator)
        for shape in ((16, 4, 4), (5, WIDTH), (2, WIDTH))
    )
    vector, numbers = torch.randn(1, WIDTH, generator=generator), torch.tensor([0.5])
    changed = torch.cat((text[:, :3], other), dim=1)

    def predicted(context, strength):
        styles = style_inputs({STYLES: ((3, 2, strength),)}, 5)["styles"].value
        with torch.no_grad():
            return net(x, numbers, context, vector, numbers, styles=styles)

    with torch.no_grad():
        plain = net(x, numbers, text, vector, numbers)
    assert (predicted(text, 0.0) - predicted(changed, 0.0)).abs().max() < 1e-5
    assert (predicted(text, 1.0) - plain).abs().max() < 1e-5
    assert (predicted(text, 2.0) - plain).abs().max() > 1e-3
    assert (predicted(text, 1.0) - predicted(changed, 1.0)).abs().max() > 1e-3
