"""GLIGEN of random weights for the small checkpoint, as diffusers' modules and as a file."""

from __future__ import annotations

import torch
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.embeddings import GLIGENTextBoundingboxProjection
from torch import Tensor, nn

TEXT, OBJECTS, HEADS = 64, 48, 8
PREFIX, END = "model.diffusion_model.", ".transformer_blocks.0.attn1.to_q.weight"


def filled(module: nn.Module, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)

    def value(tensor: Tensor) -> Tensor:
        if not tensor.ndim:
            return torch.tensor(0.7)
        deviation = tensor[0].numel() ** -0.5 if tensor.ndim > 1 else 0.1
        mean = 1.0 if tensor.ndim == 1 else 0.0
        return torch.randn(tensor.shape, generator=generator) * deviation + mean

    module.load_state_dict({name: value(each) for name, each in module.state_dict().items()})
    return module.requires_grad_(requires_grad=False)


def modules_of(checkpoint: dict[str, Tensor]) -> tuple[nn.Module, dict[str, nn.Module]]:
    """The module of boxes, and the fusers by the names of their transformers."""
    position = filled(GLIGENTextBoundingboxProjection(positive_len=TEXT, out_dim=OBJECTS), 1)
    names = sorted(name for name in checkpoint if name.startswith(PREFIX) and name.endswith(END))
    fusers = {}
    for number, name in enumerate(names):
        width = checkpoint[name].shape[0]
        place = f"{name.removeprefix(PREFIX).removesuffix(END)}.transformer_blocks.0"
        fuser = GatedSelfAttentionDense(width, OBJECTS, HEADS, width // HEADS)
        fusers[place] = filled(fuser, number + 2)
    return position, fusers


def tensors_of(position: nn.Module, fusers: dict[str, nn.Module]) -> dict[str, Tensor]:
    """As a file has them."""
    found = {f"position_net.{name}": each for name, each in position.state_dict().items()}
    for place, fuser in fusers.items():
        found |= {f"{place}.fuser.{name}": each for name, each in fuser.state_dict().items()}
    return found
