"""Hypernetworks, against layers written out in torch."""

import os
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import WeightsError
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, RandomNoise, Sampler
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, current, installed
from nodes.hypernetworks import load_hypernetwork_file
from nodes.loaders import load_checkpoint_file

SIGMAS = torch.tensor([14.0, 3.0, 0.0])
TEXT, NARROW = 64, 32
"""Widths of the tokens in the small checkpoint: of its text, and of its first level."""


def layers(width: int, *factors: float, norm: bool = False, seed: int = 0) -> dict:
    """Layers of one network: projections, each followed by a norm if `norm`, random."""
    generator = torch.Generator().manual_seed(seed + width)
    sizes = [int(width * factor) for factor in (1, *factors, 1)]
    found, number = {}, 0
    for narrow, wide in pairwise(sizes):
        found[f"linear.{number}.weight"] = torch.randn(wide, narrow, generator=generator) * 0.2
        found[f"linear.{number}.bias"] = torch.randn(wide, generator=generator) * 0.1
        number += 2  # the activation between them has a number too
        if norm:
            found[f"linear.{number}.weight"] = torch.rand(wide, generator=generator) + 0.5
            found[f"linear.{number}.bias"] = torch.randn(wide, generator=generator) * 0.1
            number += 1
    return found


def document(**settings) -> dict:
    norm = settings.get("is_layer_norm", False)
    pairs = {
        width: [layers(width, 2, norm=norm), layers(width, 2, norm=norm, seed=9)]
        for width in (NARROW, TEXT)
    }
    return {
        **pairs,
        "activation_func": "relu",
        "is_layer_norm": False,
        "activate_output": False,
        "layer_structure": [1, 2, 1],
        "name": "mine",
        "step": 10,
        **settings,
    }


@pytest.fixture
def shown():
    return []


@pytest.fixture
def context(files, settings, small_tensors, shown, cpu_residency):
    models = settings.models_directories[0]
    for kind in ("checkpoints", "hypernetworks"):
        (models / kind).mkdir(parents=True)
    save_file(small_tensors, models / "checkpoints" / "small.safetensors")

    class Watched(RunningContext):
        def show(self, **more):
            shown.append(more)

    return Watched("1", files)


@pytest.fixture
def model(context):
    return load_checkpoint_file("small.safetensors", context)[0]


@pytest.fixture
def folder(context, settings):
    return settings.models_directories[0] / "hypernetworks"


def run(model):
    text = [[[torch.linspace(-1, value, 5 * TEXT).reshape(1, 5, TEXT), {}]] for value in (1, 0.5)]
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    euler = Sampler(SAMPLERS["euler"])
    return sample(CfgGuider(model, *text, 5.0), RandomNoise(1), euler, SIGMAS, latent).samples


def strays(found, expected) -> float:
    return float((found - expected).norm() / expected.norm())


def by_hand(model, held: dict, strength: float, activation, *, activate_output: bool = False):
    """The model with the layers of a document as a plain hook."""

    def network(x, tensors):
        before = x
        weights = [name for name in tensors if name.endswith("weight")]
        last = [name for name in weights if tensors[name].ndim == 2][-1]
        for name in weights:
            weight, bias = tensors[name], tensors[name.replace("weight", "bias")]
            if weight.ndim == 1:
                x = functional.layer_norm(x, weight.shape, weight, bias)
                continue
            x = x @ weight.T + bias
            if name != last or activate_output:
                x = activation(x)
        return before + strength * x

    def patch(query, key, value, options):
        of_key, of_value = held.get(key.shape[-1], (None, None))
        if of_key is None:
            return query, key, value
        return query, network(key, of_key), network(value, of_value)

    hooks = model.hooks.with_patch("attn1_patch", patch).with_patch("attn2_patch", patch)
    return replace(model, hooks=hooks)


@pytest.mark.parametrize("strength", [1.0, -0.5])
@pytest.mark.parametrize(
    ("written", "activation"),
    [
        ({}, torch.relu),
        ({"activation_func": "swish", "is_layer_norm": True}, functional.hardswish),
        ({"activation_func": "mish", "activate_output": True}, functional.mish),
        ({"activation_func": None}, lambda x: x),
    ],
)
def test_it_computes_what_its_layers_say(context, model, folder, written, activation, strength):
    held = document(**written)
    torch.save(held, folder / "mine.pt")
    found = run(load_hypernetwork_file(model, "mine.pt", context, strength))
    plain = run(model)
    output = written.get("activate_output", False)
    expected = run(by_hand(model, held, strength, activation, activate_output=output))
    assert strays(found, expected) < 1e-5
    assert strays(found, plain) > 1e-2
    assert torch.equal(run(model), plain)  # the model itself is not changed


