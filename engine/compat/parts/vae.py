"""VAE objects for plugins: pictures to latents and back on a frozen `Vae`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from engine.compat.given_weights import given_weights
from engine.compat.parts.interrupts import checkpoint
from engine.compat.parts.part_patcher import PartPatcher
from engine.compat.parts.vae_modules import RawModule, foreign_vae, from_network, to_network
from engine.errors import WeightsError
from engine.families.autoencoders import find_autoencoder
from engine.inference import vae as engine_vae
from engine.inference.load import pixel_space_vae, vae_of
from engine.inference.pictures import crop
from engine.inference.values import Vae
from engine.residency.manager import current

TILE, TILE_OVERLAP = 512, 64
"""Pixels."""
PIXEL_SPACE = "pixel_space_vae"
"""The only tensor's name of a state that stands for no autoencoder: latents are the pictures."""
RAW_METHODS = ("encode", "decode", "forward")


class VAE:
    """An autoencoder as plugins use it; pictures are [B, H, W, C] in 0..1, latents unscaled.

    Attributes:
        first_stage_model: the network.
        patcher: its weights.
        latent_channels, latent_dim: channels of a latent, and its axes behind them.
        downscale_ratio, upscale_ratio: pixels per cell along one side; for videos a tuple of a
            function of frames, rows and columns.
        process_input, process_output: from 0..1 to the network's range and back.
    """

    def __init__(
        self,
        sd: Mapping[str, Tensor] | None = None,
        device: Any = None,
        config: Any = None,
        dtype: torch.dtype | None = None,
        metadata: Mapping[str, str] | None = None,
        **_: Any,
    ) -> None:
        """Make one of a file's tensors.

        Raises:
            WeightsError: they are no autoencoder's that is known.
        """
        del device, config
        if sd is not None and PIXEL_SPACE in sd:
            self._adopt(pixel_space_vae())
            return
        weights = given_weights(sd or {}, metadata=metadata)
        found = find_autoencoder(weights)
        if found is None:
            raise WeightsError(
                "the tensors are of no autoencoder that is known here; choose a VAE file of a "
                "Stable Diffusion model"
            )
        self._adopt(vae_of(weights, found, dtype))

    @classmethod
    def of_value(cls, value: Vae) -> VAE:
        """The object of a VAE value."""
        made = cls.__new__(cls)
        made._adopt(value)
        return made

    def _adopt(self, value: Vae) -> None:
        self._value = value
        latent = value.latent
        self.latent_channels: int = latent.channels
        self.latent_dim = latent.dims
        self.output_channels = 3
        self.pad_channel_value = None
        self.crop_input = True
        self.not_video = latent.dims < 3
        self.extra_1d_channel = None
        self.disable_offload = False
        self.size = None
        self.downscale_index_formula = self.upscale_index_formula = None
        self.downscale_ratio: Any = latent.pixels
        self.upscale_ratio: Any = latent.pixels
        if latent.dims == engine_vae.FRAMES_TOO:
            step = latent.downscale[0]
            self.downscale_ratio = (latent.cells, *latent.downscale[1:])
            self.upscale_ratio = (latent.frames, *latent.downscale[1:])
            self.downscale_index_formula = self.upscale_index_formula = latent.downscale
            self.upscale_index_formula = (step, *latent.downscale[1:])
        self.process_input: Callable[[Tensor], Tensor] = to_network
        self.process_output: Callable[[Tensor], Tensor] = from_network
        self.memory_used_encode: Callable[..., float] = self._encoding_bytes
        self.memory_used_decode: Callable[..., float] = self._decoding_bytes
        self.patcher = PartPatcher(
            lambda: self.first_stage_model, {"": (value.autoencoder, lambda name: name)}
        )
        self.first_stage_model: Any = RawModule(
            lambda: self.current().autoencoder, lambda: (value.kind, value.config)
        )

    def current(self) -> Vae:
        """The value with the patches that were added."""
        weights = self.patcher.patched("")
        return (
            self._value
            if weights is self._value.autoencoder
            else replace(self._value, autoencoder=weights)
        )

    def to_value(self) -> Vae:
        """The frozen value; that of a plugin's subclass calls its methods."""
        is_ours = type(self).decode is VAE.decode and type(self).encode is VAE.encode
        if is_ours and isinstance(getattr(self, "first_stage_model", None), RawModule):
            return self.current()
        return foreign_vae(self)

    def clone(self) -> VAE:
        """A copy with patches of its own."""
        made = copy.copy(self)
        made._adopt(self.current())
        return made

    @property
    def device(self) -> torch.device:
        """The device that computes."""
        return current().device

    @property
    def output_device(self) -> torch.device:
        """Where results are."""
        return torch.device("cpu")

    @property
    def vae_dtype(self) -> torch.dtype:
        """The dtype that is computed in."""
        return current().dtype_of(self._value.autoencoder)

    @property
    def working_dtypes(self) -> list[torch.dtype]:
        """The dtypes that the network can be computed in."""
        return list(self._value.kind.dtypes(self._value.config)) or [torch.float32]

    def vae_output_dtype(self) -> torch.dtype:
        """The dtype of results."""
        return torch.float32

    def throw_exception_if_invalid(self) -> None:
        """Raise `WeightsError` if the checkpoint holds no autoencoder."""
        if self._value.autoencoder.is_missing:
            _ = self._value.autoencoder.module

    def vae_encode_crop_pixels(self, pixels: Tensor) -> Tensor:
        """Pictures without what is beyond whole cells, cut at both ends."""
        return crop(pixels, self._value.latent.pixels)

    def decode(self, samples_in: Tensor, vae_options: Any = None, **_: Any) -> Tensor:
        """Latents to pictures [B, H, W, C]; of videos [B, T, H, W, C]."""
        del vae_options
        pictures = engine_vae.decode(self.current(), samples_in, checkpoint=checkpoint)
        return self._by_video(pictures, samples_in)

    def decode_tiled(
        self,
        samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        tile_t: int | None = None,
        overlap_t: int | None = None,
        **_: Any,
    ) -> Tensor:
        """The same in tiles, whose sides and overlap are given in latent cells."""
        del tile_t, overlap_t
        cell = self._value.latent.pixels
        size = min(each or TILE // cell for each in (tile_x, tile_y))
        tile = engine_vae.Tile(
            size * cell, cell * (TILE // cell // 4 if overlap is None else overlap)
        )
        pictures = engine_vae.decode(self.current(), samples, tile=tile, checkpoint=checkpoint)
        return self._by_video(pictures, samples)

    def decode_tiled_(
        self, samples: Tensor, tile_x: int = 64, tile_y: int = 64, overlap: int = 16
    ) -> Tensor:
        """The same as [B, C, H, W]."""
        return self.decode_tiled(samples, tile_x, tile_y, overlap).movedim(-1, 1)

    def encode(self, pixel_samples: Tensor, **_: Any) -> Tensor:
        """Pictures to latents."""
        return engine_vae.encode(self.current(), _pictures(pixel_samples), checkpoint=checkpoint)

    def encode_tiled(
        self,
        pixel_samples: Tensor,
        tile_x: int | None = None,
        tile_y: int | None = None,
        overlap: int | None = None,
        tile_t: int | None = None,
        overlap_t: int | None = None,
        **_: Any,
    ) -> Tensor:
        """The same in tiles, whose sides and overlap are given in pixels."""
        del tile_t, overlap_t
        size = min(each or TILE for each in (tile_x, tile_y))
        tile = engine_vae.Tile(size, TILE_OVERLAP if overlap is None else overlap)
        pixels = _pictures(pixel_samples)
        return engine_vae.encode(self.current(), pixels, tile=tile, checkpoint=checkpoint)

    def encode_tiled_(
        self,
        pixel_samples: Tensor,
        tile_x: int = TILE,
        tile_y: int = TILE,
        overlap: int = TILE_OVERLAP,
    ) -> Tensor:
        """The same from [B, C, H, W]."""
        return self.encode_tiled(pixel_samples.movedim(1, -1), tile_x, tile_y, overlap)

    def _by_video(self, pictures: Tensor, latents: Tensor) -> Tensor:
        if self._value.latent.dims != engine_vae.FRAMES_TOO:
            return pictures
        return pictures.reshape(len(latents), -1, *pictures.shape[1:])

    def spacial_compression_decode(self) -> int:
        """Pixels per cell along one side."""
        return self._value.latent.pixels

    def spacial_compression_encode(self) -> int:
        """Pixels per cell along one side."""
        return self._value.latent.pixels

    def temporal_compression_decode(self) -> int | None:
        """Frames per cell; None for pictures."""
        latent = self._value.latent
        return latent.downscale[0] if latent.dims == engine_vae.FRAMES_TOO else None

    def get_sd(self) -> dict[str, Tensor]:
        """Every tensor of the network with its patches; read now."""
        made = PartPatcher(lambda: None, {"": (self.current().autoencoder, lambda name: name)})
        return made.model_state_dict()

    def _decoding_bytes(self, shape: Sequence[int], dtype: torch.dtype) -> float:
        return float(self._value.kind.activation_bytes(self._value.config, shape, dtype.itemsize))

    def _encoding_bytes(self, shape: Sequence[int], dtype: torch.dtype) -> float:
        latent = self._value.latent
        sides = [max(side // latent.pixels, 1) for side in shape[-2:]]
        return self._decoding_bytes((shape[0], latent.channels, *shape[2:-2], *sides), dtype)


def _pictures(pixels: Tensor) -> Tensor:
    """Pictures [B, H, W, C] of a batch, or the frames of one video [1, T, H, W, C]."""
    if pixels.ndim == 5:
        return pixels.flatten(0, 1)
    return pixels if pixels.ndim == 4 else pixels[None]
