"""Blockwise control networks of Qwen-Image: their arithmetic, runs with them, what they refuse."""

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import gelu, linear

from engine.diffusion.samplers.table import SAMPLERS
from engine.errors import NodeError, WeightsError
from engine.families.qwen_image.blockwise import BlockwiseBlock, BlockwiseConfig, BlockwiseControl
from engine.inference.load import load_denoiser, load_vae
from engine.inference.model_patches import ControlPictures, controlled, load_model_patch
from engine.inference.sample import sample
from engine.inference.values import CfgGuider, RandomNoise, Sampler
from nodes.zimage_control import qwen_image_diffsynth_controlnet
from tests.wet import control_files, wan_files

PLAIN, MASKED = (BlockwiseConfig(64, 2, mask=mask) for mask in (False, True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, random_checkpoints):
    found = tmp_path_factory.mktemp("blockwise")
    models = control_files.models(random_checkpoints)
    files = {name: models[name] for name in ("qwen", "qwen_vae", "flux_vae")}
    for name, config in (("plain", PLAIN), ("masked", MASKED)):
        files[name] = wan_files.filled(lambda config=config: BlockwiseControl(config))
    for name, tensors in files.items():
        save_file(tensors, found / f"{name}.safetensors")
    return found


def test_a_block_is_two_norms_and_a_feed_forward(fill):
    block = fill(lambda: BlockwiseBlock(32))
    image, picture = torch.randn(2, 1, 5, 32, generator=torch.Generator().manual_seed(1))
    values = block.state_dict()

    def normal(x, name):
        return x * (x.pow(2).mean(-1, keepdim=True) + 1e-6).rsqrt() * values[f"{name}.weight"]

    inner = gelu(
        linear(
            normal(image, "x_rms") + normal(picture, "y_rms"),
            values["input_proj.weight"],
            values["input_proj.bias"],
        )
    )
    expected = linear(inner, values["output_proj.weight"], values["output_proj.bias"])
    with torch.no_grad():
        assert (block(image, picture) - expected).abs().max() < 1e-5


def run(model):
    tokens = torch.linspace(-1, 1, 4 * wan_files.TEXT).reshape(1, 4, wan_files.TEXT)
    guider = CfgGuider(model, [[tokens, {}]], [[0.5 * tokens, {}]], 2.0)
    latent = {"samples": torch.zeros(1, 16, 6, 8)}
    sigmas = torch.tensor([1.0, 0.5, 0.0])
    euler = Sampler(SAMPLERS["euler"])
    return sample(guider, RandomNoise(1), euler, sigmas, latent).samples


def test_runs_with_them(folder, cpu_residency):
    model, vae = (
        load_denoiser(folder / "qwen.safetensors"),
        load_vae(folder / "qwen_vae.safetensors"),
    )
    picture = torch.rand(1, 96, 128, 3, generator=torch.Generator().manual_seed(2))
    plain, masked = (
        load_model_patch(folder / f"{name}.safetensors") for name in ("plain", "masked")
    )

    def drawn(patch, strength=1.0, mask=None, image=picture):
        return run(qwen_image_diffsynth_controlnet(model, patch, vae, image, strength, mask))

    base, full = run(model), drawn(plain)
    assert full.isfinite().all()
    assert torch.equal(drawn(plain, 0.0), base)
    assert (full - base).norm() > 1e-2 * base.norm()
    assert (drawn(plain, 0.5) - full).norm() > 1e-3 * base.norm()
    holes = torch.zeros(1, 96, 128)
    holes[:, 32:64, 32:64] = 1
    black = picture.clone()
    black[:, 32:64, 32:64] = 0
    # What is in a hole is not seen, but that it is a hole is.
    assert torch.allclose(drawn(masked, mask=holes), drawn(masked, mask=holes, image=black))
    assert not torch.allclose(drawn(masked, mask=holes), drawn(masked, image=black))
    with pytest.raises(NodeError, match=r"plain.safetensors takes no mask; leave it out"):
        drawn(plain, mask=holes)


def test_what_does_not_fit_is_a_sentence(folder, cpu_residency):
    model = load_denoiser(folder / "qwen.safetensors")
    vae, other = (load_vae(folder / f"{name}_vae.safetensors") for name in ("qwen", "flux"))
    patch, picture = load_model_patch(folder / "plain.safetensors"), torch.rand(1, 48, 64, 3)
    with pytest.raises(NodeError, match=r"encoded with the VAE of Qwen-Image .16 channels, 3 axes"):
        qwen_image_diffsynth_controlnet(model, patch, other, picture)
    with pytest.raises(NodeError, match=r"is a control network of Qwen-Image; use QwenImageDiffs"):
        controlled(model, patch, ControlPictures(vae, picture), 1.0)
    wide = wan_files.filled(lambda: BlockwiseControl(BlockwiseConfig(96, 1, mask=False)))
    save_file(wide, folder / "wide.safetensors")
    with pytest.raises(
        NodeError, match=r"tokens of 96 numbers; qwen.*, of the family Qwen-Image, "
    ):
        qwen_image_diffsynth_controlnet(
            model, load_model_patch(folder / "wide.safetensors"), vae, picture
        )
    save_file(wide | {"img_in.weight": torch.zeros(96, 7)}, folder / "odd.safetensors")
    with pytest.raises(WeightsError, match=r"but its img_in\.weight takes 7 numbers, expected 64"):
        load_model_patch(folder / "odd.safetensors")
