"""Checkpoints open lazily, run in any dtype, and errors are raised before anything runs."""

import dataclasses
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from engine.diffusion.conditioning import Role
from engine.errors import WeightsError
from engine.families.family import Entry, Run
from engine.inference.encode import encode
from engine.inference.load import load_checkpoint, load_vae, pixel_space_vae
from engine.residency.manager import DeviceResidency, installed

CPU = torch.device("cpu")
UNET = "model.diffusion_model."


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


@pytest.fixture
def saved(small_tensors, tmp_path):
    """Write a changed copy of the small checkpoint."""

    def save(change=lambda tensors: None, *, name="model.safetensors", dtype=None):
        tensors = dict(small_tensors)
        if dtype:
            tensors = {n: t.to(dtype) if t.is_floating_point() else t for n, t in tensors.items()}
        change(tensors)
        path = tmp_path / name
        if path.suffix == ".safetensors":
            save_file({n: t.contiguous() for n, t in tensors.items()}, path)
        else:
            torch.save({"state_dict": tensors, "global_step": 7, "epoch": 1}, path)
        return path

    return save


def handles(path):
    model, clip, vae = load_checkpoint(path)
    return model.net, clip.parts["clip_l"].weights, vae.autoencoder


def run(path, residency_dtype=torch.float32, residency=None, **more):
    """One pass through each part."""
    model, clip, vae = load_checkpoint(path, **more)
    residency = residency or DeviceResidency(CPU, residency_dtype, budget=10**9)
    with installed(residency):
        ((text, extras),) = encode(clip, "a red sun", lambda *_: None)
    computed = more.get("dtype") or residency_dtype
    x = torch.linspace(-1, 1, 4 * 8 * 8).reshape(1, 4, 8, 8)
    with residency.use(model.net):
        entry = Entry(text.to(computed), extras)
        inputs = model.family.inputs(model.config, entry, run=Run(x.shape), role=Role.POSITIVE)
        noise = model.family.predict(
            model.net.module,
            x.to(computed),
            torch.tensor([500.0]),
            {name: each.value for name, each in inputs.items()},
            control=None,
            hooks=None,
            checkpoint=lambda: None,
        )
    with residency.use(vae.autoencoder):
        picture = vae.autoencoder.module.decode(x.to(computed))
    return text, noise.float(), picture.float()


def test_nothing_is_read_before_it_is_used(saved):
    path = saved()
    model, _, vae = load_checkpoint(path)
    assert not any(handle.is_loaded for handle in handles(path))
    sizes = sum(handle.size for handle in handles(path))
    assert 0.99 * path.stat().st_size < sizes < path.stat().st_size
    assert model.net.name == "model.safetensors, denoiser"
    assert model.latent.channels == vae.latent.channels == 4


STORED = [torch.float16, torch.bfloat16, torch.float32, torch.float8_e4m3fn]


