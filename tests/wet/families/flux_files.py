"""Small random FLUX.1 denoisers in the original layout."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.families.flux.network import Flux, FluxConfig

DEV = FluxConfig(
    in_channels=64,
    out_channels=64,
    context_channels=32,
    vector_channels=24,
    channels=256,
    inner=512,
    double=2,
    single=2,
    guidance=True,
)


def random_tensors(net: torch.nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Values for every tensor of a module on the meta device, near those of trained networks."""
    generator = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for name, tensor in net.state_dict().items():
        values = torch.randn(tensor.shape, generator=generator)
        if name.endswith("scale"):
            made[name] = 1 + 0.1 * values
        else:
            made[name] = values * (tensor.shape[-1] ** -0.5 if tensor.ndim > 1 else 0.1)
    return made


def flux_tensors(config: FluxConfig = DEV, seed: int = 0) -> dict[str, Tensor]:
    with torch.device("meta"):
        net = Flux(config)
    return random_tensors(net, seed)


def loaded(net: torch.nn.Module, tensors: dict[str, Tensor]) -> torch.nn.Module:
    net.load_state_dict(tensors, assign=True)
    return net.eval()
