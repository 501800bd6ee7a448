"""An autoencoder of frames whose network is a class of another program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.nets import foreign_networks
from engine.nets.attention import attend
from engine.nets.foreign_networks import Checkpoint


class ForeignAutoencoder(nn.Module):
    """The class of diffusers with the interface of an autoencoder.

    Attributes:
        network: has `encode` to a distribution and `decode` to a sample.
        blocks: names of the classes before whose calls a run may stop.
    """

    def __init__(self, network: nn.Module, blocks: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.blocks = tuple(blocks)

    def encode(self, pixels: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """Pixels [B, 3, frames, H, W] in -1..1 -> [B, C, t, h, w], the mean."""
        network: Any = self.network
        with foreign_networks.checked(network, self.blocks, checkpoint or _nothing):
            return network.encode(pixels).latent_dist.mode()

    def decode(self, z: Tensor, *, checkpoint: Checkpoint | None = None) -> Tensor:
        """A latent [B, C, t, h, w] -> [B, 3, frames, H, W], about -1..1."""
        network: Any = self.network
        with foreign_networks.checked(network, self.blocks, checkpoint or _nothing):
            return network.decode(z).sample


def attend_to_earlier(query: Tensor, key: Tensor, value: Tensor, size: int) -> Tensor:
    """Attention of one head [B, N, C], in which cells see those of their frame and of earlier ones.

    Frame by frame, without a mask, which would have as many numbers as pairs of cells.

    Args:
        query: of all cells, frame by frame.
        key: likewise.
        value: likewise.
        size: cells of a frame.
    """
    parts = [
        attend(part, key[:, : (number + 1) * size], value[:, : (number + 1) * size], 1)
        for number, part in enumerate(query.split(size, dim=1))
    ]
    return torch.cat(parts, dim=1)


def _nothing() -> None:
    """No run to stop."""
