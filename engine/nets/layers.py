"""Layers that networks share: convolutions and projections, and the embedding of a timestep.

The first two use oneDNN's fastest kernels on a CPU, torch's elsewhere. The form of the weights
selects the kernel, so the owner of the weights chooses it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Convolution(nn.Conv2d):
    """A convolution whose weight may be packed for oneDNN (`Wants.packed` of the residency).

    A plain weight is rearranged by torch at every call, which at 8 x 8 cells takes longer than the
    convolution: on a Zen 4 core packing makes those 2 to 4 times as fast.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Module's name for it
        """[B, C, h, w] -> [B, C', h', w']."""
        if not self.weight.is_mkldnn:
            return super().forward(input)
        return torch.ops.mkldnn._convolution_pointwise(  # noqa: SLF001 - what torch.compile calls
            input,
            self.weight,
            self.bias,
            self.padding,
            self.stride,
            self.dilation,
            self.groups,
            "none",
            [],
            "",
        )


class Linear(nn.Linear):
    """A projection computed by oneDNN on a CPU.

    torch uses MKL for fp32, which on an AMD core is 2 to 2.5 times slower, and in bf16 writes the
    bias in a separate pass first. The oneDNN operator has no gradient, so training uses the
    ordinary one; so does compiling, which selects oneDNN itself. In bf16 the weight may be packed
    for it (`Wants.packed` of the residency).
    """

    packed_parameter = "weight"
    """What the residency may pack; subclasses that compute with packed weights say so, too."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Module's name for it
        """[..., C] -> [..., C']."""
        if is_recorded() or input.device.type != "cpu" or not _computes(input.dtype):
            weight = self.weight.to_dense() if self.weight.is_mkldnn else self.weight
            return functional.linear(input, weight, self.bias)
        return torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001 - what torch.compile calls
            input, self.weight, self.bias, "none", [], ""
        )


def is_recorded() -> bool:
    """Whether operations are recorded, for gradients or by a compiler: plain ones only, then."""
    return torch.compiler.is_compiling() or torch.is_grad_enabled()


def _computes(dtype: torch.dtype) -> bool:
    """Whether oneDNN computes in that dtype here."""
    if not torch.backends.mkldnn.is_available():
        return False
    if dtype == torch.bfloat16:
        # Only if the processor supports it.
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - as above
    return dtype == torch.float32


def timestep_embedding(timesteps: Tensor, channels: int, *, period: float = 10_000.0) -> Tensor:
    """Embed [B] as [B, channels] in float32: cosines, then sines, of falling frequency.

    Vaswani et al. 2017, section 3.5, as Ho et al. 2020 use it for time.
    """
    half = channels // 2
    exponents = torch.arange(half, dtype=torch.float32, device=timesteps.device) / half
    angles = timesteps.float()[:, None] * torch.exp(-math.log(period) * exponents)
    embedding = torch.cat((angles.cos(), angles.sin()), dim=-1)
    return functional.pad(embedding, (0, channels % 2))
