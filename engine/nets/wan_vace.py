"""Several videos to follow at once for Wan's VACE, whose network is diffusers' class for one.

Jiang et al. 2025, "VACE: All-in-One Video Creation and Editing" (arXiv 2503.07598): blocks beside
the network's own read a video to follow and what the first layer makes of the noisy one, and what
they make is added behind some of the network's blocks. They do not read what those blocks make, so
several videos can be followed side by side, and what is made of them is added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def follow_each(net: nn.Module, strengths: Tensor) -> Iterator[None]:
    """Have a network follow n videos, which are given as one of n times the channels, in a `with`.

    Args:
        net: diffusers' class, called with `control_hidden_states` [B, n C, t, h, w].
        strengths: [B, n], how much each counts.
    """
    layer: Any = net.vace_patch_embedding
    blocks: list[Any] = list(net.vace_blocks)  # type: ignore[arg-type]
    count = strengths.shape[1]

    def embed(original: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: torch.cat([original(each) for each in x.chunk(count, dim=1)], dim=1)

    def follow(original: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Any]:
        def block(
            hidden: Tensor, text: Tensor, followed: Tensor, time: Tensor, places: Any
        ) -> tuple[Tensor, Tensor]:
            added, states = None, []
            for number, state in enumerate(followed.chunk(count, dim=-1)):
                hint, after = original(hidden, text, state, time, places)
                hint = hint * strengths[:, number, None, None].to(hint.dtype)
                added = hint if added is None else added + hint
                states.append(after)
            return added, torch.cat(states, dim=-1)  # type: ignore[return-value]

        return block

    # Attributes of the instances, so that hooks around the calls remain.
    layer.__dict__["forward"] = embed(layer.forward)
    for each in blocks:
        each.__dict__["forward"] = follow(each.forward)
    try:
        yield
    finally:
        for each in (layer, *blocks):
            del each.__dict__["forward"]
