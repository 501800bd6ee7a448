"""What a network predicts, and how sigma maps to its timestep: eps, v, x0, flow.

Every class here implements `Parameterization`, after table 1 of Karras et al. 2022 ("Elucidating
the Design Space of Diffusion-Based Generative Models"). Sigma is the standard deviation of the
noise over that of the signal; a flow's sigma is its time, 0..1.
"""
# ruff: noqa: ARG002 - a method takes what the protocol hands it

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, Self

import torch
from torch import Tensor

from engine.diffusion.shifts import AlphaShift, Shift

BEFORE_THE_START = 999999999.9
"""The sigma at 0 %: larger than any start of a sampler, so that comparisons are true."""
ZERO_SNR_ALPHA = 4.8973451890853435e-08
"""The last cumulative alpha of a zero-SNR table: nearly 0, yet sigma stays finite (4519)."""


class Prediction(StrEnum):
    """What the raw output of a network is."""

    EPS = "eps"
    V = "v"
    X0 = "x0"
    EDM = "edm"
    LCM = "lcm"
    IMAGE = "image"  # the clean image, with x as the input, unscaled


class Parameterization(Protocol):
    """How one trained network is preconditioned."""

    @property
    def sigmas(self) -> Tensor:
        """[N] the rising table of the trained noise levels (1,000 for SD1)."""
        ...

    @property
    def is_flow(self) -> bool:
        """Rectified flow: x = (1 - sigma) * clean + sigma * noise."""
        ...

    @property
    def sigma_min(self) -> float:
        """The smallest level of the table."""
        ...

    @property
    def sigma_max(self) -> float:
        """The largest level of the table."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same with its tables on `device`, so that no step copies them there."""
        ...

    def timestep(self, sigma: Tensor) -> Tensor:
        """Sigma [B] to the network's timestep [B]."""
        ...

    def sigma(self, timestep: Tensor) -> Tensor:
        """A timestep, in the units of `timestep`, to sigma; between two levels along log sigma."""
        ...

    def percent_to_sigma(self, percent: float) -> float:
        """0 = the start of sampling (sigma beyond the largest), 1 = the end (0)."""
        ...

    def scale_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """c_in * x: the network's input."""
        ...

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean image from the network's raw output and the unscaled x."""
        ...

    def add_noise(
        self, sigma: Tensor, noise: Tensor, clean: Tensor, *, full: bool = False
    ) -> Tensor:
        """Start of sampling: `clean + noise * sigma`, or the flow's interpolation.

        `full`: sigma is about sigma_max, and the noise is scaled by sqrt(1 + sigma^2) instead.
        """
        ...

    def remove_noise_scale(self, sigma: Tensor, x: Tensor) -> Tensor:
        """End of sampling: rescale a latent that still holds noise `sigma` for the next stage."""
        ...

    def half_log_snr(self, sigma: Tensor) -> Tensor:
        """Half log SNR, log(alpha / sigma): the time of DPM-Solver (Lu et al. 2022)."""
        ...

    def sigma_from_half_log_snr(self, half_log_snr: Tensor) -> Tensor:
        """The inverse of `half_log_snr`."""
        ...


def like(values: Tensor, x: Tensor) -> Tensor:
    """Values [B] shaped [B, 1, 1, ...] to multiply x."""
    return values.reshape(values.shape + (1,) * (x.ndim - values.ndim))


def clean_image(kind: Prediction, output: Tensor, x: Tensor, sigma: Tensor, data: float) -> Tensor:
    """The clean image from a raw output; `data` is the standard deviation of the data.

    eps, x0: Ho et al. 2020, eq. 9. v: Salimans & Ho 2022, section 4, written for unscaled x.
    edm: Karras et al. 2022, table 1.
    """
    if kind is Prediction.EPS:
        return x - output * sigma
    if kind in (Prediction.X0, Prediction.IMAGE):
        return output
    total = sigma**2 + data**2
    scaled = output * (sigma * data / total**0.5)
    return x * (data**2 / total) + (scaled if kind is Prediction.EDM else -scaled)


@dataclass(frozen=True, eq=False, slots=True)
class _Table:
    """What every parameterization derives from its table alone."""

    sigmas: Tensor

    @property
    def sigma_min(self) -> float:
        """The smallest level of the table."""
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        """The largest level of the table."""
        return float(self.sigmas[-1])


