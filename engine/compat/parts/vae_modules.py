"""Autoencoders as modules: ours for plugins, and plugins' own for us."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.parts.interrupts import checkpoint
from engine.compat.stored_weights import readable
from engine.families.autoencoders import AutoencoderKind
from engine.families.latent_format import LatentFormat
from engine.inference.values import Vae
from engine.residency.handles import LazyWeights
from engine.residency.manager import current
from engine.weights.state_dict import StateDict


class RawModule:
    """`first_stage_model`: a network whose tensors hold values while a method of it runs.

    Other attributes are the network's own.
    """

    def __init__(
        self, weights: Callable[[], Any], kind: Callable[[], tuple[AutoencoderKind, Any]]
    ) -> None:
        self.__dict__["_weights"] = weights
        self.__dict__["_kind"] = kind

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self._weights().module

    def used(self, like: Tensor | None = None) -> AbstractContextManager[None]:
        """The network on the device inside the `with`."""
        kind, config = self._kind()
        room = 0
        weights = self._weights()
        if like is not None:
            itemsize = current().dtype_of(weights).itemsize
            downscale = kind.latent(config).pixels
            pixels = like.shape[1] == 3 and like.shape[1] != kind.latent(config).channels
            sides = [side // downscale if pixels else side for side in like.shape[2:]]
            shape = (like.shape[0], kind.latent(config).channels, *sides)
            room = kind.activation_bytes(config, shape, itemsize)
        return current().use(weights, room_for=room, checkpoint=checkpoint)

    def _call(self, name: str, x: Tensor, **kwargs: Any) -> Any:
        dtype = current().dtype_of(self._weights())
        with self.used(x), torch.no_grad():
            ready = x.to(current().device, dtype)
            return getattr(self.module, name)(ready, **kwargs)

    def encode(self, x: Tensor, **kwargs: Any) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1 to latents [B, C, h, w]."""
        return self._call("encode", x, **kwargs)

    def decode(self, z: Tensor, **kwargs: Any) -> Tensor:
        """Latents [B, C, h, w] to pixels [B, 3, H, W], about -1..1."""
        return self._call("decode", z, **kwargs)

    def __call__(self, x: Tensor, **kwargs: Any) -> Any:
        """What the network returns."""
        return self._call("forward", x, **kwargs)

    def to(self, *_: Any, **__: Any) -> RawModule:
        """Itself: the engine moves weights."""
        return self

    def eval(self) -> RawModule:
        """Itself."""
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(readable(self._weights()), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.module, name, value)


def to_network(image: Tensor) -> Tensor:
    """Pixels in 0..1 as the network takes them, -1..1."""
    return image * 2.0 - 1.0


def from_network(image: Tensor) -> Tensor:
    """The inverse of `to_network`, clamped."""
    return torch.clamp((image + 1.0) / 2.0, min=0.0, max=1.0)


class _ForeignKind:
    """A plugin's autoencoder as a kind of ours, see `AutoencoderKind`."""

    name = "autoencoder of a plugin"

    def detect(self, weights: StateDict) -> None:
        """None: it is no file."""

    def tensors(self, weights: StateDict) -> StateDict:
        """See `AutoencoderKind`."""
        return weights

    def build(self, config: Any) -> nn.Module:
        """The plugin's object as a module."""
        return _ForeignModule(config)

    def latent(self, config: Any) -> LatentFormat:
        """The format that the object's attributes describe."""
        ratio: Any = getattr(config, "downscale_ratio", 8)
        ratios: list[Any] = [ratio] if isinstance(ratio, int | float) else list(ratio)
        cells = int(ratios[-1])
        channels = int(getattr(config, "latent_channels", 4))
        return LatentFormat(channels, (cells,) * int(getattr(config, "latent_dim", 2)))

    def dtypes(self, config: Any) -> Sequence[torch.dtype]:
        """Any: the object converts what it gets."""
        del config
        return ()

    def activation_bytes(self, config: Any, shape: Sequence[int], dtype_bytes: int) -> int:
        """What the object says, or 0."""
        del dtype_bytes
        asked: Any = getattr(config, "memory_used_decode", None)
        try:
            return 0 if asked is None else int(asked(shape, torch.float32))
        except (TypeError, ValueError, AttributeError):
            return 0


class _ForeignModule(nn.Module):
    """Calls a plugin's `encode` and `decode`, which take and give pictures [B, H, W, C]."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self._vae = vae

    def encode(self, pixels: Tensor, *, checkpoint: Any = None) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1 to latents."""
        del checkpoint
        return self._vae.encode(from_network(pixels.float()).movedim(1, -1).cpu())

    def decode(self, z: Tensor, *, checkpoint: Any = None) -> Tensor:
        """Latents to pixels [B, 3, H, W] in -1..1."""
        del checkpoint
        return to_network(self._vae.decode(z.float().cpu()).movedim(-1, 1))


def foreign_vae(vae: Any) -> Vae:
    """The frozen value of a plugin's own object with `encode` and `decode`."""
    kind = _ForeignKind()
    weights = LazyWeights(type(vae).__name__, 0, lambda: kind.build(vae))
    return Vae(kind, vae, weights, kind.latent(vae))
