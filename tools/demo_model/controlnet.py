"""The demo model's ControlNet (Zhang et al. 2023): the denoiser's encoder half with a picture.

State-dict keys are those of the original files. It begins as a copy of the denoiser whose
residuals are zero. The finished file holds the large matrices in fp8 (e4m3), the rest in fp16.
"""

import copy
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tools.demo_model import checkpoint
from tools.demo_model.denoiser import HEADS, Denoiser, time_embedding
from tools.demo_model.layers import zeroed

HINT_CHANNELS = (3, 8, 8, 16, 16, 32, 32, 96)
"""Half of what the original files have, or less: at 128 px the picture's part would cost more than
the rest of a training step."""
STRIDES = (1, 1, 2, 1, 2, 1, 2)
GAIN = 3.6
DEVIATION = 0.05
"""Of the features of specks at the beginning. Those of lines get about 0.25; the latent has one.
The original begins with zeros; but the residuals are zero in any case, and this way all layers
learn of the picture from the first step on."""
LINES_SHARE = 0.04
"""The share of white pixels in pictures of edges, about."""
PACKED = torch.float8_e4m3fn
PACKED_PARTS = ("input_blocks.", "middle_block.")
SMALLEST_PACKED = 8192


class ControlNet(nn.Module):
    """A noised latent, its time step, a caption and a picture of edges to residuals."""

    def __init__(self, denoiser: Denoiser) -> None:
        """Begin with the weights of a denoiser."""
        super().__init__()
        self.width = denoiser.width
        self.time_embed = copy.deepcopy(denoiser.time_embed)
        self.input_blocks = copy.deepcopy(denoiser.input_blocks)
        self.middle_block = copy.deepcopy(denoiser.middle_block)
        layers: list[nn.Module] = []
        for (before, after), stride in zip(pairwise(HINT_CHANNELS), STRIDES, strict=True):
            layers += [loud(nn.Conv2d(before, after, 3, stride, 1)), nn.SiLU()]
        last = loud(nn.Conv2d(HINT_CHANNELS[-1], self.width, 3, 1, 1))
        self.input_hint_block = nn.Sequential(*layers, last)
        self.zero_convs = nn.ModuleList(
            nn.Sequential(zeroed(nn.Conv2d(channels, channels, 1)))
            for channels in map(channels_of, self.input_blocks)
        )
        middle = channels_of(self.middle_block)
        self.middle_block_out = nn.Sequential(zeroed(nn.Conv2d(middle, middle, 1)))

    def forward(self, x: Tensor, steps: Tensor, context: Tensor, picture: Tensor) -> list[Tensor]:
        """Residuals for each input block and the middle; the picture is [N, 3, 8 h, 8 w], 0..1."""
        time, found = self.time_embed(time_embedding(steps, self.width)), []
        for index, (stage, out) in enumerate(zip(self.input_blocks, self.zero_convs, strict=True)):
            x = stage(x, time, context)
            if index == 0:
                x = x + self.input_hint_block(picture)
            found.append(out(x))
        return [*found, self.middle_block_out(self.middle_block(x, time, context))]


def loud(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with weights so large that thin lines are not lost in eight layers of SiLU."""
    nn.init.normal_(layer.weight, std=(GAIN / layer.weight[0].numel()) ** 0.5)
    nn.init.zeros_(layer.bias)
    return layer


def channels_of(stage: nn.Module) -> int:
    """Channels after a stage."""
    convolutions = [layer for layer in stage.modules() if isinstance(layer, nn.Conv2d)]
    return convolutions[-1].out_channels


def is_packed(name: str, tensor: Tensor) -> bool:
    """Whether the file holds a tensor in fp8."""
    return name.startswith(PACKED_PARTS) and tensor.ndim >= 2 and tensor.numel() >= SMALLEST_PACKED


def as_stored(name: str, tensor: Tensor) -> Tensor:
    """A tensor as the file holds it."""
    return tensor.detach().to(PACKED if is_packed(name, tensor) else torch.float16)


def read(path: Path) -> ControlNet:
    """A finished network, in float32."""
    model = ControlNet(Denoiser())
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    return model.eval()


def write(path: Path, model: ControlNet, samples: int) -> None:
    """Write the finished file, replacing an older one whole."""
    metadata = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/controlnet",
        "modelspec.implementation": "https://github.com/lllyasviel/ControlNet",
        "modelspec.title": "Calotype demo, edges",
        "modelspec.author": "The Calotype authors",
        "modelspec.license": "Apache-2.0",
        "modelspec.resolution": "128x128",
        "modelspec.description": "Draws what white lines on black outline; for Calotype demo.",
        "calotype.origin": "tools/demo_model of the Calotype repository",
        "calotype.attention_heads": str(HEADS),
        "calotype.training_samples": str(samples),
    }
    tensors = {
        name: as_stored(name, tensor).contiguous().cpu()
        for name, tensor in model.state_dict().items()
    }
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata=metadata)
    part.replace(path)
    path.chmod(0o644)


@torch.no_grad()
def begin(path: Path) -> tuple[checkpoint.Networks, ControlNet]:
    """The networks of a finished checkpoint, and a ControlNet that begins with its denoiser."""
    networks = checkpoint.read(path)
    model = ControlNet(networks.denoiser)
    specks = (torch.rand(8, 1, 64, 64) < LINES_SHARE).float().expand(-1, 3, -1, -1)
    model.input_hint_block[-1].weight *= DEVIATION / model.input_hint_block(specks).std()
    return networks, model