@dataclass(frozen=True, eq=False, slots=True)
class VarianceExploding(_Table):
    """x = clean + sigma * noise, in the coordinates of Karras et al. 2022."""

    @property
    def is_flow(self) -> bool:
        """No."""
        return False

    def percent_to_sigma(self, percent: float) -> float:
        """The sigma at a share of the trained time, beyond the table at both ends."""
        if percent <= 0.0:
            return BEFORE_THE_START
        return self._at(percent) if percent < 1.0 else 0.0

    def _at(self, percent: float) -> float:
        raise NotImplementedError

    def add_noise(
        self, sigma: Tensor, noise: Tensor, clean: Tensor, *, full: bool = False
    ) -> Tensor:
        """`clean + noise * sigma`; `full`: times sqrt(1 + sigma^2), the scale of pure noise."""
        scale = (1.0 + sigma**2) ** 0.5 if full else sigma
        return clean + noise * like(scale, noise)

    def remove_noise_scale(self, sigma: Tensor, x: Tensor) -> Tensor:
        """Return x unchanged: its clean part was never scaled."""
        return x

    def half_log_snr(self, sigma: Tensor) -> Tensor:
        """Minus log sigma."""
        return -sigma.log()

    def sigma_from_half_log_snr(self, half_log_snr: Tensor) -> Tensor:
        """The inverse of `half_log_snr`."""
        return (-half_log_snr).exp()


