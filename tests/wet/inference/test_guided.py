"""Hooks of guidance that evaluate the network again, patches of one run, masks of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.diffusion.conditioning import Input, Join
from engine.diffusion.guidance import Guidance, Predictions
from engine.diffusion.parameterization import discrete
from engine.diffusion.samplers.table import SAMPLERS
from engine.families.family import Entry
from engine.families.latent_format import LatentFormat
from engine.inference.sample import sample
from engine.inference.values import (
    CfgGuider,
    DualCfgGuider,
    Guider,
    Model,
    PerpNegGuider,
    RandomNoise,
    Sampler,
    Start,
)
from engine.nets.hooks import NetHooks
from engine.residency.handles import LazyWeights

SIGMAS = torch.tensor([10.0, 2.0, 0.0])
SHAPE = (2, 4, 8, 8)


class Linear:
    """A family whose network predicts its text plus 100 times x, plus 1000 for each hook."""

    name = "linear"

    def inputs(self, config: Any, entry: Entry, **_: Any) -> dict[str, Input]:
        return {"context": Input(entry.embedding, Join.REPEAT)}

    def activation_bytes(self, *_: Any) -> int:
        return 0

    def predict(
        self,
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        hooks: NetHooks | None,
        **_: Any,
    ) -> Tensor:
        value = inputs["context"].mean(dim=(1, 2)).reshape(-1, 1, 1, 1)
        return value + 100 * x + 1000 * len(hooks.of("attn1_patch") if hooks else ())


def text(value: float, **extras: Any) -> list[Any]:
    return [[torch.full((1, 3, 2), value), extras]]


@pytest.fixture
def model(cpu_residency: object) -> Model:
    latent = LatentFormat(channels=4, downscale=(8, 8), scale=1.0, shift=0.0)
    net = LazyWeights("linear", 1, lambda: nn.Linear(1, 1))
    return Model(Linear(), None, net, latent, discrete("x0"))  # type: ignore[arg-type]


def run(guider: Guider, sigmas: Tensor = SIGMAS, **latent: Any) -> Tensor:
    latent = {"samples": torch.zeros(SHAPE)} | latent
    return sample(guider, RandomNoise(7), Sampler(SAMPLERS["euler"]), sigmas, latent).samples


def hooked(hooks: NetHooks) -> NetHooks:
    return hooks.with_patch("attn1_patch", lambda q, k, v, _: (q, k, v))


def test_a_hook_evaluates_other_conditionings_x_and_hooks(model: Model) -> None:
    seen: list[float] = []

    def after(told: Predictions, denoised: Tensor) -> Tensor:
        positive, empty = told.evaluate("positive", "empty")
        seen.append(float((empty - positive).mean()))
        (moved,) = told.evaluate(told.names[0], x=torch.zeros_like(told.x))
        seen.append(float(moved.mean()))
        (patched,) = told.evaluate(told.names[1], hooks=hooked)
        seen.append(float((patched - told.negative).mean()))
        return torch.full_like(denoised, 5.0)

    guidance = Guidance(after=(after,), conditionings={"empty": text(3.0)})
    found = run(CfgGuider(replace(model, guidance=guidance), text(2.0), text(1.0), 4.0))
    assert seen == pytest.approx([1.0, 2.0, 1000.0] * 2, rel=1e-3)
    assert (found == 5.0).all()


def test_hooks_see_the_empty_prompt_of_perp_neg_as_a_negative(model: Model) -> None:
    def see(q: Tensor, k: Tensor, v: Tensor, options: Mapping[str, Any]) -> Any:
        raise AssertionError(options)

    class Seeing(Linear):
        def predict(self, *args: Any, hooks: NetHooks | None, **more: Any) -> Tensor:
            assert hooks is not None
            seen.append(hooks.options["cond_or_uncond"])
            return super().predict(*args, hooks=hooks, **more)

    seen: list[list[int]] = []
    changed = replace(model, family=Seeing(), hooks=NetHooks().with_patch("attn1_patch", see))  # type: ignore[arg-type]
    run(PerpNegGuider(changed, text(2.0), text(1.0), text(0.0), 4.0, 1.0))
    assert {each for call in seen for each in call} == {0, 1}
    assert [sum(call) for call in seen] == [2] * len(seen)


@pytest.mark.parametrize(
    ("nested", "scales", "names"),
    [
        (False, (2.0, 3.0), ("middle", "negative")),
        (True, (2.0, 3.0), ("positive", "middle")),
        (False, (2.0, 1.0), ("middle", "middle")),
        (False, (1.0, 1.0), ("positive", "positive")),
    ],
)
def test_predictions_say_whose_they_are(
    model: Model, nested: bool, scales: tuple[float, float], names: tuple[str, str]
) -> None:
    seen: list[tuple[str, str]] = []

    def after(told: Predictions, denoised: Tensor) -> Tensor:
        again = told.evaluate(*told.names)
        assert torch.equal(again[0], told.positive)
        assert torch.equal(again[1], told.negative)
        seen.append(told.names)
        return denoised

    changed = replace(model, guidance=Guidance(after=(after,)))
    run(DualCfgGuider(changed, text(1.0), text(2.0), text(3.0), *scales, nested))
    assert seen == [names] * 2


def test_predictions_without_a_network_evaluate_nothing() -> None:
    told = Predictions(*torch.zeros(4, 1, 1, 2, 2), scale=1.0)
    with pytest.raises(LookupError, match="no network to evaluate empty"):
        told.evaluate("empty")


def test_patches_of_a_run_start_anew_and_share_its_random_numbers(model: Model) -> None:
    drawn: list[Tensor] = []

    def drawing(model: Model, start: Start) -> Model:
        assert start.run.seed == 7
        assert torch.equal(start.sigmas, SIGMAS)
        drawn.append(torch.randn(3, generator=start.generator))
        return replace(model, hooks=hooked(model.hooks))

    twice = replace(model, per_run=(drawing, drawing))
    assert torch.equal(
        run(CfgGuider(twice, text(2.0), text(1.0), 1.0), SIGMAS), run_with_two(model)
    )
    run(CfgGuider(twice, text(2.0), text(1.0), 1.0), SIGMAS)
    torch.manual_seed(7)
    torch.randn(SHAPE)
    expected = [torch.randn(3), torch.randn(3)] * 2
    for one, other in zip(drawn, [*expected[:2], *expected[:2]], strict=True):
        assert torch.equal(one, other)
    drawn.clear()
    run(CfgGuider(twice, text(2.0), text(1.0), 1.0), SIGMAS, batch_index=[1, 3])
    torch.manual_seed(7)
    for _ in range(4):
        torch.randn(1, *SHAPE[1:])
    assert torch.equal(drawn[0], torch.randn(3))


def run_with_two(model: Model) -> Tensor:
    hooks = hooked(hooked(model.hooks))
    return run(CfgGuider(replace(model, hooks=hooks), text(2.0), text(1.0), 1.0), SIGMAS)


def test_a_mask_of_each_step(model: Model) -> None:
    clean = torch.full(SHAPE, 8.0)
    mask = torch.linspace(0, 1, 64).reshape(1, 8, 8)

    def mask_at(given: Tensor, sigma: Tensor) -> Tensor:
        assert torch.equal(given, mask[None])
        return (given >= float(sigma[0]) / 10).float()

    changed = replace(model, mask_at=mask_at)
    found = run(CfgGuider(changed, text(2.0), text(1.0), 1.0), samples=clean, noise_mask=mask)
    painted = found != 8.0
    assert torch.equal(painted, (mask >= 0.2).expand(SHAPE))


def test_hooks_around_an_evaluation(model: Model) -> None:
    order: list[str] = []

    def around(name: str, add: float) -> Any:
        def hook(x: Tensor, sigma: Tensor, guide: Any) -> tuple[Tensor, Tensor]:
            order.append(name)
            guided, unguided = guide()
            return guided * 0 + add, unguided

        return hook

    guidance = Guidance(around=(around("inner", 1.0), around("outer", 2.0)))
    found = run(CfgGuider(replace(model, guidance=guidance), text(2.0), text(1.0), 4.0))
    assert order == ["outer", "inner"] * 2
    assert (found == 2.0).all()
