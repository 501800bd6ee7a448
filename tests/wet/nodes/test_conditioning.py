"""The changes of each conditioning node, and that its inputs are not modified."""

from __future__ import annotations

import copy

import pytest
import torch

from engine.errors import NodeError
from nodes import conditioning as nodes


@pytest.fixture
def one():
    return [[torch.full((1, 77, 4), 1.0), {"pooled_output": torch.full((1, 4), 10.0)}]]


@pytest.fixture
def other():
    return [[torch.full((1, 154, 4), 3.0), {"pooled_output": torch.full((1, 4), 20.0)}]]


def test_combine_keeps_both(one, other):
    assert nodes.conditioning_combine(one, other) == [*one, *other]


def test_concat_joins_tokens_and_keeps_the_first_ones_values(one, other):
    ((tensor, values),) = nodes.conditioning_concat(one, other)
    assert tensor.shape == (1, 231, 4)
    assert tensor[0, 76, 0] == 1
    assert tensor[0, 77, 0] == 3
    assert values == one[0][1]


@pytest.mark.parametrize("shape", [(2, 77, 4), (1, 77, 8)])
def test_concat_of_what_does_not_go_together_is_refused(one, shape):
    with pytest.raises(NodeError, match="cannot follow each other"):
        nodes.conditioning_concat(one, [[torch.zeros(shape), {}]])


def test_average_mixes_tokens_and_pooled(one, other):
    ((tensor, values),) = nodes.conditioning_average(one, other, 0.25)
    assert torch.equal(tensor, torch.full((1, 77, 4), 0.25 + 0.75 * 3))
    assert torch.equal(values["pooled_output"], torch.full((1, 4), 2.5 + 15))
    ((longer, _),) = nodes.conditioning_average(other, one, 0.5)
    assert longer[0, 0, 0] == 2
    assert longer[0, 100, 0] == 1.5  # missing values count as zero


def test_average_of_what_does_not_go_together_is_refused(one):
    with pytest.raises(NodeError, match="of 4 and of 8 channels cannot be mixed"):
        nodes.conditioning_average(one, [[torch.zeros(1, 77, 8), {}]], 0.5)


def test_average_takes_a_missing_pooled_from_the_other(one, other):
    ((_, values),) = nodes.conditioning_average([[one[0][0], {}]], other, 0.25)
    assert torch.equal(values["pooled_output"], other[0][1]["pooled_output"])
    ((_, values),) = nodes.conditioning_average(one, [[other[0][0], {}]], 0.25)
    assert torch.equal(values["pooled_output"], one[0][1]["pooled_output"])


@pytest.mark.parametrize("name", ["conditioning_average", "conditioning_concat"])
def test_an_empty_other_is_refused(one, name):
    with pytest.raises(NodeError, match="conditioning_from"):
        getattr(nodes, name)(one, [])


def test_areas_are_kept_in_cells_or_in_parts(one):
    ((_, values),) = nodes.conditioning_set_area(one, 128, 256, 8, 16, 0.5)
    assert values["area"] == (32, 16, 2, 1)
    assert values["strength"] == 0.5
    assert values["set_area_to_bounds"] is False
    ((_, values),) = nodes.conditioning_set_area_percentage(one, 0.5, 0.25, 0.1, 0.2, 2.0)
    assert values["area"] == ("percentage", 0.25, 0.5, 0.2, 0.1)
    ((_, values),) = nodes.conditioning_set_area_strength(one, 3.0)
    assert values["strength"] == 3.0


def test_masks_and_times(one):
    ((_, values),) = nodes.conditioning_set_mask(
        one, torch.ones(8, 8), 0.7, set_cond_area="mask bounds"
    )
    assert values["mask"].shape == (1, 8, 8)
    assert values["set_area_to_bounds"] is True
    assert values["mask_strength"] == 0.7
    ((_, values),) = nodes.conditioning_set_timestep_range(one, 0.25, 0.5)
    assert (values["start_percent"], values["end_percent"]) == (0.25, 0.5)


def test_zero_out_leaves_other_values(one):
    one[0][1].update(strength=0.5, conditioning_lyrics=None)
    ((tensor, values),) = nodes.conditioning_zero_out(one)
    assert tensor.abs().max() == values["pooled_output"].abs().max() == 0
    assert values["strength"] == 0.5
    assert values["conditioning_lyrics"] is None


def test_inputs_stay_as_they_were(one, other):
    before = copy.deepcopy(one)
    nodes.conditioning_set_area(one)
    nodes.conditioning_average(one, other, 0.5)
    nodes.conditioning_zero_out(one)
    nodes.conditioning_set_mask(one, torch.ones(8, 8), set_cond_area="default")
    assert one[0][1].keys() == before[0][1].keys()
    assert torch.equal(one[0][0], before[0][0])
    assert torch.equal(one[0][1]["pooled_output"], before[0][1]["pooled_output"])
