"""Draw pictures with the finished file alone, independently of the engine.

python -m tools.demo_model.sample MODEL grid.png --tokenizer clip_tokenizer.json
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from tokenizers import Tokenizer
from torch import Tensor

from tools.demo_model import checkpoint
from tools.demo_model.autoencoder import LATENT_CHANNELS, SCALE, SHRINK
from tools.demo_model.text_encoder import encode_captions, load_tokenizer
from tools.demo_model.train_denoiser import STEPS, alphas

PROMPTS = (
    "a red sun over blue mountains",
    "a full moon over snowy mountains at night",
    "a sailing boat on the sea at sunset",
    "a small house on a green hill",
    "pine trees in the snow",
    "a desert with cactuses under a yellow sun",
    "a city at night",
    "a lighthouse by the sea",
    "a tent beside a campfire under the stars",
    "a castle on a hill at dusk",
    "a hot-air balloon over green hills",
    "purple mountains under a pink sky",
    "a field of red flowers",
    "an island with palm trees",
    "a snowman in front of a house",
    "aurora over dark mountains",
)


Predict = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Noised latents, time steps and captions' states to the noise in the latents."""


def generate(
    networks: checkpoint.Networks,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    steps: int = 20,
    guidance: float = 4.0,
    seed: int = 1,
    size: int = 128,
) -> Tensor:
    """One picture per prompt, Euler with classifier-free guidance; floats in -1..1 on the CPU."""
    ids = encode_captions(tokenizer, [*prompts, ""])
    return sample(networks, ids, networks.denoiser, steps, guidance, seed, size)


@torch.no_grad()
def sample(
    networks: checkpoint.Networks,
    ids: Tensor,
    predict: Predict,
    steps: int = 20,
    guidance: float = 4.0,
    seed: int = 1,
    size: int = 128,
) -> Tensor:
    """The same for rows of token ids, whose last one is the empty caption's."""
    device = next(networks.denoiser.parameters()).device
    count, generator = len(ids) - 1, torch.Generator().manual_seed(seed)
    states = networks.text_encoder(ids.to(device))
    context = torch.cat([states[:-1], states[-1:].expand(count, -1, -1)])
    cumulative = alphas().to(device)
    sigmas = ((1 - cumulative) / cumulative).sqrt()
    times = torch.linspace(STEPS - 1, 0, steps + 1, device=device).round().long()
    latents = torch.randn(
        count, LATENT_CHANNELS, size // SHRINK, size // SHRINK, generator=generator
    ).to(device)
    x = latents * (sigmas[-1] ** 2 + 1).sqrt()
    for index in range(steps):
        sigma = sigmas[times[index]]
        following = (
            sigmas[times[index + 1]] if index < steps - 1 else torch.zeros((), device=device)
        )
        scaled = x / (sigma**2 + 1).sqrt()
        both = predict(torch.cat([scaled, scaled]), times[index].expand(2 * count), context)
        wanted, free = both.chunk(2)
        x = x + (free + guidance * (wanted - free)) * (following - sigma)
    pictures = [networks.autoencoder.decode(part / SCALE).clamp(-1, 1).cpu() for part in x.split(8)]
    return torch.cat(pictures)


def grid(pictures: Tensor, columns: int) -> Image.Image:
    """The pictures in rows, with white lines between."""
    padded = torch.nn.functional.pad(pictures, (1, 1, 1, 1), value=1.0)
    rows = [
        torch.cat(list(padded[start : start + columns]), 2)
        for start in range(0, len(padded), columns)
    ]
    return Image.fromarray(((torch.cat(rows, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy())


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument(
        "--prompt", action="append", help="instead of the sixteen of the gallery; may be repeated"
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=2, help="pictures per prompt")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    networks = checkpoint.read(arguments.model).to(torch.device(arguments.device))
    prompts = [prompt for prompt in arguments.prompt or PROMPTS for _ in range(arguments.repeat)]
    pictures = generate(
        networks,
        load_tokenizer(arguments.tokenizer),
        prompts,
        arguments.steps,
        arguments.guidance,
        arguments.seed,
        arguments.size,
    )
    grid(pictures, arguments.columns).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
