"""The x4 upscaler that comes with the demo model: SRVGGNetCompact and its file.

The network is the compact one of Real-ESRGAN (Wang et al. 2021, "Real-ESRGAN: Training Real-World
Blind Super-Resolution with Pure Synthetic Data"), under the names that its files use: 3 x 3
convolutions with PReLU at the size of the input, pixel shuffle at the end, added to the input
enlarged by repeating its pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

SCALE, WIDTH, CONVOLUTIONS = 4, 64, 16
METADATA: Mapping[str, str] = MappingProxyType(
    {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "srvgg-net-compact",
        "modelspec.title": "Calotype demo upscaler x4",
        "modelspec.author": "The Calotype authors",
        "modelspec.license": "Apache-2.0",
        "modelspec.description": "Enlarges the pictures of the Calotype demo model four times.",
        "calotype.origin": "tools/demo_model of the Calotype repository",
    }
)


class Upscaler(nn.Module):
    """Pictures (N, 3, H, W) in 0..1 to (N, 3, 4 H, 4 W), about 0..1."""

    def __init__(self, width: int = WIDTH, convolutions: int = CONVOLUTIONS) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        layers.append(nn.Conv2d(width, 3 * SCALE**2, 3, padding=1))
        self.body = nn.ModuleList(layers)
        nn.init.zeros_(layers[-1].weight)  # begin as plain enlargement

    def forward(self, pictures: Tensor) -> Tensor:
        """Run it."""
        x = pictures
        for layer in self.body:
            x = layer(x)
        repeated = functional.interpolate(pictures, scale_factor=SCALE, mode="nearest")
        return functional.pixel_shuffle(x, SCALE) + repeated


def read(path: Path) -> Upscaler:
    """The network of a finished file, in float32."""
    model = Upscaler()
    model.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    return model.eval()


def write(path: Path, model: Upscaler, samples: int) -> None:
    """Write the file in fp16, replacing an older one whole."""
    tensors = {
        name: value.detach().to(torch.float16).contiguous().cpu()
        for name, value in model.state_dict().items()
    }
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata={**METADATA, "calotype.training_samples": str(samples)})
    part.replace(path)
    path.chmod(0o644)
