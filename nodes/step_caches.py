"""Nodes that leave out steps of a model's network where they would change little."""

from __future__ import annotations

from typing import Annotated

from engine.inference.step_cache import CacheRange, with_easy_cache, with_lazy_cache
from engine.nodekit.contract import node
from engine.nodekit.markers import Range
from nodes.sampling import Share
from nodes.sockets import Model

CATEGORY = "advanced/debug/model"
Threshold = Annotated[float, Range(0.0, 3.0, step=0.01)]


@node("EasyCache", category=CATEGORY, display="EasyCache", experimental=True)
def easy_cache(
    model: Model,
    reuse_threshold: Threshold = 0.2,
    start_percent: Share = 0.15,
    end_percent: Share = 0.95,
    verbose: bool = False,
) -> Model:
    """Faster sampling, by leaving out steps of the network that would change little (EasyCache).

    A higher `reuse_threshold` leaves out more steps, between `start_percent` and `end_percent` of
    sampling. `verbose` logs them.
    """
    return with_easy_cache(model, CacheRange(reuse_threshold, start_percent, end_percent, verbose))


@node("LazyCache", category=CATEGORY, display="LazyCache", experimental=True)
def lazy_cache(
    model: Model,
    reuse_threshold: Threshold = 0.2,
    start_percent: Share = 0.15,
    end_percent: Share = 0.95,
    verbose: bool = False,
) -> Model:
    """A simpler EasyCache, for any model: it judges the guided prediction instead of the network.

    A higher `reuse_threshold` leaves out more steps, between `start_percent` and `end_percent` of
    sampling. `verbose` logs them.
    """
    return with_lazy_cache(model, CacheRange(reuse_threshold, start_percent, end_percent, verbose))
