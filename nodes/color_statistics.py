"""CIELAB, and maps that give one set of colours the statistics of another.

Colours are [..., 3]. sRGB is that of IEC 61966-2-1, CIELAB that of CIE 15 with the white D65.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
WHITE = (0.95047, 1.0, 1.08883)
_SLOPE = 6 / 29
_SMALLEST = 1e-6


def linear(colors: Tensor) -> Tensor:
    """SRGB to linear light; values below 0 count as 0."""
    low = colors / 12.92
    high = ((colors.clamp(min=0.0) + 0.055) / 1.055) ** 2.4
    return torch.where(colors <= 0.04045, low, high).clamp(min=0.0)


def equalised(colors: Tensor) -> Tensor:
    """Linear light to sRGB."""
    low = colors * 12.92
    high = 1.055 * colors.clamp(min=0.0) ** (1 / 2.4) - 0.055
    return torch.where(colors <= 0.0031308, low, high)


def to_lab(colors: Tensor) -> Tensor:
    """sRGB, 0 to 1, to CIELAB: lightness 0 to 100, and two opponent colours."""
    xyz = linear(colors) @ torch.tensor(TO_XYZ).T / torch.tensor(WHITE)
    root = torch.where(
        xyz > _SLOPE**3, xyz.clamp(min=1e-12) ** (1 / 3), xyz / (3 * _SLOPE**2) + 4 / 29
    )
    x, y, z = root.unbind(-1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-1)


def from_lab(lab: Tensor) -> Tensor:
    """CIELAB to sRGB, which may leave 0 to 1."""
    lightness, a, b = lab.unbind(-1)
    y = (lightness + 16) / 116
    root = torch.stack((y + a / 500, y, y - b / 200), dim=-1)
    xyz = torch.where(root > _SLOPE, root**3, 3 * _SLOPE**2 * (root - 4 / 29))
    inverse = torch.linalg.inv(torch.tensor(TO_XYZ, dtype=torch.float64)).float()
    return equalised((xyz * torch.tensor(WHITE)) @ inverse.T)


class Moments(NamedTuple):
    """The mean [3] and the covariance [3, 3] of colours, float64."""

    mean: Tensor
    covariance: Tensor


def moments(colors: Tensor) -> Moments:
    """Those of [N, 3]."""
    wide = colors.double()
    mean = wide.mean(dim=0)
    centred = wide - mean
    return Moments(mean, centred.T @ centred / max(len(wide), 1))


def reinhard(colors: Tensor, own: Moments, wanted: Moments) -> Tensor:
    """Match each channel's mean and deviation (Reinhard et al. 2001, "Color Transfer")."""
    deviations = (each.covariance.diagonal().clamp(min=0).sqrt() for each in (own, wanted))
    before, after = deviations
    factor = torch.where(before > _SMALLEST, after / before.clamp(min=_SMALLEST), 1.0)
    return ((colors.double() - own.mean) * factor + wanted.mean).to(colors)


def mkl(colors: Tensor, own: Moments, wanted: Moments) -> Tensor:
    """Match mean and covariance by the linear map that moves colours least.

    Pitié and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping", equation 5.
    """
    root, inverse = _roots(own.covariance)
    inner, _ = _roots(root @ wanted.covariance @ root)
    matrix = inverse @ inner @ inverse
    return ((colors.double() - own.mean) @ matrix.T + wanted.mean).to(colors)


def _roots(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The square root of a symmetric matrix, and the inverse of the root."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    values = values.clamp(min=_SMALLEST**2).sqrt()
    return (vectors * values) @ vectors.T, (vectors / values) @ vectors.T


def histogram_map(colors: Tensor, own: Tensor, wanted: Tensor) -> Tensor:
    """Match the distribution of each channel: [N, 3], the colours it had, those it shall have."""
    found = [_quantiles(colors[:, i], own[:, i], wanted[:, i]) for i in range(colors.shape[1])]
    return torch.stack(found, dim=-1)


def _quantiles(values: Tensor, own: Tensor, wanted: Tensor) -> Tensor:
    """The values of `wanted` at the ranks that `values` have in `own`."""
    ordered, aims = own.sort().values.contiguous(), wanted.sort().values
    below = torch.searchsorted(ordered, values.contiguous(), right=False)
    through = torch.searchsorted(ordered, values.contiguous(), right=True)
    rank = (below + through).double() / 2 - 0.5  # of equal values, the middle one's
    place = (rank + 0.5) / len(ordered) * len(aims) - 0.5
    place = place.clamp(0, len(aims) - 1)
    low = place.floor().long()
    high = (low + 1).clamp(max=len(aims) - 1)
    share = (place - low).to(values)
    return aims[low] + (aims[high] - aims[low]) * share
