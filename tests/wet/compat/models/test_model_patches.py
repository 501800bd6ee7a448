"""A pack that changes models, beside the engine's own nodes that do the same."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.compat.boundary import plugin_boundary
from engine.compat.sampling import path
from engine.diffusion.guidance import rescaled
from engine.diffusion.parameterization import Prediction, discrete
from engine.inference import sampling_path
from engine.nodekit.context import RunningContext
from engine.nodekit.registry import Registry
from engine.residency.handles import LazyWeights
from nodes.model_patches import model_sampling_discrete, rescale_cfg

PACK = Path(__file__).parents[3] / "plugins" / "model_patches" / "__init__.py"


@pytest.fixture
def pack(facade):
    spec = importlib.util.spec_from_file_location("model_patches", PACK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def patched(pack, files):
    """Runs a node of the pack."""
    registry = Registry(boundary=plugin_boundary())
    registry.add_classes(pack.NODE_CLASS_MAPPINGS, python_module="custom_nodes.model_patches")

    def run(name, model, strength=1.0):
        inputs = {"model": model, "strength": strength}
        (value,) = registry[name].run(inputs, RunningContext("1", files)).values
        return value

    path.install()
    yield run
    sampling_path.take(None)


def close(one, other):
    return torch.allclose(one, other, rtol=1e-3, atol=1e-3)


def differs(one, other):
    return (one - other).norm() > 1e-3 * other.norm()


def test_guidance_of_a_plugin_is_that_of_the_engines_node(model, run, patched):
    expected = run(rescale_cfg(model, 0.7))
    assert differs(expected, run(model))
    assert close(run(patched("RescaledGuidance", model, 0.7)), expected)


def test_what_follows_guidance_of_the_engines_node_is_applied(model, run, patched):
    value = replace(model, guidance=replace(model.guidance, combine=rescaled(0.7)))
    halved = replace(
        value, guidance=replace(value.guidance, after=(lambda _, denoised: denoised * 0.5,))
    )
    assert close(run(patched("HalvedResult", value, 0.5)), run(halved))


def test_predictions_can_be_changed_before_guidance(model, run, patched):
    found = run(patched("SwappedPredictions", model), scale=5.0)
    assert close(found, run(model, scale=-4.0))


def test_plain_attention_changes_nothing(model, run, patched):
    assert close(run(patched("PlainAttention", model)), run(model))
    assert differs(run(patched("PlainAttention", model, 0.5)), run(model))


def test_a_scaled_network(model, run, patched):
    halved = replace(
        model, guidance=replace(model.guidance, after=(lambda _, denoised: denoised * 0.5,))
    )
    assert close(run(patched("ScaledNetwork", model, 0.5)), run(halved))


def test_levels_of_a_plugin_and_of_the_engines_node(model, run, patched):
    expected = run(model_sampling_discrete(model=model, sampling="v_prediction"))
    assert close(run(patched("Velocity", model)), expected)
    # The engine's node behind a plugin's, and before it.
    eps = model_sampling_discrete(model=patched("Velocity", model), sampling="eps")
    assert close(run(eps), run(model))
    value = replace(model, parameterization=discrete(Prediction.X0))
    assert close(run(patched("Velocity", value)), expected)


def test_every_wrapper_is_called(model, run, patched, pack):
    pack.Wrapped.calls.clear()
    assert close(run(patched("Wrapped", model)), run(model))
    calls = pack.Wrapped.calls
    assert {calls[kind] for kind in ("outer_sample", "sampler_sample")} == {1}
    for kind in ("predict_noise", "calc_cond_batch", "apply_model", "diffusion_model"):
        assert calls[kind] == 2, kind


def test_a_pack_that_forgets_to_clone_changes_only_its_own_result(model, run, patched):
    plain = run(model)
    found = patched("WithoutClone", model, 0.5)
    assert torch.equal(run(model), plain)
    assert not model.options
    assert differs(run(found), plain)


def test_nodes_of_a_pack_add_up_in_any_order(model, run, patched):
    one = patched("HalvedResult", patched("ScaledNetwork", model, 0.5), 0.5)
    other = patched("ScaledNetwork", patched("HalvedResult", model, 0.5), 0.5)
    assert close(run(one), run(other))
    quartered = replace(
        model, guidance=replace(model.guidance, after=(lambda _, denoised: denoised * 0.25,))
    )
    assert close(run(one), run(quartered))


def test_patches_of_weights_are_those_of_an_adapter(model, run, patched):
    name = "input_blocks.1.1.transformer_blocks.0.attn2.to_q.weight"
    found = patched("Adapted", model, 0.5)
    net = model.net.module
    layer, last = net.get_parameter(name), net.out[2].bias
    before = layer.clone(), last.clone()
    plain = run(model)
    layer += 0.5 * (torch.ones(len(layer), 2) @ torch.ones(2, layer.shape[1]) * 0.01) / 2
    last += 0.05
    fresh = replace(model, net=LazyWeights("changed", 1, lambda: net))
    expected = run(fresh)
    layer.copy_(before[0])
    last.copy_(before[1])
    assert differs(expected, plain)
    assert close(run(found), expected)
    # Twice, in two nodes: they add up, and the first one's value stays as it is.
    twice = patched("Adapted", found, 0.5)
    assert close(run(twice), run(patched("Adapted", model, 1.0)))
    assert close(run(found), expected)