@dataclass(frozen=True, eq=False, slots=True)
class Discrete(VarianceExploding):
    """A network trained on a table of noise levels (DDPM, Ho et al. 2020): SD1, SD2, SDXL.

    Attributes:
        stride: the timestep of entry i is `i * stride + stride - 1`; 1 except for a distilled
            table.
    """

    log_sigmas: Tensor
    prediction: Prediction = Prediction.EPS
    stride: int = 1

    def to(self, device: torch.device) -> Discrete:
        """The same, its table on `device`."""
        return replace(self, sigmas=self.sigmas.to(device), log_sigmas=self.log_sigmas.to(device))

    def timestep(self, sigma: Tensor) -> Tensor:
        """The nearest entry by log sigma."""
        distance = (sigma.log() - self.log_sigmas.to(sigma.device)[:, None]).abs()
        return distance.argmin(dim=0).view(sigma.shape) * self.stride + (self.stride - 1)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The inverse of `timestep`."""
        place = (timestep.float() - (self.stride - 1)) / self.stride
        place = place.clamp(min=0, max=len(self.sigmas) - 1)
        low, high, part = place.floor().long(), place.ceil().long(), place.frac()
        log_sigmas = self.log_sigmas.to(timestep.device)
        return ((1 - part) * log_sigmas[low] + part * log_sigmas[high]).exp()

    def _at(self, percent: float) -> float:
        trained = len(self.sigmas) * self.stride
        return float(self.sigma(torch.tensor((1.0 - percent) * (trained - 1))))

    def scale_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """To unit variance: c_in of Karras et al. 2022, table 1."""
        as_it_is = self.prediction is Prediction.IMAGE
        return x if as_it_is else x / like((sigma**2 + 1.0) ** 0.5, x)

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The clean image, according to what this network was trained to predict."""
        if self.prediction is Prediction.LCM:
            return self._consistent(output, x, sigma)
        return clean_image(self.prediction, output, x, like(sigma, x), 1.0)

    def _consistent(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The consistency function.

        Luo et al. 2023 ("Latent Consistency Models"), section 4.1, with its boundary condition.
        """
        data = 0.5
        time = like(self.timestep(sigma).float() * 10.0, x)
        skip = data**2 / (time**2 + data**2)
        out = time / (time**2 + data**2) ** 0.5
        return out * (x - output * like(sigma, x)) + skip * x


@dataclass(frozen=True, eq=False, slots=True)
class Flow(_Table):
    """Rectified flow (Liu et al. 2022) with a shifted time (Esser et al. 2024, eq. 23).

    Attributes:
        shift: the map of time 0..1 that moves it towards the noise.
        multiplier: what sigma is multiplied by to become the network's timestep.
        noise_scale: the standard deviation of the noise that the network was trained with.
    """

    shift: Shift
    multiplier: float = 1000.0
    noise_scale: float = 1.0

    @property
    def is_flow(self) -> bool:
        """Yes."""
        return True

    def to(self, device: torch.device) -> Flow:
        """The same, its table on `device`."""
        return replace(self, sigmas=self.sigmas.to(device))

    def timestep(self, sigma: Tensor) -> Tensor:
        """Sigma, which is the time, in the network's units."""
        return sigma * self.multiplier

    def sigma(self, timestep: Tensor) -> Tensor:
        """The shifted sigma of an unshifted time: deliberately not the inverse of `timestep`."""
        return self.shift.of(timestep / self.multiplier)

    def percent_to_sigma(self, percent: float) -> float:
        """The sigma at a share of the trained time."""
        if percent >= 1.0:
            return 0.0
        return self.shift.of(1.0 - max(percent, 0.0))

    def scale_input(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return x unchanged: a flow's x has about unit variance at every sigma."""
        return x

    def denoised(self, output: Tensor, x: Tensor, sigma: Tensor) -> Tensor:
        """The output is a velocity, noise - clean."""
        return x - output * like(sigma, x)

    def add_noise(
        self, sigma: Tensor, noise: Tensor, clean: Tensor, *, full: bool = False
    ) -> Tensor:
        """The interpolation `sigma * noise * noise_scale + (1 - sigma) * clean`."""
        wide = like(sigma, noise)
        scaled = noise if self.noise_scale == 1.0 else noise * self.noise_scale
        return wide * scaled + (1.0 - wide) * clean

    def remove_noise_scale(self, sigma: Tensor, x: Tensor) -> Tensor:
        """Rescale the clean part to its full scale."""
        return x / (1.0 - like(sigma, x))

    def half_log_snr(self, sigma: Tensor) -> Tensor:
        """Log of (1 - sigma) / sigma."""
        return -torch.logit(sigma)

    def sigma_from_half_log_snr(self, half_log_snr: Tensor) -> Tensor:
        """The inverse of `half_log_snr`."""
        return torch.sigmoid(-half_log_snr)


def discrete(
    prediction: Prediction | str = Prediction.EPS,
    *,
    first_beta: float = 0.00085,
    last_beta: float = 0.012,
    levels: int = 1000,
    zero_terminal_snr: bool = False,
) -> Discrete:
    """Betas linear in their square roots, as Stable Diffusion was trained.

    Rombach et al. 2022, appendix ("scaled linear" in diffusers, "linear" in the original code).
    """
    betas = torch.linspace(first_beta**0.5, last_beta**0.5, levels, dtype=torch.float64) ** 2
    alphas = (1.0 - betas).cumprod(dim=0)
    sigmas = ((1.0 - alphas) / alphas) ** 0.5
    if zero_terminal_snr:
        sigmas = rescale_zero_terminal_snr(sigmas)
    return from_table(sigmas, Prediction(prediction))


def rescale_zero_terminal_snr(sigmas: Tensor) -> Tensor:
    """A table whose last level is nearly pure noise, the first unchanged.

    Lin et al. 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1.
    """
    roots = (1.0 / (sigmas * sigmas + 1.0)).sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    alphas = ((roots - last) * (first / (first - last))) ** 2
    alphas[-1] = ZERO_SNR_ALPHA
    return ((1.0 - alphas) / alphas) ** 0.5


def distilled(model: Discrete, *, steps: int = 50) -> Discrete:
    """Evenly chosen levels of `model`, as in consistency distillation (Luo et al. 2023)."""
    stride = len(model.sigmas) // steps
    return from_table(model.sigmas[stride - 1 :: stride], Prediction.LCM, stride=stride)


def from_table(sigmas: Tensor, prediction: Prediction, *, stride: int = 1) -> Discrete:
    """A `Discrete` over a rising table of sigmas, whose logarithms are computed before rounding."""
    return Discrete(sigmas.float(), sigmas.log().float(), Prediction(prediction), stride)


def flow(shift: Shift | float = 1.0, *, multiplier: float = 1000.0, levels: int = 1000) -> Flow:
    """A flow over `levels` even times; a number for `shift` is the alpha of `AlphaShift`.

    SD3: 3. AuraFlow: 1.73, multiplier 1. FLUX: `MuShift(1.15)`, multiplier 1, 10,000 levels.
    """
    times = torch.arange(1, levels + 1, dtype=torch.float32) / levels
    form = AlphaShift(shift) if isinstance(shift, (int, float)) else shift
    return Flow(form.of(times), form, multiplier)
