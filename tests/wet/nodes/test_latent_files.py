"""Writing and reading latent files."""

import json

import pytest
import safetensors.torch
import torch

from engine.errors import FilesError, WeightsError
from engine.nodekit.context import RunningContext
from nodes.latent_files import load_latent, save_latent

PROMPT = {"9": {"class_type": "SaveLatent", "inputs": {}}}
SAMPLES = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def ctx(files):
    return RunningContext("9", files, prompt=PROMPT, extra={"workflow": {"nodes": []}})


@pytest.fixture
def put(files):
    """Write a file into the input folder."""

    def into_input(tensors, name="x.latent"):
        safetensors.torch.save_file(tensors, files.folders("input")[0] / name)
        return name

    return into_input


def test_saved_and_loaded_again(ctx):
    save_latent({"samples": SAMPLES.transpose(2, 3)}, ctx)
    (item,) = ctx.shown["latents"]
    assert item == {"filename": "ComfyUI_00001_.latent", "subfolder": "latents", "type": "output"}
    found = load_latent("latents/ComfyUI_00001_.latent [output]", ctx)
    torch.testing.assert_close(found["samples"], SAMPLES.transpose(2, 3), rtol=0, atol=0)


def test_the_file_is_the_incumbent_s(ctx):
    save_latent({"samples": SAMPLES}, ctx, "a/%year%b")
    (item,) = ctx.shown["latents"]
    path = ctx.files.folders("output")[0] / item["subfolder"] / item["filename"]
    with safetensors.safe_open(path, "pt") as opened:
        assert set(opened.keys()) == {"latent_tensor", "latent_format_version_0"}
        metadata = opened.metadata()
    assert {key: json.loads(text) for key, text in metadata.items()} == {
        "prompt": PROMPT,
        "workflow": {"nodes": []},
    }


def test_a_file_of_the_reference_is_read(ctx, reference_folder, files):
    source = reference_folder / "saved.latent"
    (files.folders("input")[0] / "x.latent").write_bytes(source.read_bytes())
    expected = safetensors.torch.load_file(source)["latent_tensor"]
    torch.testing.assert_close(load_latent("x.latent", ctx)["samples"], expected, rtol=0, atol=0)


def test_old_files_are_scaled(ctx, put):
    put({"latent_tensor": SAMPLES.half()})
    found = load_latent("x.latent", ctx)["samples"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, SAMPLES.half().float() / 0.18215)


def test_what_is_no_latent_is_refused(ctx, put, files):
    with pytest.raises(WeightsError, match=r"x\.latent: not a latent: .* found unet\.weight"):
        load_latent(put({"unet.weight": SAMPLES}), ctx)
    with pytest.raises(WeightsError, match="found latent_tensor of shape"):
        load_latent(put({"latent_tensor": SAMPLES[0, 0]}), ctx)
    (files.folders("input")[0] / "x.latent").write_bytes(b"no latent at all")
    with pytest.raises(WeightsError, match=r"x\.latent"):
        load_latent("x.latent", ctx)
    with pytest.raises(FilesError, match="no file"):
        load_latent("gone.latent", ctx)


def test_validation_and_identity(ctx, put):
    node = load_latent
    assert "no file" in node.complaint({"latent": "gone"}, {}, ctx)
    assert node.complaint({"latent": put({"latent_tensor": SAMPLES})}, {}, ctx) is None
    before = node.fingerprint_of({"latent": "x.latent"}, ctx)
    put({"latent_tensor": SAMPLES, "latent_format_version_0": torch.tensor([])})
    assert node.fingerprint_of({"latent": "x.latent"}, ctx) != before
