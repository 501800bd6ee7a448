"""Different entries share one call of a network."""

from __future__ import annotations

import pytest
import torch

from engine.diffusion.conditioning import Input, Join, Step, joinable, joined
from engine.diffusion.regions import Evaluator, Region, weighted


def text(length: int, join: Join) -> Input:
    return Input(torch.arange(float(length * 2)).reshape(1, length, 2) + 1, join)


def test_repeated_texts_meet_at_a_common_length():
    inputs = [text(2, Join.REPEAT), text(3, Join.REPEAT)]
    assert joinable(*inputs)
    found = joined("context", inputs, rows=2)
    assert list(found) == ["context"]
    assert found["context"].shape == (4, 6, 2)
    assert torch.equal(found["context"][0, :2], found["context"][0, 4:])


def test_a_text_that_would_be_repeated_too_often_has_a_call_of_its_own():
    assert not joinable(text(7, Join.REPEAT), text(11, Join.REPEAT))


def test_padded_texts_come_with_a_mask():
    inputs = [text(2, Join.PAD_WITH_MASK), text(3, Join.PAD_WITH_MASK)]
    assert joinable(*inputs)
    found = joined("context", inputs, rows=1)
    assert found["context"].shape == (2, 3, 2)
    assert found["context"][0, 2].tolist() == [0, 0]
    assert found["context_mask"].tolist() == [[True, True, False], [True, True, True]]


def test_padded_texts_of_one_length_need_no_mask():
    inputs = [text(3, Join.PAD_WITH_MASK)] * 2
    assert list(joined("context", inputs, rows=1)) == ["context"]


@pytest.mark.parametrize("join", [Join.SAME, Join.WHOLE])
def test_what_cannot_be_stretched_shares_with_its_own_shape_only(join):
    assert joinable(text(3, join), text(3, join))
    assert not joinable(text(3, join), text(2, join))


def test_other_ways_to_join_never_mix():
    assert not joinable(text(3, Join.SAME), text(3, Join.REPEAT))


def test_rows_of_a_batch_start_over():
    value = torch.tensor([[1.0], [2.0]])
    found = joined("y", [Input(value)], rows=3)
    assert found["y"].tolist() == [[1.0], [2.0], [1.0]]


def call_log():
    calls = []

    def call(x, sigma, inputs, entries):
        calls.append((x.shape, {name: tensor.clone() for name, tensor in inputs.items()}, entries))
        return x

    return calls, call


def test_what_lies_beside_x_is_cut_to_the_area():
    calls, call = call_log()
    beside = torch.arange(64.0).reshape(1, 1, 8, 8)
    region = Region({"concat": Input(beside, Join.CROP_TO_AREA)}, area=(4, 2, 1, 3))
    whole = Region({"concat": Input(beside, Join.WHOLE)}, area=(4, 2, 1, 3))
    x = torch.zeros(1, 4, 8, 8)
    for each in (region, whole):
        Evaluator(call)(x, torch.ones(1), [weighted(each, (8, 8))])
    assert torch.equal(calls[0][1]["concat"], beside[:, :, 1:5, 3:5])
    assert torch.equal(calls[1][1]["concat"], beside)


def test_entries_with_networks_of_their_own_never_share_a_call():
    calls, call = call_log()
    control = object()
    plain = Region({"context": text(3, Join.REPEAT)})
    controlled = Region({"context": text(3, Join.REPEAT)}, networks=(control,))
    x = torch.zeros(1, 4, 8, 8)
    Evaluator(call)(x, torch.ones(1), [plain, plain], [controlled, controlled])
    assert [len(entries) for _, _, entries in calls] == [2, 2]
    assert [entries[0].networks for _, _, entries in calls] == [(), (control,)]


def test_a_call_knows_its_step():
    sigmas = torch.tensor([10.0, 5.0, 1.0, 0.0])

    def index(level: float) -> int:
        return Step(torch.tensor([level]), sigmas).index

    assert [index(level) for level in (10.0, 5.0, 1.0)] == [0, 1, 2]
    # Between two steps, by rounding, above the first, at the end, and without a run.
    assert [index(level) for level in (7.0, 5.0000002, 4.9999998, 12.0, 0.0)] == [0, 1, 1, 0, 2]
    assert Step(torch.tensor([3.0]), torch.empty(0)).index == 0


def test_an_input_may_depend_on_the_step_and_keeps_its_way_to_join():
    calls, call = call_log()
    sigmas = torch.tensor([4.0, 2.0, 0.0])

    def at(length: int):
        return lambda step: torch.full((1, length, 2), float(step.index + length))

    moving = [
        Region({"context": Input(at(n)(Step(sigmas, sigmas)), Join.PAD_WITH_MASK, at(n))})
        for n in (2, 3)
    ]
    beside = Input(
        torch.zeros(1, 1, 8, 8),
        Join.CROP_TO_AREA,
        lambda step: torch.arange(64.0).reshape(1, 1, 8, 8) * step.level,
    )
    area = weighted(Region({"concat": beside}, area=(4, 2, 1, 3)), (8, 8))
    evaluator = Evaluator(call, sigmas)
    x = torch.zeros(1, 4, 8, 8)
    for sigma in (sigmas[:1], sigmas[1:2]):
        evaluator(x, sigma, [moving[0]], [moving[1]])
        evaluator(x, sigma, [area])
    first, cut, second, cut_later = [inputs for _, inputs, _ in calls]
    assert first["context"][:, 0, 0].tolist() == [2, 3]
    assert second["context"][:, 0, 0].tolist() == [3, 4]
    assert second["context_mask"].tolist() == [[True, True, False], [True, True, True]]
    assert torch.equal(cut_later["concat"] * 2, cut["concat"])
    assert cut["concat"].shape == (1, 1, 4, 2)


def test_an_input_that_depends_on_the_step_moves_like_others():
    made = Input(torch.zeros(1, 2), at=lambda step: torch.full((1, 2), float(step.index)))
    moved = made.to(torch.device("cpu"), torch.bfloat16)
    found = moved.at_step(Step(torch.tensor([2.0]), torch.tensor([4.0, 2.0, 0.0])))
    assert found.value.dtype == torch.bfloat16
    assert found.value.tolist() == [[1.0, 1.0]]
    assert found.at is None
