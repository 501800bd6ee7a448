"""The finished file: three networks in the layout of a Stable Diffusion 1 single file.

It also folds what is separate in training: the normalisation of the latents into the autoencoder's
outermost layers, and the shared row for unknown words into the full vocabulary's table.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tools.demo_model.autoencoder import LATENT_CHANNELS, SCALE, Autoencoder
from tools.demo_model.denoiser import Denoiser
from tools.demo_model.text_encoder import VOCABULARY, TextEncoder

DENOISER, AUTOENCODER, TEXT_ENCODER = (
    "model.diffusion_model.",
    "first_stage_model.",
    "cond_stage_model.transformer.",
)
TABLE = "text_model.embeddings.token_embedding.weight"
DEVIATION = (
    0.02  # of a latent in units of the data's; a constant, for loaders that sample the encoder
)
State = dict[str, Tensor]


@dataclass
class Networks:
    """The three networks of one file."""

    denoiser: Denoiser
    autoencoder: Autoencoder
    text_encoder: TextEncoder

    def parts(self) -> dict[str, torch.nn.Module]:
        """Each network under the prefix of its keys."""
        return {
            DENOISER: self.denoiser,
            AUTOENCODER: self.autoencoder,
            TEXT_ENCODER: self.text_encoder,
        }

    def to(self, device: torch.device) -> "Networks":
        """Move all three; returns itself."""
        for module in self.parts().values():
            module.to(device)
        return self


def under(state: State, prefix: str) -> State:
    """The part of a state dict below a prefix, without it."""
    return {
        key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)
    }


def read(path: Path) -> Networks:
    """The networks of a finished file, in float32."""
    state = {key: value.float() for key, value in load_file(path).items()}
    networks = Networks(Denoiser(), Autoencoder(), TextEncoder())
    for prefix, module in networks.parts().items():
        module.load_state_dict(under(state, prefix))
        module.eval()
    return networks


def write(path: Path, networks: Networks, metadata: dict[str, str]) -> None:
    """Write the file in fp16, replacing an older one whole."""
    tensors = {
        prefix + name: value.detach().half().contiguous().cpu()
        for prefix, module in networks.parts().items()
        for name, value in module.state_dict().items()
    }
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata=metadata)
    part.replace(path)
    path.chmod(0o644)


@torch.no_grad()
def fold_statistics(autoencoder: Autoencoder, mean: Tensor, deviation: Tensor) -> None:
    """Put the normalisation of latents, and SD1's scale, into the layers around the latent."""
    encode, decode = autoencoder.quant_conv, autoencoder.post_quant_conv
    factor = 1 / (deviation * SCALE)
    encode.weight[:LATENT_CHANNELS] *= factor[:, None, None, None]
    encode.bias[:LATENT_CHANNELS] = (encode.bias[:LATENT_CHANNELS] - mean) * factor
    encode.weight[LATENT_CHANNELS:] = 0
    encode.bias[LATENT_CHANNELS:] = 2 * torch.log(torch.tensor(DEVIATION / SCALE))
    decode.weight *= SCALE


@torch.no_grad()
def unfold_scale(autoencoder: Autoencoder) -> None:
    """Take SD1's scale out of a finished autoencoder again, to train it further."""
    autoencoder.quant_conv.weight[:LATENT_CHANNELS] *= SCALE
    autoencoder.quant_conv.bias[:LATENT_CHANNELS] *= SCALE
    autoencoder.post_quant_conv.weight /= SCALE


def spread_vocabulary(small: State, used: Tensor) -> TextEncoder:
    """The text encoder with the full table: the shared row wherever no word was trained."""
    table = small[TABLE][-1].repeat(VOCABULARY, 1)
    table[used] = small[TABLE][:-1]
    encoder = TextEncoder()
    encoder.load_state_dict(small | {TABLE: table})
    return encoder


def gather_vocabulary(full: State, used: Tensor, noise: float = 0.15) -> State:
    """The reverse: rows of the used words and the shared row last.

    Words without their own row start as the shared row plus noise, so that training can
    distinguish them.
    """
    rows, counts = torch.unique(full[TABLE], dim=0, return_counts=True)
    shared = rows[counts.argmax()]
    table = full[TABLE][used].clone()
    unknown = (table == shared).all(1)
    generator = torch.Generator().manual_seed(0)
    table[unknown] += noise * torch.randn(int(unknown.sum()), table.shape[1], generator=generator)
    return full | {TABLE: torch.cat([table, shared[None]])}
