"""Latents of videos as tokens, and the levels of distilled models."""

import pytest
import torch

from engine.compat.install import host_module, install_facade
from engine.diffusion.parameterization import Prediction, discrete, distilled

install_facade()


@pytest.mark.parametrize("size", [1, 2])
def test_tokens_are_patches_in_order_of_frames_rows_and_columns(size):
    module = host_module("comfy.ldm.lightricks.symmetric_patchifier")
    patchifier = module.SymmetricPatchifier(size, start_end=True)
    latent = torch.arange(2 * 3 * 2 * 4 * 6).reshape(2, 3, 2, 4, 6).float()
    tokens, places = patchifier.patchify(latent)
    assert tokens.shape == (2, 2 * (4 // size) * (6 // size), 3 * size**2)
    number = 1 + 6 // size
    _, row, column = places[0, :, number, 0].tolist()
    assert (row, column) == (size, size)
    patch = latent[0, :, 0, size : 2 * size, size : 2 * size]
    assert torch.equal(tokens[0, number], patch.flatten())
    assert places[0, :, number, 1].tolist() == [1, 2 * size, 2 * size]
    again = patchifier.unpatchify(tokens, 4, 6, 3 * size**2)
    assert torch.equal(again, latent)
    pixels = module.latent_to_pixel_coords(places, (8, 32, 32), causal_fix=True)
    assert pixels[0, :, 0, 0].tolist() == [0, 0, 0]
    assert pixels[0, :, -1, 1].tolist() == [9, 128, 192]


def test_levels_of_a_plugin_are_those_of_the_built_in_node():
    module = host_module("comfy_extras.nodes_model_advanced")

    class Sampling(module.ModelSamplingDiscreteDistilled, module.LCM):
        pass

    made, ours = Sampling(), distilled(discrete(Prediction.EPS))
    assert torch.allclose(made.sigmas, ours.sigmas)
    sigma, x, out = ours.sigmas[[7, 30]], torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    assert torch.equal(made.timestep(sigma), ours.timestep(sigma))
    assert torch.allclose(made.sigma(made.timestep(sigma)), sigma)
    found = made.calculate_denoised(sigma, out, x)
    assert torch.allclose(found, ours.denoised(out, x, sigma), atol=1e-5)
    rescaled = module.rescale_zero_terminal_snr_sigmas(discrete(Prediction.EPS).sigmas)
    assert rescaled[-1] > 1000
