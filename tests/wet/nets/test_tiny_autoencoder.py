"""Tiny autoencoders of random weights equal diffusers' AutoencoderTiny, in every layout."""

import os

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import WeightsError
from engine.families.tiny_autoencoders import RELEASES, find_tiny
from engine.inference.load import load_tiny_vae, load_vae
from engine.inference.vae import decode, encode
from engine.nodekit.context import RunningContext
from engine.tiny_names import TINY_AUTOENCODERS
from nodes.model_saving import save_vae

TOLERANCE = 1e-5
HALVES = {"encoder": 0, "decoder": 1}
"""The number of diffusers' first layer in the original files: they count the decoder's clamp."""


@pytest.fixture(scope="module")
def oracle_of():
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import AutoencoderTiny

    def made(channels=4, **sizes):
        with torch.random.fork_rng():
            torch.manual_seed(channels)
            return AutoencoderTiny(latent_channels=channels, **sizes).eval()

    return made


def originals(oracle):
    """The two files of the original layout."""
    files = {"encoder": {}, "decoder": {}}
    for key, tensor in oracle.state_dict().items():
        half, _, number, rest = key.split(".", 3)
        files[half][f"{int(number) + HALVES[half]}.{rest}"] = tensor.contiguous()
    return files


def saved(folder, oracle, layout, name, release):
    """The files of an oracle in one of the layouts."""
    if layout == "diffusers":
        save_file(oracle.state_dict(), folder / f"{name}.safetensors")
        return [folder / f"{name}.safetensors"]
    halves = originals(oracle)
    if layout == "one file":
        both = {f"taesd_{half}.{k}": t for half, found in halves.items() for k, t in found.items()}
        both["vae_scale"] = torch.tensor(release.scale)
        both["vae_shift"] = torch.tensor(release.shift)
        save_file(both, folder / f"{name}.safetensors")
        return [folder / f"{name}.safetensors"]
    paths = []
    for half, found in halves.items():
        paths.append(folder / f"{name}_{half}.{'pth' if layout == 'pth' else 'safetensors'}")
        if layout == "pth":
            torch.save(found, paths[-1])
        else:
            save_file(found, paths[-1])
    return paths


@pytest.mark.parametrize(("name", "channels"), [("taesd", 4), ("taesdxl", 4), ("taef1", 16)])
@pytest.mark.parametrize("layout", ["pth", "safetensors", "diffusers", "one file"])
def test_it_is_diffusers_own(cpu_residency, tmp_path, oracle_of, name, channels, layout):
    oracle, release = oracle_of(channels), RELEASES[name]
    paths = saved(tmp_path, oracle, layout, name, release)
    vae = load_vae(paths[0]) if layout == "one file" else load_tiny_vae(name, paths)
    assert vae.latent.downscale == (8, 8)
    assert vae.latent.channels == channels
    generator = torch.Generator().manual_seed(3)
    pixels = torch.rand(2, 24, 32, 3, generator=generator)
    with torch.no_grad():
        theirs = oracle.encode(pixels.movedim(-1, 1) * 2 - 1).latents
    # The denoiser's scale is the tiny autoencoder's own.
    latent = encode(vae, pixels)
    ours = (latent - release.shift) * release.scale
    assert float((ours - theirs).abs().max()) <= TOLERANCE * float(theirs.abs().max())
    z = torch.randn(2, channels, 3, 4, generator=generator)
    with torch.no_grad():
        picture = oracle.decode(z).sample.clamp(-1, 1).movedim(1, -1) / 2 + 0.5
    found = decode(vae, z / release.scale + release.shift)
    assert float((found - picture).abs().max()) <= TOLERANCE


def test_a_saved_one_comes_back(cpu_residency, tmp_path, oracle_of, files):
    paths = saved(tmp_path, oracle_of(), "safetensors", "taesd", None)
    vae = load_tiny_vae("taesd", paths)
    ctx = RunningContext("1", files)
    save_vae(vae, ctx)
    [path] = files.folders("output")[0].glob("vae/*")
    again = load_vae(path)
    assert (again.config.encoder, again.config.decoder) == (vae.config.encoder, vae.config.decoder)
    assert again.config.scale == pytest.approx(vae.config.scale)
    z = torch.randn(1, 4, 3, 4)
    assert torch.equal(decode(again, z), decode(vae, z))


