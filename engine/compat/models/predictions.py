# pyright: basic
"""What a network predicts, as classes that plugins derive from; sigma is [B] unless stated."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.diffusion.parameterization import Prediction, clean_image


def reshape_sigma(sigma: Tensor, noise_dim: int) -> Tensor:
    """Sigma [B] with `noise_dim` axes; one number becomes a scalar."""
    if sigma.nelement() == 1:
        return sigma.view(())
    if sigma.ndim == noise_dim:
        return sigma
    return sigma.view(sigma.shape[:1] + (1,) * (noise_dim - 1))


class EPS:
    """The network predicts the noise."""

    sigma_data: float

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """The network's input: x at unit variance."""
        sigma = reshape_sigma(sigma, noise.ndim)
        return noise / (sigma**2 + self.sigma_data**2) ** 0.5

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """The clean image from the network's output and x."""
        sigma = reshape_sigma(sigma, model_output.ndim)
        return model_input - model_output * sigma

    def noise_scaling(
        self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False
    ) -> Tensor:
        """X at the start of sampling."""
        sigma = reshape_sigma(sigma, noise.ndim)
        scale = torch.sqrt(1.0 + sigma**2.0) if max_denoise else sigma
        return noise * scale + latent_image

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """The latent at the end of sampling."""
        return latent


class V_PREDICTION(EPS):
    """The network predicts a velocity, v (Salimans & Ho 2022)."""

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """See `EPS`."""
        sigma = reshape_sigma(sigma, model_output.ndim)
        return clean_image(Prediction.V, model_output, model_input, sigma, self.sigma_data)


class EDM(V_PREDICTION):
    """Karras et al. 2022, table 1."""

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """See `EPS`."""
        sigma = reshape_sigma(sigma, model_output.ndim)
        return clean_image(Prediction.EDM, model_output, model_input, sigma, self.sigma_data)


class CONST:
    """The network predicts the velocity of a rectified flow."""

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """X itself."""
        return noise

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """See `EPS`."""
        return model_input - model_output * reshape_sigma(sigma, model_output.ndim)

    def noise_scaling(
        self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False
    ) -> Tensor:
        """The interpolation of noise and latent."""
        sigma = reshape_sigma(sigma, noise.ndim)
        return sigma * noise + (1.0 - sigma) * latent_image

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """The latent at its full scale."""
        return latent / (1.0 - reshape_sigma(sigma, latent.ndim))


class X0(EPS):
    """The network predicts the clean image."""

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """The output itself."""
        return model_output


class IMG_TO_IMG(X0):
    """The same from x as it is."""

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """X itself."""
        return noise


class IMG_TO_IMG_FLOW(CONST):
    """A flow whose network predicts the clean image."""

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """The output itself."""
        return model_output


class COSMOS_RFLOW:
    """A flow in the coordinates of EDM: sigma is noise over signal."""

    def calculate_input(self, sigma: Tensor, noise: Tensor) -> Tensor:
        """A flow's x at that noise level."""
        sigma = reshape_sigma(sigma / (sigma + 1.0), noise.ndim)
        return noise * (1.0 - sigma)

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        """See `EPS`."""
        sigma = reshape_sigma(sigma / (sigma + 1.0), model_output.ndim)
        return model_input * (1.0 - sigma) - model_output * sigma

    def noise_scaling(
        self, sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False
    ) -> Tensor:
        """`latent + noise * sigma`."""
        return noise * reshape_sigma(sigma, noise.ndim) + latent_image

    def inverse_noise_scaling(self, sigma: Tensor, latent: Tensor) -> Tensor:
        """The latent itself."""
        return latent
