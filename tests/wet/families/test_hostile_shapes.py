"""A file with any shapes is either built and fits, or is refused with a sentence."""

from contextlib import suppress

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import WeightsError
from engine.families.autoencoders import find_autoencoder
from engine.families.detect import detect
from engine.text.clip import CLIP_L
from engine.weights.apply import check
from engine.weights.state_dict import StateDict

SIZES = st.sampled_from([1, 3, 4, 8, 9, 31, 32, 64, 77, 128, 320])
EMPTY = st.permutations([0, 64, 2**31]).map(tuple) | st.sampled_from([(0, 2**31), (2**31, 0)])
"""A size without data is possible only beside a 0: the reader ensures that."""
SHAPES = st.lists(SIZES, max_size=4).map(tuple) | EMPTY


@pytest.fixture(scope="module")
def skeleton(small_tensors):
    return {name: tensor.to("meta") for name, tensor in small_tensors.items()}


def claimed(shape):
    """A tensor of that shape that takes no memory, if torch can have one at all."""
    return torch.empty(1, device="meta").expand(1, *shape)[0] if shape else torch.empty(())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_odd_shapes_are_built_or_refused(skeleton, data):
    tensors = dict(skeleton)
    names = sorted(tensors)
    structural = [n for n in names if n.endswith(("weight", "position_ids"))]
    for name in data.draw(st.lists(st.sampled_from(structural), max_size=3, unique=True)):
        tensors[name] = claimed(data.draw(SHAPES))
    for name in data.draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
        tensors.pop(name, None)
    for name in data.draw(st.lists(st.sampled_from(names), max_size=1)):
        tensors[name.replace(".0.", data.draw(st.sampled_from([".-1.", ".99.", ".x.", "."])))] = (
            tensors.get(name, claimed((1,)))
        )
    weights = StateDict.of(tensors)
    with suppress(WeightsError):
        family, config = detect(weights)
        family.latent(config)
        family.parameterization(config)
        check(family.build(config), family.denoiser(config, weights))
        text = family.encoder(weights, "clip_l")
        if text is not None:
            tensors = CLIP_L.tensors(text)
            with torch.device("meta"):
                module = CLIP_L.build(CLIP_L.config(tensors))
            check(module, tensors)
        found = find_autoencoder(family.autoencoder(weights) or StateDict({}))
        if found is not None:
            check(found.kind.build(found.config), found.tensors)
