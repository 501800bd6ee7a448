"""Context windows: where they lie, how they are weighed, and what a network sees of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch

from engine.diffusion import regions
from engine.diffusion.conditioning import Input, Join
from engine.diffusion.context_windows import (
    ContextWindows,
    Fuse,
    Schedule,
    Window,
    WindowedEvaluator,
)
from engine.diffusion.regions import Evaluator, Region
from engine.errors import NodeError

SIGMAS = torch.tensor([8.0, 4.0, 2.0, 1.0, 0.0])


def ranges(*ends: tuple[int, int]) -> list[Window]:
    return [tuple(range(start, end)) for start, end in ends]


def test_static_windows_end_at_the_end() -> None:
    windows = ContextWindows(8, 2, Schedule.STATIC)
    assert windows.split(20, 3) == ranges((0, 8), (6, 14), (12, 20))
    assert windows.split(21, 0) == ranges((0, 8), (6, 14), (12, 20), (13, 21))


def test_batched_windows_have_no_overlap() -> None:
    windows = ContextWindows(8, 2, Schedule.BATCHED)
    assert windows.split(20, 0) == ranges((0, 8), (8, 16), (16, 20))


def test_looped_windows_run_over_the_end_and_move_with_the_step() -> None:
    windows = ContextWindows(8, 2, Schedule.LOOPED, closed_loop=True)
    first = [*ranges((0, 8), (6, 14)), (12, 13, 14, 15, 0, 1, 2, 3)]
    assert windows.split(16, 0) == first
    # The van der Corput sequence: half of the video further, then a quarter, then three.
    for step, moved in ((1, 8), (2, 4), (3, 12)):
        expected = [tuple((index + moved) % 16 for index in window) for window in first]
        assert windows.split(16, step) == expected


def test_strides_add_windows_of_items_farther_apart() -> None:
    windows = ContextWindows(4, 1, Schedule.LOOPED, stride=2, closed_loop=True)
    found = windows.split(8, 0)
    assert {tuple(np.diff(window) % 8) for window in found} == {(1, 1, 1), (2, 2, 2)}
    assert (0, 2, 4, 6) in found


def test_uniform_windows_do_not_run_over_the_end() -> None:
    windows = ContextWindows(8, 2, Schedule.UNIFORM)
    assert windows.split(20, 0) == ranges((0, 8), (6, 14), (12, 20))
    # Moved by ten: the one over the end lies before it, and one begins at the start.
    assert windows.split(20, 1) == ranges((10, 18), (12, 20), (0, 8), (2, 10))
    for step in range(9):
        for window in windows.split(20, step):
            assert all(one < other for one, other in pairwise(window))


@pytest.mark.parametrize("schedule", Schedule)
def test_every_item_is_in_a_window(schedule: Schedule) -> None:
    for count in (5, 9, 16, 33):
        for length, overlap, stride in ((4, 1, 1), (4, 3, 3), (4, 0, 2), (3, 2, 1)):
            for closed in (True, False):
                windows = ContextWindows(length, overlap, schedule, stride, closed)
                for step in range(6):
                    split = windows.split(count, step)
                    assert {index for window in split for index in window} == set(range(count))
                    assert all(0 < len(window) <= length for window in split)
                    assert all(0 <= index < count for window in split for index in window)


def test_weights() -> None:
    inner, count = (4, 5, 6, 7, 8), 12

    def of(fuse: Fuse, window: Window = inner) -> list[float]:
        return ContextWindows(5, 2, fuse=fuse).weights(window, count).tolist()

    assert of(Fuse.PYRAMID) == [1, 2, 3, 2, 1]
    assert of(Fuse.PYRAMID, inner[:4]) == [1, 2, 2, 1]
    assert of(Fuse.FLAT) == [1] * 5
    assert of(Fuse.OVERLAP_LINEAR) == pytest.approx([0, 1, 1, 1, 0])
    assert of(Fuse.OVERLAP_LINEAR, (0, 1, 2, 3, 4)) == pytest.approx([1, 1, 1, 1, 0])
    assert of(Fuse.OVERLAP_LINEAR, (7, 8, 9, 10, 11)) == pytest.approx([0, 1, 1, 1, 1])
    expected = [max(0.01, 1 - abs(index - 6) / 2.005) for index in inner]
    assert of(Fuse.RELATIVE) == pytest.approx(expected)


class Network:
    """Predicts from what it sees of a window: x, its mean over frames, and the inputs."""

    def __init__(self, axis: int) -> None:
        self.axis = axis
        self.shapes: list[tuple[int, ...]] = []
        self.inputs: list[Mapping[str, torch.Tensor]] = []

    def __call__(
        self,
        x: torch.Tensor,
        sigma: torch.Tensor,
        inputs: Mapping[str, torch.Tensor],
        entries: Sequence[Region],
    ) -> torch.Tensor:
        del sigma
        self.shapes.append(tuple(x.shape))
        self.inputs.append(inputs)
        parts = x.chunk(len(entries))
        mean = torch.cat([part.mean(self.axis, keepdim=True).expand_as(part) for part in parts])
        context = inputs["context"].mean(dim=(1, 2)).reshape(-1, *(1 for _ in x.shape[1:]))
        return x + mean * context + inputs["beside"]


def blended(x: np.ndarray, axis: int, split: Sequence[Window], weights: object, beside: np.ndarray):
    """The same, one item after another."""
    x, beside = np.moveaxis(x, axis, 0), np.moveaxis(beside, axis, 0)
    found = np.zeros_like(x)
    for index in range(len(x)):
        summed = 0.0
        for window in split:
            for place, each in enumerate(window):
                if each == index:
                    weight = float(weights(window)[place])  # type: ignore[operator]
                    mean = np.mean([x[other] for other in window], axis=0)
                    found[index] += weight * (x[index] + 2.0 * mean + beside[index])
                    summed += weight
        found[index] /= summed
    return np.moveaxis(found, 0, axis)


@pytest.mark.parametrize("fuse", Fuse)
@pytest.mark.parametrize(("dim", "shape"), [(2, (1, 4, 13, 3, 2)), (0, (13, 4, 3, 2))])
def test_a_step_is_the_weighted_mean_of_the_windows(fuse, dim, shape) -> None:
    x, beside = torch.randn(shape), torch.randn(shape)
    inputs = {
        "context": Input(torch.full((1, 2, 1), 2.0), Join.REPEAT),
        "beside": Input(beside, Join.CROP_TO_AREA),
        "number": Input(torch.arange(13)[None], Join.WHOLE, frame_axis=1),
        "painted": Input(torch.arange(13)[None], frame_axis=1),
    }
    windows = ContextWindows(5, 2, Schedule.UNIFORM, fuse=fuse, dim=dim)
    network, rows = Network(dim), []
    evaluator = WindowedEvaluator(windows, lambda: Evaluator(network, SIGMAS), SIGMAS, rows.append)
    for step in (1, 2, 1):
        sigma = SIGMAS[step : step + 1]
        network.shapes.clear()
        network.inputs.clear()
        rows.clear()
        (found, other) = evaluator(x, sigma, [Region(inputs)], [Region(inputs)])
        split = windows.split(13, step)
        expected = blended(
            x.numpy(), dim, split, lambda window: windows.weights(window, 13), beside.numpy()
        )
        assert torch.equal(found, other)
        assert np.abs(found.numpy() - expected).max() < 1e-5
        assert max(each[dim] for each in network.shapes) == (10 if dim == 0 else 5)
        assert len(network.shapes) == len(split)
        for window, seen in zip(split, network.inputs, strict=True):
            assert seen["number"][0].tolist() == list(range(len(window)))
            assert seen["painted"][0].tolist() == list(window)
        assert rows == [*(window if dim == 0 else None for window in split), None]


def test_a_short_video_is_predicted_whole() -> None:
    network = Network(2)
    windows = ContextWindows(5, 2, dim=2)
    evaluator = WindowedEvaluator(windows, lambda: Evaluator(network), SIGMAS, lambda _: None)
    inputs = {"context": Input(torch.ones(1, 1, 1)), "beside": Input(torch.ones(1, 1, 1, 1, 1))}
    evaluator(torch.randn(1, 4, 5, 2, 2), SIGMAS[:1], [Region(inputs)])
    assert network.shapes == [(1, 4, 5, 2, 2)]


def test_masks_and_areas_are_cut_too() -> None:
    x = torch.zeros(1, 1, 6, 8, 16)
    mask = torch.arange(6.0).reshape(1, 6, 1, 1).expand(1, 6, 8, 16) + 1

    def region(value: float, **more: object) -> Region:
        given = {
            "context": Input(torch.zeros(1, 1, 1)),
            "beside": Input(torch.full((1, 1, 1, 1, 1), value)),
        }
        return regions.weighted(Region(given, **more), x.shape[2:])  # type: ignore[arg-type]

    many = [region(1.0, mask=mask), region(5.0, area=(6, 8, 8, 0, 0, 8))]
    plain = Evaluator(Network(2))(x, SIGMAS[:1], many)[0]
    windows = ContextWindows(4, 2, dim=2, fuse=Fuse.FLAT)
    parted = WindowedEvaluator(windows, lambda: Evaluator(Network(2)), SIGMAS, lambda _: None)
    assert torch.allclose(parted(x, SIGMAS[:1], many)[0], plain, atol=1e-6)
    with pytest.raises(NodeError, match="area along the axis of the context windows"):
        parted(x, SIGMAS[:1], [region(1.0, area=(3, 8, 8, 0, 0, 8))])


@pytest.mark.parametrize("dim", [1, 4])
def test_an_axis_that_cannot_be_split_is_refused(dim: int) -> None:
    windows = ContextWindows(2, 1, dim=dim)
    evaluator = WindowedEvaluator(windows, lambda: Evaluator(Network(0)), SIGMAS, lambda _: None)
    with pytest.raises(NodeError, match=rf"is {dim}; the latent has the axes 0, 2, 3 to split"):
        evaluator(torch.zeros(4, 4, 8, 8), SIGMAS[:1], [])


def test_free_noise_repeats_the_first_window_in_another_order() -> None:
    noise = torch.randn(1, 2, 18, 3, 3)
    windows = ContextWindows(8, 4, dim=2, free_noise=True)
    made = windows.shuffled(noise, 5)
    assert torch.equal(made[:, :, :8], noise[:, :, :8])
    source = {tuple(noise[0, 0, frame].flatten().tolist()): frame for frame in range(8)}
    order = [source[tuple(made[0, 0, frame].flatten().tolist())] for frame in range(18)]
    for start, end in ((8, 12), (12, 16)):
        assert sorted(order[start:end]) == sorted(order[start - 8 : end - 8])
    assert set(order[16:18]) <= set(order[8:12])
    assert order[8:16] != order[:8]
    assert torch.equal(made, windows.shuffled(noise, 5))
    assert not torch.equal(made, windows.shuffled(noise, 6))
    assert windows.shuffled(noise[:, :, :8], 5) is not None
    short = noise[:, :, :8]
    assert windows.shuffled(short, 5) is short
    assert ContextWindows(8, 4, dim=2).shuffled(noise, 5) is noise
