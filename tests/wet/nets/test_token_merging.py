"""Token merging against a plain computation of the paper's section 4."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cosine_similarity
from torch.utils._python_dispatch import TorchDispatchMode

from engine.nets import token_merging
from engine.nets.hooks import NetHooks
from engine.nets.token_merging import matching, with_token_merging


def by_hand(tokens: torch.Tensor, height: int, width: int, count: int, seed: int):
    """(destinations, merged sources with their destination) of one row [N, C]."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(4, (height // 2, width // 2), generator=generator).tolist()
    destinations = [
        (2 * i + chosen[i][j] // 2) * width + 2 * j + chosen[i][j] % 2
        for i in range(height // 2)
        for j in range(width // 2)
    ]
    best = []
    for source in set(range(height * width)) - set(destinations):
        scores = [
            float(cosine_similarity(tokens[source], tokens[each], dim=0)) for each in destinations
        ]
        best.append((max(scores), source, destinations[scores.index(max(scores))]))
    best.sort(reverse=True)
    return destinations, [(source, into) for _, source, into in best[:count]]


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7)])
def test_the_most_similar_merge_into_their_mean(height: int, width: int) -> None:
    tokens = torch.randn(2, height * width, 8, generator=torch.Generator().manual_seed(2))
    count = 9
    found = matching(tokens, height, width, count, torch.Generator().manual_seed(5))
    merged, back = found.merge(tokens), found.unmerge(found.merge(tokens))
    assert merged.shape == (2, height * width - count, 8)
    for row in range(2):
        destinations, pairs = by_hand(tokens[row], height, width, count, 5)
        expected = tokens[row].clone()
        for each in destinations:
            joined = [each, *(source for source, into in pairs if into == each)]
            expected[joined] = tokens[row, joined].mean(dim=0)
        assert torch.allclose(back[row], expected, atol=1e-6)


class LargestTensor(TorchDispatchMode):
    """Notes how many values the largest new tensor has."""

    values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for each in found if isinstance(found, tuple) else (found,):
            if isinstance(each, torch.Tensor):
                self.values = max(self.values, each.numel())
        return found


def test_large_pictures_compare_some_tokens_at_a_time(monkeypatch) -> None:
    tokens = torch.randn(2, 24 * 24, 2, generator=torch.Generator().manual_seed(2))
    at_once = matching(tokens, 24, 24, 99, torch.Generator().manual_seed(5))
    monkeypatch.setattr(token_merging, "MOST_COMPARED", 3_000)
    with LargestTensor() as largest:
        found = matching(tokens, 24, 24, 99, torch.Generator().manual_seed(5))
    assert torch.equal(found.merged, at_once.merged)
    assert torch.equal(found.targets, at_once.targets)
    assert largest.values <= 3_000


def test_all_rows_draw_the_same_destinations_and_merging_none_changes_none() -> None:
    tokens = torch.randn(3, 16, 4, generator=torch.Generator().manual_seed(2))
    found = matching(tokens, 4, 4, 0, torch.Generator().manual_seed(5))
    assert found.destinations.shape == (4,)
    assert torch.equal(found.unmerge(found.merge(tokens)), tokens)


def test_more_than_there_are_sources_leaves_the_destinations() -> None:
    tokens = torch.randn(1, 16, 4, generator=torch.Generator().manual_seed(2))
    found = matching(tokens, 4, 4, 16, torch.Generator().manual_seed(5))
    assert found.merge(tokens).shape == (1, 4, 4)


def test_only_queries_of_the_full_size_merge() -> None:
    hooks = with_token_merging(NetHooks(), 0.5, torch.Generator())
    (merge,), (unmerge,) = hooks.of("attn1_patch"), hooks.of("attn1_output_patch")
    tokens = torch.randn(2, 16, 4)
    query, key, value = merge(tokens, tokens, tokens, {"original_shape": [2, 4, 4, 4]})
    assert query.shape == (2, 8, 4)
    assert key is tokens
    assert value is tokens
    assert unmerge(query, {}).shape == tokens.shape
    for shape in ([2, 4, 8, 8], [2, 4, 1, 16]):
        same = merge(tokens, tokens, tokens, {"original_shape": shape})
        assert all(each is tokens for each in same)
        assert unmerge(tokens, {}) is tokens
