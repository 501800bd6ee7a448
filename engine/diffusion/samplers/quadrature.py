"""Weights of multistep methods: integrals of the polynomials through earlier points.

Pure numbers in double precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

NODES = 64
"""Gauss-Legendre nodes: exact to double precision for all densities used here."""

Array = NDArray[np.float64]


def lagrange_basis(points: Sequence[float], at: Array) -> Array:
    """[points, at]: each Lagrange polynomial, 1 at its own point and 0 at the others."""
    rows: list[Array] = []
    for own, centre in enumerate(points):
        others = [point for place, point in enumerate(points) if place != own]
        factors = [(at - point) / (centre - point) for point in others]
        rows.append(np.prod([np.ones_like(at), *factors], axis=0))
    return np.stack(rows)


def lagrange_integrals(
    points: Sequence[float],
    start: float,
    end: float,
    density: Callable[[Array], Array] = np.ones_like,
) -> list[float]:
    """For each point the integral of its Lagrange polynomial times `density`, start to end."""
    nodes, weights = leggauss(NODES)
    half = (end - start) / 2
    at = start + half * (nodes + 1)
    return (lagrange_basis(points, at) @ (weights * density(at)) * half).tolist()
