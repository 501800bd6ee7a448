"""Networks of unCLIP, Stable Zero123 and Stable Video Diffusion: same seed, same latent.

Their random weights are made here, byte for byte. The pictures were encoded by this program in runs
that match the reference as a whole; the encoders of these runs take 2 GB.
`test_reference_folder.py` runs all of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.families.detect import detect
from engine.families.picture_channels import PICTURE
from engine.families.sd2.unclip import PICTURES
from engine.files import Files
from engine.inference.load import model_of
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from engine.weights.state_dict import StateDict
from nodes.picture_to_video import video_triangle_cfg_guidance
from nodes.sampling import ksampler

PREFIX = "model.diffusion_model."
VIEW = regular_unet(320, (1, 1), (1, 0), context=768, heads=8, blocks=1, in_channels=8)
VIDEO = regular_unet(
    320,
    (1, 1, 1, 1),
    (1, 1, 1, 0),
    context=1024,
    in_channels=8,
    linear=True,
    vector=768,
    temporal=True,
)
NUMBERS: Mapping[str, Any] = {"motion_bucket_id": 127, "fps": 6, "augmentation_level": 0.0}
TOLERANCES = {"zero123_back": 4 * 4.8e-5, "svd_triangle": 4 * 4.6e-5}
"""Four times the reference's own deviation between different numbers of threads: their UNets are
given a picture's latent unscaled, whose rounding they multiply."""


@pytest.fixture(scope="module")
def reference(reference_folder: Path) -> Mapping[str, torch.Tensor]:
    return load_file(reference_folder / "picture_prompts.safetensors")


def tensors(tool: ModuleType, net: UNet, more: Mapping[str, tuple[int, ...]]) -> StateDict:
    shapes = {PREFIX + name: tuple(each.shape) for name, each in net.state_dict().items()}
    made = {name: tool.value(name, shape).half() for name, shape in {**shapes, **more}.items()}
    for name in made:
        if name.endswith("mix_factor"):
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            made[name] = torch.randn(1, generator=generator).half()
    return StateDict.of(made)


@pytest.mark.parametrize(
    "name", ["zero123_back", pytest.param("svd_triangle", marks=pytest.mark.slow)]
)
def test_run(
    name: str,
    reference: Mapping[str, torch.Tensor],
    random_checkpoints: ModuleType,
    files: Files,
    record_property: Callable[[str, object], None],
) -> None:
    is_video = name.startswith("svd")
    with torch.device("meta"):
        net = UNet(VIDEO if is_video else VIEW)
    camera = {} if is_video else {"cc_projection.weight": (768, 772), "cc_projection.bias": (768,)}
    weights = tensors(random_checkpoints, net, camera)
    seen, picture = reference[f"{name}.tokens"], reference[f"{name}.picture"]
    expected = reference[f"{name}.latent"]
    numbers = NUMBERS if is_video else {}
    none = torch.zeros_like(seen[..., : None if is_video else 768])
    model = model_of(*detect(weights), weights)
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        found = ksampler(
            model=video_triangle_cfg_guidance(model, 1.0) if is_video else model,
            seed=42,
            steps=3,
            cfg=2.5 if is_video else 4.0,
            sampler_name="euler",
            scheduler="karras" if is_video else "normal",
            positive=[[seen, {**numbers, PICTURE: picture}]],
            negative=[[none, {**numbers, PICTURE: torch.zeros_like(picture)}]],
            latent_image={"samples": torch.zeros_like(expected)},
            denoise=1.0,
            ctx=RunningContext("1", files),
        )["samples"]
    assert found.shape == expected.shape
    strays = float((found.double() - expected.double()).norm() / expected.double().norm())
    record_property("relative_l2", strays)
    assert strays <= TOLERANCES[name], strays


def test_unclip_merges_two_pictures(
    reference: Mapping[str, torch.Tensor],
    reference_folder: Path,
    random_checkpoints: ModuleType,
    files: Files,
    record_property: Callable[[str, object], None],
) -> None:
    """The prompts are those of Stable Diffusion 2's runs."""
    texts = load_file(reference_folder / "sd2.safetensors")
    with torch.device("meta"):
        net = UNet(
            regular_unet(320, (1, 1, 1, 1), (1, 1, 1, 0), context=1024, linear=True, vector=1536)
        )
    made = dict(tensors(random_checkpoints, net, {}))
    norm = f"{PREFIX}output_blocks.11.1.transformer_blocks.0.norm1.bias"
    made[norm] = (torch.randn(320, generator=torch.Generator().manual_seed(7)) * 0.5).half()
    weights = StateDict.of(made)
    pictures = [
        {
            "clip_vision_output": SimpleNamespace(image_embeds=reference[f"unclip_two.{which}"]),
            "strength": strength,
            "noise_augmentation": noise,
        }
        for which, strength, noise in (("first", 1.0, 0.0), ("second", 0.7, 0.2))
    ]
    expected = reference["unclip_two.latent"]
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        found = ksampler(
            model=model_of(*detect(weights), weights),
            seed=42,
            steps=3,
            cfg=7.0,
            sampler_name="euler",
            scheduler="normal",
            positive=[[texts["positive.tokens"], {PICTURES: pictures}]],
            negative=[[texts["negative.tokens"], {}]],
            latent_image={"samples": torch.zeros_like(expected)},
            denoise=1.0,
            ctx=RunningContext("1", files),
        )["samples"]
    strays = float((found.double() - expected.double()).norm() / expected.double().norm())
    record_property("relative_l2", strays)
    assert strays <= 1e-5, strays
