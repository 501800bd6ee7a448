"""IP-Adapters of random weights in the original layouts, for a UNet's shapes."""

import torch
from torch import Tensor

from engine.nets.unet_places import transformers_of


def values(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in shapes.items():
        normed = len(shape) == 1 and name.endswith("weight")
        deviation = 0.1 if len(shape) == 1 else shape[-1] ** -0.5
        found[name] = torch.randn(shape, generator=generator) * deviation + float(normed)
    return found


def pairs(unet_shapes, width: int) -> dict[str, tuple[int, ...]]:
    found = {}
    for index, each in enumerate(transformers_of(unet_shapes)):
        for kind in ("to_k_ip", "to_v_ip"):
            found[f"ip_adapter.{2 * index + 1}.{kind}.weight"] = (each.inner, width)
    return found


def plain(unet_shapes, *, channels: int = 40, width: int = 48, tokens: int = 4):
    return values(
        {
            "image_proj.proj.weight": (tokens * width, channels),
            "image_proj.proj.bias": (tokens * width,),
            "image_proj.norm.weight": (width,),
            "image_proj.norm.bias": (width,),
            **pairs(unet_shapes, width),
        }
    )


def full_face(unet_shapes, *, channels: int = 40, width: int = 48):
    return values(
        {
            "image_proj.proj.0.weight": (channels, channels),
            "image_proj.proj.0.bias": (channels,),
            "image_proj.proj.2.weight": (width, channels),
            "image_proj.proj.2.bias": (width,),
            "image_proj.proj.3.weight": (width,),
            "image_proj.proj.3.bias": (width,),
            **pairs(unet_shapes, width),
        }
    )


def plus(unet_shapes, *, channels: int = 40, width: int = 48, inner: int = 128, depth: int = 4):
    """With 16 latents of 64 channels."""
    shapes: dict[str, tuple[int, ...]] = {
        "image_proj.latents": (1, 16, 64),
        "image_proj.proj_in.weight": (64, channels),
        "image_proj.proj_in.bias": (64,),
        "image_proj.proj_out.weight": (width, 64),
        "image_proj.proj_out.bias": (width,),
        "image_proj.norm_out.weight": (width,),
        "image_proj.norm_out.bias": (width,),
    }
    for layer in range(depth):
        start = f"image_proj.layers.{layer}"
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"{start}.{norm}.weight": (64,), f"{start}.{norm}.bias": (64,)}
        shapes |= {
            f"{start}.0.to_q.weight": (inner, 64),
            f"{start}.0.to_kv.weight": (2 * inner, 64),
            f"{start}.0.to_out.weight": (64, inner),
            f"{start}.1.1.weight": (256, 64),
            f"{start}.1.3.weight": (64, 256),
        }
    return values({**shapes, **pairs(unet_shapes, width)})


LAYOUTS = {"plain": plain, "plus": plus, "full_face": full_face}


def nested(tensors: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """As the `.bin` files have it."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        outer, _, inner = name.partition(".")
        found.setdefault(outer, {})[inner] = tensor
    return found
