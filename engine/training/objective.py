"""The training objective: the target output and the loss."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from engine.diffusion.parameterization import Parameterization
from engine.training.options import LossFunction

LOSSES: Mapping[LossFunction, Callable[[Tensor, Tensor], Tensor]] = {
    "MSE": functional.mse_loss,
    "L1": functional.l1_loss,
    "Huber": functional.huber_loss,
    "SmoothL1": functional.smooth_l1_loss,
}


def target_of(
    parameterization: Parameterization, x: Tensor, sigma: Tensor, clean: Tensor
) -> Tensor:
    """The raw output for which a network's clean image is `clean`: eps, v, a velocity ...

    Every parameterization's clean image is linear in the output, so two points of the line
    determine where it equals `clean`.
    """
    at_zero = parameterization.denoised(torch.zeros_like(x), x, sigma)
    slope = parameterization.denoised(torch.ones_like(x), x, sigma) - at_zero
    return (clean - at_zero) / slope


def generator_of(*what: object) -> torch.Generator:
    """Random numbers that depend on `what` alone, so that a resumed run draws the same ones."""
    name = ":".join(map(str, what)).encode()
    seed = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big")
    return torch.Generator().manual_seed(seed % 2**63)
