"""A training lowers the loss, does not change the model, and resumes after a kill."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from engine.adapters.read import adapter_of
from engine.diffusion.parameterization import discrete, flow
from engine.diffusion.regions import Region
from engine.errors import NodeError, OutOfMemoryError, Stopped, WeightsError
from engine.inference.adapters import matched_with, patched_model
from engine.inference.control_run import ControlRun
from engine.inference.hook_run import HookRun
from engine.inference.sample import network_call
from engine.residency.manager import DeviceResidency, current, installed
from engine.settings import ROOT
from engine.training.adapters import OftAdapter, make_adapters
from engine.training.existing import existing_parts
from engine.training.loop import key_of, train
from engine.training.objective import target_of
from engine.training.options import ALGORITHMS, OPTIMIZERS, TrainingOptions
from engine.training.samples import make_groups
from engine.training.state import SavedState
from engine.weights.state_dict import StateDict
from tests.wet.training.conftest import latents_and_texts

QUICK = TrainingOptions(
    steps=3, batch_size=2, rank=2, training_dtype="fp32", lora_dtype="fp32", learning_rate=1e-2
)


def same(ours, theirs):
    assert ours.keys() == theirs.keys()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def output_of(model, groups):
    """The denoiser's output for a sample at one noise level."""
    sample, residency = groups[0][0], current()
    inputs = {name: each.value for name, each in sample.inputs.items()}
    levels, sigma = model.parameterization, torch.tensor([1.5])
    controls = ControlRun({}, model.net, levels.percent_to_sigma, residency, lambda: None)
    with residency.use(model.net), torch.no_grad():
        dtype = residency.dtype_of(model.net)
        hooks = HookRun(model, {}, residency)
        call = network_call(model, levels, dtype, lambda: None, sigma, controls, hooks)
        return call(sample.clean, sigma, inputs, (Region(sample.inputs),))