def test_other_widths_and_depths_come_from_shapes(cpu_residency, tmp_path, oracle_of):
    sizes = {
        "encoder_block_out_channels": (32, 32, 32),
        "decoder_block_out_channels": (32, 32, 32),
        "num_encoder_blocks": (1, 2, 1),
        "num_decoder_blocks": (2, 1, 1),
    }
    oracle = oracle_of(8, **sizes)
    vae = load_tiny_vae("taesd", saved(tmp_path, oracle, "safetensors", "taesd", None))
    assert vae.latent.downscale == (4, 4)
    z = torch.randn(1, 8, 3, 5)
    with torch.no_grad():
        theirs = oracle.decode(z).sample.clamp(-1, 1).movedim(1, -1) / 2 + 0.5
    assert float((decode(vae, z / 0.18215) - theirs).abs().max()) <= TOLERANCE


def test_the_names_are_those_that_files_are_found_by():
    assert tuple(RELEASES) == TINY_AUTOENCODERS


def damaged(change):
    """The halves of a tiny autoencoder, changed."""

    def made(oracle):
        halves = originals(oracle)
        change(halves)
        return halves

    return made


FAULTS = {
    "a layer is missing": (
        lambda h: h["decoder"].pop("7.weight"),
        r"decoder\.6 has no tensors",
    ),
    "a layer does not fit": (
        lambda h: h["decoder"].update({"7.weight": torch.ones(64, 32, 3, 3)}),
        r"decoder\.7 takes 32 channels, 64 come in",
    ),
    "halves of two models": (
        lambda h: h["encoder"].update(
            {"14.weight": torch.ones(16, 64, 3, 3), "14.bias": torch.ones(16)}
        ),
        r"its taesd_encoder gives 16 channels, not 4",
    ),
    "no convolution": (
        lambda h: h["decoder"].update({"7.weight": torch.ones(64, 64)}),
        r"decoder\.7 should be a convolution, found the shape \[64, 64\]",
    ),
    "an empty tensor": (
        lambda h: h["decoder"].update({"7.weight": torch.ones(64, 64, 3, 0)}),
        r"decoder\.7\.weight has the shape .* which is empty",
    ),
    "too much": (
        lambda h: h["decoder"].update({"3.pool.weight": torch.ones(2)}),
        r"decoder\.3\.pool\.weight",
    ),
    "no decoder": (lambda h: h["decoder"].clear(), "not a tiny autoencoder"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_one_is_a_sentence(cpu_residency, tmp_path, oracle_of, fault):
    change, says = FAULTS[fault]
    halves = originals(oracle_of())
    change(halves)
    paths = [tmp_path / f"taesd_{half}.safetensors" for half in halves]
    for path, tensors in zip(paths, halves.values(), strict=True):
        save_file(tensors or {"a": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match=says) as found:
        load_tiny_vae("taesd", paths)
    assert "taesd_" in str(found.value)


def test_a_decoder_alone_decodes_and_says_that_it_cannot_encode(cpu_residency, tmp_path, oracle_of):
    _, decoder = saved(tmp_path, oracle_of(), "safetensors", "taesd", None)
    vae = load_tiny_vae("taesd", [decoder])
    assert decode(vae, torch.zeros(1, 4, 2, 2)).shape == (1, 16, 16, 3)
    with pytest.raises(WeightsError, match="a decoder alone"):
        encode(vae, torch.zeros(1, 16, 16, 3))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("vae_scale"), "vae_scale should be one number, found no such tensor"),
        (lambda t: t.update(vae_scale=torch.zeros(1)), "vae_scale is 0, which cannot scale"),
        (lambda t: t.update(vae_shift=torch.tensor(float("nan"))), "vae_shift is nan"),
        (lambda t: t.update(vae_shift=torch.zeros(3)), r"found the shape \[3\]"),
    ],
)
def test_one_file_needs_the_scale_of_its_latents(tmp_path, oracle_of, change, says):
    (path,) = saved(tmp_path, oracle_of(), "one file", "t", RELEASES["taesd"])
    tensors = find_all(path)
    change(tensors)
    save_file(tensors, path)
    with pytest.raises(WeightsError, match=says):
        load_vae(path)


def find_all(path):
    from safetensors.torch import load_file

    return load_file(path)


def test_a_foreign_file_is_refused(tmp_path):
    from engine.weights.state_dict import StateDict

    with pytest.raises(WeightsError, match="not a tiny autoencoder"):
        find_tiny("taesd", [StateDict.of({"lora_up.weight": torch.ones(2, 2)})])
