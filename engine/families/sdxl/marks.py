"""Reads the marks in an SDXL file that show how the model was trained."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from engine.diffusion.continuous import continuous
from engine.diffusion.parameterization import Parameterization, Prediction, discrete
from engine.errors import WeightsError
from engine.weights.state_dict import StateDict

PREFIXES = ("", "model.diffusion_model.")
V_PREDICTION = "v_pred"
ZERO_SNR = "ztsnr"
EDM_V = ("edm_vpred.sigma_min", "edm_vpred.sigma_max")
EDM = ("edm_mean", "edm_std")
LATENT_CHANNELS = 4

Scaling = tuple[tuple[float, ...], tuple[float, ...]]


def parameterization(weights: StateDict) -> Parameterization:
    """EDM, EDM v or v if the file is marked so, else eps.

    Raises:
        WeightsError: a mark has numbers that cannot be noise levels.
    """
    if latent_scaling(weights):
        return continuous()
    if _find(weights, EDM_V[1]):
        smallest, largest = 0.002, 120.0
        if _find(weights, EDM_V[0]):
            (smallest,) = _numbers(weights, EDM_V[0], 1)
        (largest,) = _numbers(weights, EDM_V[1], 1)
        if not 0.0 < smallest < largest:
            raise WeightsError(
                f"its {EDM_V[0]} is {smallest:g} and its {EDM_V[1]} {largest:g}, expected noise "
                "levels that rise from above 0"
            )
        return continuous(Prediction.V, sigma_min=smallest, sigma_max=largest, sigma_data=1.0)
    if _find(weights, V_PREDICTION):
        return discrete(Prediction.V, zero_terminal_snr=_find(weights, ZERO_SNR) is not None)
    return discrete()


def latent_scaling(weights: StateDict) -> Scaling | None:
    """Mean and deviation of latents if the file has them (Playground 2.5); else None.

    Raises:
        WeightsError: they are not one number for each of four channels.
    """
    if not all(_find(weights, name) for name in EDM):
        return None
    mean, deviation = (_numbers(weights, name, LATENT_CHANNELS) for name in EDM)
    if min(deviation) <= 0.0:
        raise WeightsError(f"its {EDM[1]} is {list(deviation)}, expected numbers above 0")
    return tuple(mean), tuple(deviation)


def _find(weights: StateDict, name: str) -> str | None:
    return next((f"{prefix}{name}" for prefix in PREFIXES if f"{prefix}{name}" in weights), None)


def _numbers(weights: StateDict, name: str, count: int) -> Sequence[float]:
    key = _find(weights, name) or name
    shape = weights.shape(key) or ()
    size = 1
    for side in shape:
        size *= side
    if size != count:
        raise WeightsError(f"its {name} has the shape {list(shape)}, expected {count} numbers")
    found = [float(each) for each in weights[key].reshape(-1).double()]
    if not all(map(isfinite, found)):
        raise WeightsError(f"its {name} is {found}, expected numbers")
    return found
