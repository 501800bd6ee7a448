"""Numbers for the finished file: PSNR, and how often colours follow the words.

Seeds are fixed.  A sky counts as right if its upper and middle colours are nearest to the named
sky's; a sun or a mountain range, if of all colours that could have been asked for its own covers
most of the picture.

    python -m tools.demo_model.measure MODEL --tokenizer clip_tokenizer.json
"""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from tools.demo_model import checkpoint
from tools.demo_model.palette import COLOURS, SKIES, Colour, mountain_colour
from tools.demo_model.render import HELD_OUT_SEED
from tools.demo_model.report import report
from tools.demo_model.sample import generate
from tools.demo_model.scenes import render
from tools.demo_model.text_encoder import load_tokenizer
from tools.demo_model.train_autoencoder import signal_to_noise
from tools.demo_model.training import as_floats

SKY_PROMPTS: Mapping[str, tuple[str, ...]] = {
    "day": (
        "a green meadow under a blue sky",
        "a house on a sunny day",
        "mountains, clear blue sky",
        "a field, blue sky",
    ),
    "sunset": (
        "the sea at sunset",
        "a house under an orange sky",
        "mountains, orange sunset sky",
        "a field at sunset",
    ),
    "dusk": (
        "the sea at dusk",
        "a house under a purple sky",
        "mountains at twilight",
        "a castle on a hill at dusk",
    ),
    "night": (
        "the sea at night",
        "a house in the night",
        "mountains, night sky",
        "a city at night",
    ),
    "pink": (
        "the sea under a pink sky",
        "a house, pink sky",
        "mountains beneath a pink sky",
        "a field under a pink sky",
    ),
}
SUNS = ("red", "orange", "yellow", "white")
MOUNTAINS = ("blue", "purple", "green", "red", "brown", "grey")


def pixels_of(
    networks: checkpoint.Networks, tokenizer: Tokenizer, prompts: list[str], seed: int
) -> np.ndarray:
    """Pictures for the prompts as float pixels, 0..255."""
    pictures = generate(networks, tokenizer, prompts, seed=seed)
    return (pictures.permute(0, 2, 3, 1).numpy() + 1) * 127.5


def share(pixels: np.ndarray, colours: Iterable[Colour], tolerance: float) -> float:
    """The share of pixels near any of the colours."""
    near = [np.linalg.norm(pixels - np.array(colour), axis=-1) < tolerance for colour in colours]
    return float(np.any(near, axis=0).mean())


def skies_obeyed(networks: checkpoint.Networks, tokenizer: Tokenizer) -> tuple[int, int]:
    """How many skies are those of the prompt, and of how many."""
    prompts = [(prompt, name) for name, group in SKY_PROMPTS.items() for prompt in group]
    pictures = pixels_of(networks, tokenizer, [prompt for prompt, _ in prompts], seed=5)
    height = pictures.shape[1]
    top = np.median(pictures[:, height // 64 : height // 16].reshape(len(pictures), -1, 3), 1)
    middle = np.median(pictures[:, height // 4 : height // 3].reshape(len(pictures), -1, 3), 1)
    names = list(SKIES)
    expected = np.array([[*SKIES[name].top, *blend_at_middle(name)] for name in names])
    nearest = ((np.concatenate([top, middle], 1)[:, None] - expected) ** 2).sum(-1).argmin(1)
    return sum(names[i] == name for i, (_, name) in zip(nearest, prompts, strict=True)), len(
        prompts
    )


def blend_at_middle(name: str) -> Colour:
    """The expected sky in the measured rows: a little above its middle colour."""
    sky = SKIES[name]
    first, second, third = (0.2 * a + 0.8 * b for a, b in zip(sky.top, sky.middle, strict=True))
    return first, second, third


def suns_obeyed(networks: checkpoint.Networks, tokenizer: Tokenizer) -> tuple[int, int]:
    """How many suns have the requested colour, and of how many."""
    prompts = [
        (f"a {name} sun over blue mountains under a blue sky", name)
        for name in SUNS
        for _ in range(3)
    ]
    pictures = pixels_of(networks, tokenizer, [prompt for prompt, _ in prompts], seed=6)
    upper = pictures[:, : pictures.shape[1] // 2]
    right = 0
    for picture, (_, name) in zip(upper, prompts, strict=True):
        shares = {sun: share(picture, [COLOURS[sun]], 45) for sun in SUNS}
        right += max(shares, key=shares.__getitem__) == name and shares[name] > 0.012
    return right, len(prompts)


def mountains_obeyed(networks: checkpoint.Networks, tokenizer: Tokenizer) -> tuple[int, int]:
    """How many mountain ranges have the requested colour, and of how many."""
    prompts = [(f"{name} mountains under a blue sky", name) for name in MOUNTAINS for _ in range(3)]
    pictures = pixels_of(networks, tokenizer, [prompt for prompt, _ in prompts], seed=7)
    height, right = pictures.shape[1], 0
    looks = {
        name: [mountain_colour(name, SKIES["day"], haze) for haze in (0.05, 0.12, 0.2)]
        for name in MOUNTAINS
    }
    for picture, (_, name) in zip(pictures[:, height // 3 : height * 5 // 8], prompts, strict=True):
        shares = {other: share(picture, look, 40) for other, look in looks.items()}
        right += max(shares, key=shares.__getitem__) == name and shares[name] > 0.05
    return right, len(prompts)


@torch.no_grad()
def autoencoder_quality(networks: checkpoint.Networks, size: int, count: int = 128) -> float:
    """Mean PSNR over held-out scenes, as stored in the file."""
    pixels = np.stack([render(HELD_OUT_SEED + index, size)[0] for index in range(count)])
    values = []
    for batch in as_floats(torch.from_numpy(pixels)).split(16):
        result = networks.autoencoder.decode(networks.autoencoder.encode(batch)).clamp(-1, 1)
        values.append(signal_to_noise(result, batch))
    return torch.cat(values).mean().item()


def main() -> None:
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    arguments = parser.parse_args()
    networks, tokenizer = checkpoint.read(arguments.model), load_tokenizer(arguments.tokenizer)
    report(
        f"autoencoder, 128 held-out scenes: {autoencoder_quality(networks, arguments.size):.2f} dB"
    )
    all_right, all_asked = 0, 0
    for what, check in (
        ("sky", skies_obeyed),
        ("sun", suns_obeyed),
        ("mountain", mountains_obeyed),
    ):
        right, asked = check(networks, tokenizer)
        all_right, all_asked = all_right + right, all_asked + asked
        report(f"{what} words obeyed: {right}/{asked}")
    report(f"all: {all_right}/{all_asked} ({100 * all_right / all_asked:.0f} %)")


if __name__ == "__main__":
    main()
