"""Style models against an implementation with torch's own attention; their nodes."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import NodeError, WeightsError
from engine.inference.vision import ClipVisionOutput
from engine.nodekit.context import RunningContext
from nodes.style import apply_style, load_style

WIDTH, TOKENS, TEXT = 64, 8, 48


class Layer(nn.Module):
    """A layer of CLIP, of torch's parts."""

    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, 8, batch_first=True)
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)}
        )

    def forward(self, x):
        normal = self.ln_1(x)
        x = x + self.attn(normal, normal, normal, need_weights=False)[0]
        inner = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](inner * torch.sigmoid(1.702 * inner))


class Oracle(nn.Module):
    def __init__(self):
        super().__init__()
        self.style_embedding = nn.Parameter(torch.empty(1, TOKENS, WIDTH))
        self.proj = nn.Parameter(torch.empty(WIDTH, TEXT))
        self.transformer_layes = nn.ModuleList(Layer() for _ in range(3))
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, states):
        learned = self.style_embedding.repeat(len(states), 1, 1)
        x = self.ln_pre(torch.cat([states, learned], dim=1))
        for layer in self.transformer_layes:
            x = layer(x)
        return self.ln_post(x[:, -TOKENS:]) @ self.proj


@pytest.fixture
def oracle(fill):
    return fill(Oracle)


@pytest.fixture
def context(files, settings, oracle, cpu_residency):
    folder = settings.models_directories[0] / "style_models"
    folder.mkdir(parents=True)
    tensors = oracle.state_dict()
    save_file(tensors, folder / "style.safetensors")
    save_file({k: v for k, v in tensors.items() if k != "proj"}, folder / "cut.safetensors")
    save_file({"x": torch.zeros(1)}, folder / "other.safetensors")
    return RunningContext("1", files)


def seen(width=WIDTH):
    states = torch.randn(2, 17, width, generator=torch.Generator().manual_seed(5))
    return ClipVisionOutput(states, torch.zeros(2, 8), states)


def applied(context, prompt, output, strength=1.0, strength_type="multiply"):
    return apply_style(
        conditioning=prompt,
        style_model=load_style("style.safetensors", context),
        clip_vision_output=output,
        strength=strength,
        strength_type=strength_type,
        ctx=context,
    )


PROMPT = [[torch.ones(1, 4, TEXT), {"pooled_output": 1}]]


@pytest.mark.parametrize(
    ("strength", "kind", "factor"), [(0.5, "multiply", 0.5), (2, "attn_bias", 1)]
)
def test_a_style_is_added_as_tokens(context, oracle, strength, kind, factor):
    [[tokens, extras]] = applied(context, PROMPT, seen(), strength, kind)
    with torch.no_grad():
        expected = oracle(seen().last_hidden_state).reshape(1, -1, TEXT) * factor
    assert tokens.shape == (1, 4 + 2 * TOKENS, TEXT)
    assert torch.equal(tokens[:, :4], PROMPT[0][0])
    assert (tokens[:, 4:] - expected).abs().max() < 1e-5
    assert extras == PROMPT[0][1]


def test_other_widths_are_refused(context):
    with pytest.raises(NodeError, match="tokens have 96 numbers, the style model takes 64"):
        applied(context, PROMPT, seen(96))
    with pytest.raises(NodeError, match="prompt's tokens have 7 numbers, those of the style"):
        applied(context, [[torch.ones(1, 4, 7), {}]], seen())


@pytest.mark.parametrize(
    ("name", "message"),
    [("cut", "not a complete style adapter"), ("other", "no style adapter: unknown")],
)
def test_other_files_are_refused(context, name, message):
    with pytest.raises(WeightsError, match=message):
        load_style(f"{name}.safetensors", context)
