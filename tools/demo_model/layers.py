"""Pieces that the networks of the demo model share.

All networks keep the state-dict keys of the Stable Diffusion 1 single file.  A block may be
`inert`: its last layer is zero, so it is the identity.  It exists in the checkpoint, and the
layout stays standard, but costs no training.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 32


def group_norm(channels: int, epsilon: float = 1e-6) -> nn.GroupNorm:
    """The normalisation used by every convolutional block."""
    return nn.GroupNorm(GROUPS, channels, eps=epsilon)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer set to zero, so that the block that it ends starts as the identity."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def attend(query: Tensor, key: Tensor, value: Tensor, causal: bool = False) -> Tensor:
    """Plain attention.

    With heads of 8 to 16 channels the fused kernel's backward is several times slower on a CPU.
    """
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(later, -1e4)
    return scores.softmax(-1) @ value


class Upsample(nn.Module):
    """Nearest doubling, then a 3x3 convolution.

    `fast` computes the same function as one 2x2 convolution at the low resolution, with four
    phases of output channels: 4/9 of the arithmetic.
    """

    def __init__(self, channels: int, fast: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, 1, 1)
        self.fast = fast

    def forward(self, x: Tensor) -> Tensor:
        """Run it."""
        if not self.fast:
            return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        batch, channels, height, width = x.shape
        kernel = self.conv.weight
        rows = (
            torch.stack([kernel[:, :, 0], kernel[:, :, 1] + kernel[:, :, 2]], 2),
            torch.stack([kernel[:, :, 0] + kernel[:, :, 1], kernel[:, :, 2]], 2),
        )
        phases = []
        for row in rows:
            phases.append(torch.stack([row[..., 0], row[..., 1] + row[..., 2]], 3))
            phases.append(torch.stack([row[..., 0] + row[..., 1], row[..., 2]], 3))
        y = functional.conv2d(
            functional.pad(x, (1, 1, 1, 1)), torch.cat(phases), self.conv.bias.repeat(4)
        )
        parts = [
            y[
                :,
                (2 * down + right) * channels : (2 * down + right + 1) * channels,
                down : down + height,
                right : right + width,
            ]
            for down in (0, 1)
            for right in (0, 1)
        ]
        y = (
            torch.stack(parts, 1)
            .view(batch, 2, 2, channels, height, width)
            .permute(0, 4, 1, 5, 2, 3)
        )
        return y.reshape(batch, 2 * height, 2 * width, channels).permute(
            0, 3, 1, 2
        )  # channels last in memory