@pytest.mark.parametrize("stored", STORED)
def test_files_of_every_dtype_run_alike(saved, stored):
    expected = run(saved(dtype=torch.float32))
    found = run(saved(dtype=stored, name="other.safetensors"))
    # The small file is fp16, so fp16 and fp32 hold the same numbers; but views of a file have
    # another alignment, which changes the order of some sums. bf16 keeps 8 bits, fp8 4.
    tolerance = {torch.bfloat16: 0.05, torch.float8_e4m3fn: 0.5}.get(stored, 1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        error = (ours - theirs).norm() / theirs.norm()
        assert error <= tolerance, error


def test_the_cpu_s_short_dtype_stays_close(saved):
    path = saved()
    for ours, theirs in zip(run(path, torch.bfloat16), run(path), strict=True):
        assert (ours - theirs).norm() / theirs.norm() < 0.05


def test_a_dtype_can_be_asked_of_one_checkpoint(saved):
    path = saved()
    found = run(path, torch.bfloat16, dtype=torch.float32)
    for ours, theirs in zip(found, run(path), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("share", [0.8, 0.5])
def test_what_does_not_fit_is_streamed_and_computes_the_same(saved, share):
    net, _, autoencoder = handles(saved())
    x, context = torch.linspace(-1, 1, 256).reshape(1, 4, 8, 8), torch.ones(1, 77, 64)

    def both(residency):
        with residency.use(net):
            noise = net.module(x, torch.tensor([500.0]), context)
        with residency.use(autoencoder):
            picture = autoencoder.module.decode(x)
        return noise, picture, residency.release(10**9)

    *expected, whole = both(DeviceResidency(CPU, torch.float32, budget=10**9))
    assert whole > net.size + autoencoder.size
    budget = int(net.size * 2 * share)  # twice as large in fp32
    *found, held = both(DeviceResidency(CPU, torch.float32, budget=budget, block_limit=budget // 8))
    assert 0 < held <= budget
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


def test_a_ckpt_of_tensors_runs_like_its_safetensors_twin(saved):
    for ours, theirs in zip(run(saved(name="model.ckpt")), run(saved()), strict=True):
        assert torch.equal(ours, theirs)


def remove(name):
    return lambda tensors: tensors.pop(name)


def reshape(name):
    return lambda tensors: tensors.update({name: torch.ones(5, 7)})


WRONG = {
    "a missing tensor of the denoiser": (
        remove(f"{UNET}out.0.weight"),
        r"model\.safetensors, denoiser: .*missing \(1\): out\.0\.weight 32",
    ),
    "a misshapen one": (
        reshape(f"{UNET}time_embed.2.bias"),
        r"denoiser: .*time_embed\.2\.bias: found 5x7, expected 128",
    ),
    "a stranger in the denoiser": (
        lambda tensors: tensors.update({f"{UNET}out.7.weight": torch.ones(2)}),
        r"denoiser: .*not part of the network \(1\): out\.7\.weight 2",
    ),
    "a missing tensor of the text encoder": (
        remove("cond_stage_model.transformer.text_model.final_layer_norm.bias"),
        r"text encoder CLIP L: .*missing \(1\): final_layer_norm\.bias",
    ),
    "a missing tensor of the autoencoder": (
        remove("first_stage_model.decoder.norm_out.bias"),
        r"autoencoder: .*missing \(1\): decoder\.norm_out\.bias",
    ),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_fit_is_said_when_the_file_is_opened(saved, change, said):
    with pytest.raises(WeightsError, match=said):
        load_checkpoint(saved(change))


def test_a_part_that_is_not_there_is_an_error_only_for_its_user(saved):
    def only_the_unet_and_clip(tensors):
        for name in list(tensors):
            if name.startswith("first_stage_model."):
                del tensors[name]

    model, _, vae = load_checkpoint(saved(only_the_unet_and_clip))
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    with residency.use(model.net):
        pass
    with (
        pytest.raises(WeightsError, match=r"model\.safetensors, autoencoder: .*Load VAE"),
        residency.use(vae.autoencoder),
    ):
        pass


def test_an_autoencoder_of_its_own(saved, small_tensors):
    def only_the_autoencoder(tensors):
        for name in list(tensors):
            tensor = tensors.pop(name)
            if name.startswith("first_stage_model."):
                tensors[name.removeprefix("first_stage_model.")] = tensor

    whole = load_vae(saved())
    alone = load_vae(saved(only_the_autoencoder, name="vae.safetensors"))
    z = torch.linspace(-1, 1, 64).reshape(1, 4, 4, 4)
    residency = DeviceResidency(CPU, torch.float32, budget=10**9)
    with residency.use(whole.autoencoder, alone.autoencoder):
        expected = whole.autoencoder.module.decode(z)
        assert torch.equal(alone.autoencoder.module.decode(z), expected)
    assert alone.latent.downscale == (8, 8)


def test_an_autoencoder_of_diffusers_layout_computes_what_diffusers_does(tmp_path):
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    theirs = AutoencoderKL(
        block_out_channels=(32, 64),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        sample_size=16,
    ).eval()
    path = tmp_path / "diffusion_pytorch_model.safetensors"
    save_file(theirs.state_dict(), path)
    vae = load_vae(path)
    z, pixels = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16, 16)
    with DeviceResidency(CPU, torch.float32, budget=10**9).use(vae.autoencoder):
        decoded = vae.autoencoder.module.decode(z)
        encoded = vae.autoencoder.module.encode(pixels)
    torch.testing.assert_close(decoded, theirs.decode(z).sample, rtol=0, atol=1e-5)
    expected = theirs.encode(pixels).latent_dist.mean
    torch.testing.assert_close(encoded, expected, rtol=0, atol=1e-5)
    assert vae.latent.downscale == (2, 2)


def test_pixel_space_changes_nothing():
    vae = pixel_space_vae()
    picture = torch.rand(1, 3, 5, 7)
    with DeviceResidency(CPU, torch.float32, budget=0).use(vae.autoencoder):
        assert torch.equal(vae.autoencoder.module.encode(picture), picture)
        assert torch.equal(vae.autoencoder.module.decode(picture), picture)
    assert (vae.latent.downscale, vae.latent.channels) == ((1, 1), 3)


def test_the_reference_s_checkpoint_loads_and_runs(tiny15_checkpoint):
    text, noise, picture = run(tiny15_checkpoint)
    assert text.shape == (1, 77, 768)
    assert noise.shape == (1, 4, 8, 8)
    assert picture.shape == (1, 3, 64, 64)
    assert all(found.isfinite().all() for found in (text, noise, picture))


def test_a_changed_copy_shares_the_weights(saved):
    model, _, _ = load_checkpoint(saved())
    assert dataclasses.replace(model, options={"a": 1}).net is model.net


FULL_SIZE = """
import resource, sys, torch
from pathlib import Path
from engine.inference.encode import encode
from engine.inference.load import load_checkpoint
from engine.residency.device import use_physical_cores
from engine.residency.manager import DeviceResidency, installed
use_physical_cores()
model, clip, vae = load_checkpoint(Path(sys.argv[1]))
residency = DeviceResidency(torch.device("cpu"), torch.bfloat16)
with torch.inference_mode():
    with installed(residency):
        ((text, extras),) = encode(clip, "a red sun", lambda *_: None)
    with residency.use(model.net):
        x = torch.randn(1, 4, 16, 16).bfloat16()
        found = model.net.module(x, torch.tensor([500.0]), text.bfloat16())
    with residency.use(vae.autoencoder):
        picture = vae.autoencoder.module.decode(x)
assert found.shape == x.shape and found.isfinite().all()
assert picture.shape == (1, 3, 128, 128) and picture.isfinite().all()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
def test_a_full_size_checkpoint_in_the_true_layout_runs(sd15_checkpoint):
    path = sd15_checkpoint
    assert 2.0e9 < path.stat().st_size < 2.2e9
    script = [sys.executable, "-c", FULL_SIZE, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or "." for p in sys.path)}
    done = subprocess.run(script, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    # One copy of the weights, not two: 1.35 of the file, and the libraries.
    assert int(done.stdout) < 1.35 * path.stat().st_size + 0.6e9