@pytest.mark.parametrize("make", [discrete, lambda: discrete("v"), lambda: discrete("x0"), flow])
def test_the_target_is_what_the_parameterization_calls_clean(make):
    levels = make()
    clean, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    sigma = levels.sigmas[[300, 700]]
    x = levels.add_noise(sigma, noise, clean)
    target = target_of(levels, x, sigma, clean)
    torch.testing.assert_close(levels.denoised(target, x, sigma), clean, atol=1e-4, rtol=1e-4)
    if make is discrete:
        torch.testing.assert_close(target, noise, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_a_training_lowers_the_loss_on_what_it_saw(model, groups):
    options = replace(QUICK, steps=40, batch_size=3, gradient_checkpointing=False)
    losses = train(model, groups, options).losses
    assert len(losses) == 40
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_finished_file_does_what_the_training_did(algorithm, model, groups):
    options = replace(QUICK, algorithm=algorithm, steps=2)
    before = output_of(model, groups)
    trained = train(model, groups, options)
    assert torch.equal(output_of(model, groups), before), "the model itself was changed"
    adapter = adapter_of(StateDict.of(trained.tensors), "trained")
    matched = matched_with(adapter, model, None)
    patched = patched_model(model, matched, 1.0)
    layers = [
        name
        for name, layer in model.net.module.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    assert len(patched.net.patches) == len(layers)
    after = output_of(patched, groups)
    assert (after - before).abs().max() > 1e-4
    # The loss of the final weights: a step of nearly zero length from the end.
    again = replace(options, steps=1, learning_rate=1e-7)
    existing, said = existing_parts(adapter, model)
    assert said == []
    with_file = train(model, groups, again, existing=existing).losses
    with_patches = train(patched, groups, again).losses
    assert with_file == pytest.approx(with_patches, rel=1e-4)


def test_computing_blocks_twice_changes_nothing(model, groups):
    once = train(model, groups, replace(QUICK, gradient_checkpointing=False))
    assert same(once.tensors, train(model, groups, QUICK).tensors)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_interrupted_training_ends_like_one_that_was_not(optimizer, model, groups, tmp_path):
    options = replace(QUICK, steps=5, optimizer=optimizer, learning_rate=1e-3)
    whole = train(model, groups, options)
    key = key_of(model, groups, options)
    saved = SavedState(tmp_path / "training" / "state.safetensors", key)

    def stop_after_three(step, steps, losses):
        if step == 3:
            raise Stopped

    with pytest.raises(Stopped):
        train(model, groups, options, saved=saved, save_every=2, on_step=stop_after_three)
    resumed = train(model, groups, options, saved=saved)
    assert resumed.resumed_at == 2
    assert resumed.losses == whole.losses
    assert same(resumed.tensors, whole.tensors)


def test_a_stop_is_heard_within_a_step_and_saves_it(model, groups, tmp_path):
    saved = SavedState(tmp_path / "state.safetensors", "key")
    blocks, steps = [], []

    def checkpoint():
        blocks.append(len(steps))
        if blocks.count(2) == 3:  # the third block of the third step
            raise Stopped

    def on_step(step, _, losses):
        steps.append(step)

    with pytest.raises(Stopped):
        train(model, groups, QUICK, saved=saved, checkpoint=checkpoint, on_step=on_step)
    assert steps == [1, 2]
    assert train(model, groups, QUICK, saved=saved).resumed_at == 2


def test_a_stop_is_heard_in_the_backward_pass(model, groups, tmp_path, monkeypatch):
    saved = SavedState(tmp_path / "state.safetensors", "key")
    backward, passes = torch.Tensor.backward, []

    def watched(loss):
        passes.append(True)
        backward(loss)
        passes[-1] = False

    def checkpoint():
        if len(passes) == 2 and passes[-1]:
            raise Stopped

    monkeypatch.setattr(torch.Tensor, "backward", watched)
    with pytest.raises(Stopped):
        train(model, groups, QUICK, saved=saved, checkpoint=checkpoint)
    monkeypatch.undo()
    resumed = train(model, groups, QUICK, saved=saved)
    assert resumed.resumed_at == 1
    assert same(resumed.tensors, train(model, groups, QUICK).tensors)


def test_another_training_does_not_go_on_from_the_state(model, groups, tmp_path):
    path = tmp_path / "state.safetensors"
    options = replace(QUICK, steps=2)
    train(model, groups, options, saved=SavedState(path, "one"), save_every=1)
    assert train(model, groups, options, saved=SavedState(path, "other")).resumed_at == 0
    path.write_bytes(b"damaged")
    assert train(model, groups, options, saved=SavedState(path, "one")).resumed_at == 0
    keys = {key_of(model, groups, replace(options, seed=seed)) for seed in (1, 1, 2)}
    assert len(keys) == 2


SCRIPT = """
import sys, time, torch
from pathlib import Path
from engine.inference.load import load_checkpoint
from engine.residency.manager import DeviceResidency, install
from engine.training.loop import train
from engine.training.samples import make_groups
from engine.training.state import SavedState
from tests.wet.training.conftest import latents_and_texts
from tests.wet.training.test_loop import QUICK
from dataclasses import replace
install(DeviceResidency(torch.device("cpu"), torch.float32))
torch.set_num_threads(1)
model = load_checkpoint(Path(sys.argv[1]))[0]
groups = make_groups(model, *latents_and_texts(width=model.config.unet.context_channels))
def on_step(step, steps, losses):
    print(step, flush=True)
    if step == 3:
        time.sleep(600)
saved = SavedState(Path(sys.argv[2]), "killed")
train(model, groups, replace(QUICK, steps=5), saved=saved, save_every=1, on_step=on_step)
"""


def test_a_killed_training_ends_with_the_same_weights(model, groups, checkpoint_file, tmp_path):
    options, path = replace(QUICK, steps=5), tmp_path / "state.safetensors"
    command = [sys.executable, "-c", SCRIPT, str(checkpoint_file), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as worker:
        assert worker.stdout is not None
        seen = [worker.stdout.readline().strip() for _ in range(3)]
        worker.send_signal(signal.SIGKILL)
    assert seen == ["1", "2", "3"]
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # like the worker, so that sums have the same order
    try:
        resumed = train(model, groups, options, saved=SavedState(path, "killed"))
        whole = train(model, groups, options)
    finally:
        torch.set_num_threads(before)
    assert resumed.resumed_at == 3
    assert resumed.losses == whole.losses
    assert same(resumed.tensors, whole.tensors)


def test_it_trains_where_nodes_run(model, checkpoint_file):
    with torch.inference_mode():
        width = model.config.unet.context_channels
        groups = make_groups(model, *latents_and_texts(width=width))
        assert len(train(model, groups, replace(QUICK, steps=1)).losses) == 1


def test_half_precision_keeps_finer_weights(model, groups):
    options = replace(QUICK, training_dtype="bf16", lora_dtype="bf16", steps=2)
    trained = train(model, groups, options)
    assert {tensor.dtype for tensor in trained.tensors.values()} == {torch.bfloat16}


def test_what_does_not_fit_is_a_sentence(model, groups):
    tight = DeviceResidency(torch.device("cpu"), torch.float32, budget=1000)
    refused = pytest.raises(OutOfMemoryError, match="training needs the whole model")
    with installed(tight), refused:
        train(model, groups, QUICK)


def test_a_training_that_comes_apart_is_a_sentence(model, groups):
    with pytest.raises(WeightsError, match="came apart at step"):
        train(model, groups, replace(QUICK, steps=20, learning_rate=1e30, optimizer="SGD"))


def test_pictures_and_texts_must_match(model):
    width = model.config.unet.context_channels
    latents, texts = latents_and_texts(3, width)
    with pytest.raises(NodeError, match="3 pictures in 3 latents and 2 conditionings"):
        make_groups(model, latents, texts[:2])
    with pytest.raises(NodeError, match="combined conditionings"):
        make_groups(model, latents[:1], [[*texts[0], *texts[1]]])
    with pytest.raises(NodeError, match="nothing to train on"):
        make_groups(model, [], texts)


def test_sizes_make_groups_and_buckets_hold_a_text_for_each(model):
    width = model.config.unet.context_channels
    latents, texts = latents_and_texts(4, width)
    latents[3]["samples"] = torch.randn(1, 4, 8, 16)
    assert [len(group) for group in make_groups(model, latents, texts)] == [3, 1]
    bucket = {"samples": torch.cat([each["samples"] for each in latents[:3]])}
    groups = make_groups(model, [bucket], [[each[0] for each in texts[:3]]])
    assert torch.equal(groups[0][2].inputs["context"].value, texts[2][0][0])


def test_blocks_of_a_rotation_divide_the_channels():
    network = nn.Sequential(nn.Linear(4, 10), nn.Conv2d(3, 7, 3))
    adapters = make_adapters(network, "OFT", 4, seed=0)
    blocks = [each.oft_blocks for each in adapters.values() if isinstance(each, OftAdapter)]
    assert [tuple(each.shape) for each in blocks] == [(5, 2, 2), (7, 1, 1)]