def test_names_of_the_first_files_and_a_silent_file(context, model, folder):
    """Two layers named `linear1`, `linear2`, and no settings."""
    new = document()
    old = {
        width: [
            {
                name.replace("linear.0", "linear1").replace("linear.2", "linear2"): each
                for name, each in part.items()
            }
            for part in new[width]
        ]
        for width in (NARROW, TEXT)
    }
    torch.save(old, folder / "old.pt")
    found = run(load_hypernetwork_file(model, "old.pt", context))
    assert strays(found, run(by_hand(model, new, 1.0, lambda x: x))) < 1e-5


def test_two_in_sequence_are_one_handle_and_apply_in_order(context, model, folder):
    held = document()
    torch.save(held, folder / "mine.pt")
    once = load_hypernetwork_file(model, "mine.pt", context, 0.5)
    twice = load_hypernetwork_file(once, "mine.pt", context, -0.3)
    first, second = twice.hooks.of("attn1_patch")
    assert first.weights is second.weights
    expected = by_hand(by_hand(model, held, 0.5, torch.relu), held, -0.3, torch.relu)
    assert strays(run(twice), run(expected)) < 1e-5
    before = current().held
    run(model)
    assert current().held == before  # nothing else was brought
    file = folder / "mine.pt"
    given = {"model": model, "hypernetwork_name": "mine.pt"}
    fingerprint = load_hypernetwork_file.fingerprint_of(given, context)
    torch.save({**held, "step": 11}, file)
    os.utime(file, ns=(1, 1))
    assert load_hypernetwork_file.fingerprint_of(given, context) != fingerprint
    again = load_hypernetwork_file(model, "mine.pt", context)
    assert again.hooks.of("attn1_patch")[0].weights is not first.weights


def test_it_streams_and_computes_in_the_dtype_of_the_run(context, model, folder):
    torch.save(document(), folder / "mine.pt")
    found = load_hypernetwork_file(model, "mine.pt", context)
    expected = run(found)
    current().release(2**40)
    cpu = torch.device("cpu")
    with installed(DeviceResidency(cpu, torch.float32, resident=1, block_limit=2**16)) as tight:
        assert strays(run(found), expected) < 1e-5
        assert tight.held < model.net.size  # as stored, in half the bytes
        tight.release(2**40)
    with installed(DeviceResidency(cpu, torch.bfloat16)):
        assert 1e-5 < strays(run(found), expected) < 0.2


def test_strength_0_changes_nothing(context, model, folder):
    torch.save(document(), folder / "mine.pt")
    assert load_hypernetwork_file(model, "mine.pt", context, 0.0) is model


def test_one_for_other_widths_says_that_it_has_no_effect(context, model, folder, shown):
    torch.save({48: [layers(48, 2)] * 2}, folder / "other.pt")
    found = load_hypernetwork_file(model, "other.pt", context)
    (sentence,) = shown[0]["text"]
    assert "other.pt has no effect: it was made for tokens of 48 numbers" in sentence
    assert "Stable Diffusion 1) has 32, 64" in sentence
    assert torch.equal(run(found), run(model))


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        ({320: [layers(320, 2)]}, "for 320 channels it should hold two lists of layers, found 1"),
        ({320: "x"}, "for 320 channels it should hold two lists of layers, found str"),
        ({64: [layers(64, 2), {}]}, "damaged hypernetwork: the layers for 64 channels have no"),
        ({64: [layers(48, 2)] * 2}, r"linear\.0\.weight has the shape \[96, 48\] where 64"),
        (
            {64: [{k: v for k, v in layers(64, 2).items() if "2.bias" not in k}] * 2},
            r"missing \(2\): networks\.64\.0\.linear\.2\.bias 64",
        ),
        ({**document(), "activation_func": "cube"}, "its activation is 'cube'; known are celu"),
        ({"state_dict": {}}, r"should hold two lists of layers by width .* found 1 entries"),
        ([1], "found 1 items"),
    ],
)
def test_a_damaged_or_foreign_file_gets_a_sentence(context, model, folder, held, sentence):
    torch.save(held, folder / "bad.pt")
    with pytest.raises(WeightsError, match=rf"bad\.pt.*{sentence}"):
        load_hypernetwork_file(model, "bad.pt", context)


class Payload:
    def __reduce__(self):
        return (os.system, ("true",))


def test_what_is_no_pickle_or_a_hostile_one_is_refused(context, model, folder):
    torch.save({**document(), "evil": Payload()}, folder / "evil.pt")
    with pytest.raises(WeightsError, match="refused, for it wants to call functions"):
        load_hypernetwork_file(model, "evil.pt", context)
    save_file({"a": torch.zeros(1)}, folder / "other.safetensors")
    with pytest.raises(WeightsError, match="not a hypernetwork: begins with"):
        load_hypernetwork_file(model, "other.safetensors", context)
    (folder / "cut.pt").write_bytes((folder / "evil.pt").read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"cut\.pt: not a readable PyTorch checkpoint"):
        load_hypernetwork_file(model, "cut.pt", context)
