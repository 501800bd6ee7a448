"""A family with joint attention of image and text tokens: padding must have no effect."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.diffusion.conditioning import Input, Join, Role
from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.latent_format import LatentFormat
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, Model, RandomNoise, Sampler
from engine.residency.handles import LazyWeights

WIDTH = 8
SIGMAS = torch.tensor([10.0, 4.0, 1.0, 0.0])


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(WIDTH, 3 * WIDTH)
        self.guide = nn.Linear(1, WIDTH)

    def forward(self, x: Tensor, text: Tensor, mask: Tensor | None, guidance: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        seen = torch.cat((tokens, text), dim=1) + self.guide(guidance)[:, None]
        query, key, value = self.mix(seen).chunk(3, dim=-1)
        if mask is not None:
            cells = mask.new_ones(len(mask), tokens.shape[1])
            mask = torch.cat((cells, mask), dim=1)[:, None]
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return found[:, : tokens.shape[1]].transpose(1, 2).reshape(x.shape)


class Joint:
    """Its guidance is strong at first and applies to the positive entry only."""

    name = "joint"

    def __init__(self, join: Join = Join.PAD_WITH_MASK) -> None:
        self.join = join
        self.calls: list[tuple[int, list[float], bool]] = []

    def inputs(self, config: Any, entry: Any, *, run: Any, role: Role) -> dict[str, Input]:
        assert len(run.shape) == 4
        strength = 1.0 if role is Role.POSITIVE else -1.0
        return {
            "text": Input(entry.embedding, self.join),
            "guidance": Input(
                torch.full((1, 1), strength),
                at=lambda step: torch.full((1, 1), strength * (3 - step.index)),
            ),
        }

    def activation_bytes(self, *_: Any) -> int:
        return 0

    def predict(
        self, net: nn.Module, x: Tensor, timestep: Tensor, inputs: Mapping[str, Tensor], **_: Any
    ) -> Tensor:
        mask = inputs.get("text_mask")
        self.calls.append((len(x), inputs["guidance"].flatten().tolist(), mask is not None))
        return net(x, inputs["text"], mask, inputs["guidance"])


def text(tokens: int) -> list[Any]:
    return [[torch.linspace(-1, tokens, tokens * WIDTH).reshape(1, tokens, WIDTH), {}]]


@pytest.mark.usefixtures("cpu_residency")
def test_texts_of_two_lengths_in_one_call_are_as_in_two():
    torch.manual_seed(0)
    net = Net()
    made = LazyWeights("joint", 1, lambda: net)
    found = []
    for family in (Joint(), Joint(Join.SAME)):
        model = Model(family, None, made, LatentFormat(WIDTH, (8, 8)), discrete("x0"))
        guider = CfgGuider(model, text(3), text(5), 4.0)
        latent = {"samples": torch.zeros(1, WIDTH, 4, 4)}
        run = sample(guider, RandomNoise(1), Sampler(SAMPLERS["euler"]), SIGMAS, latent)
        found.append((run.samples, family.calls))
    (together, padded), (apart, single) = found
    assert torch.allclose(together, apart, atol=1e-5)
    # Both roles in one call with a mask, or each in its own without; guidance falls with the step.
    assert padded == [(2, [3.0, -3.0], True), (2, [2.0, -2.0], True), (2, [1.0, -1.0], True)]
    assert [guidance for _, guidance, _ in single] == [[3], [-3], [2], [-2], [1], [-1]]
    assert not any(masked for _, _, masked in single)
