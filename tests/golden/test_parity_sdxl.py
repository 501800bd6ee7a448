"""SDXL's UNet, its marks and its size inputs: same seed, same latent as the reference.

The UNet has Vega's depths and 320 channels at each level; its random weights are made here, byte
for byte. The two prompts were encoded by this program in a run that matches the reference as a
whole; the text encoders of these runs take 1.4 GB. `test_reference_folder.py` runs all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.families.detect import detect
from engine.files import Files
from engine.inference.load import model_of
from engine.nets.layouts import regular_unet
from engine.nets.unet import UNet
from engine.nodekit.context import RunningContext
from engine.residency.manager import DeviceResidency, installed
from engine.weights.state_dict import StateDict
from nodes.latent import empty_latent_image
from nodes.sampling import ksampler

TOLERANCE = 1e-5
PREFIX = "model.diffusion_model."
NOTHING = torch.zeros(0)
EDM: Mapping[str, torch.Tensor] = {
    "edm_mean": torch.tensor([-1.6574, 1.886, -1.383, 2.5155]).view(1, 4, 1, 1),
    "edm_std": torch.tensor([8.4927, 5.9022, 6.5498, 5.2299]).view(1, 4, 1, 1),
}
EDM_V: Mapping[str, torch.Tensor] = {
    "edm_vpred.sigma_max": torch.tensor(120.0),
    "edm_vpred.sigma_min": torch.tensor(0.002),
}
V: Mapping[str, torch.Tensor] = {"v_pred": NOTHING}
ZERO_SNR: Mapping[str, torch.Tensor] = {"v_pred": NOTHING, "ztsnr": NOTHING}
SLOW = pytest.mark.slow
RUNS = [
    pytest.param("xl_cfg1", "", {}, (3, 1.0, "euler", "normal")),
    pytest.param("xl_edm_euler", "", EDM, (3, 7.0, "euler", "normal")),
    pytest.param("xl_zsnr_euler", "v:", ZERO_SNR, (3, 7.0, "euler", "normal")),
    pytest.param("xl_euler_normal", "", {}, (4, 6.0, "euler", "normal"), marks=SLOW),
    pytest.param("xl_dpmpp_2m_karras", "", {}, (4, 6.0, "dpmpp_2m", "karras"), marks=SLOW),
    pytest.param("xl_vpred_euler", "v:", V, (3, 7.0, "euler", "normal"), marks=SLOW),
    pytest.param("xl_edmv_euler", "v:", EDM_V, (3, 7.0, "euler", "normal"), marks=SLOW),
]
"""Name, salt of the weights, marks in the file; steps, guidance, sampler, scheduler."""
LOOSER: Mapping[str, float] = {
    "xl_zsnr_euler": 3e-5,
    "xl_edmv_euler": 1.6e-5,
    "xl_vpred_euler": 1.3e-5,
}
"""Four times the reference's own deviation between different numbers of threads."""


@pytest.fixture(scope="module")
def reference(reference_folder: Path) -> Mapping[str, torch.Tensor]:
    return load_file(reference_folder / "sdxl.safetensors")


@pytest.fixture(scope="module")
def unet_of(random_checkpoints: ModuleType) -> Callable[[str], dict[str, torch.Tensor]]:
    """The UNet's tensors by the salt of their making, each made once."""
    config = regular_unet(320, (1, 1, 1), (0, 1, 2), context=2048, linear=True, vector=2816)
    with torch.device("meta"):
        shapes = {name: tuple(each.shape) for name, each in UNet(config).state_dict().items()}

    @cache
    def make(salt: str) -> dict[str, torch.Tensor]:
        return {
            PREFIX + name: random_checkpoints.value(f"{salt}{PREFIX}{name}", shape).half()
            for name, shape in shapes.items()
            if not name.startswith(("middle_block.1.", "middle_block.2."))
        }

    return make


def conditioning(reference: Mapping[str, torch.Tensor], name: str) -> list[list[Any]]:
    extras = {"pooled_output": reference[f"{name}.pooled"]}
    return [[reference[f"{name}.tokens"], extras]]


@pytest.mark.parametrize(("name", "salt", "marks", "choices"), RUNS)
def test_run(
    name: str,
    salt: str,
    marks: Mapping[str, torch.Tensor],
    choices: tuple[int, float, str, str],
    reference: Mapping[str, torch.Tensor],
    unet_of: Callable[[str], dict[str, torch.Tensor]],
    files: Files,
    record_property: Callable[[str, object], None],
) -> None:
    weights = StateDict.of({**unet_of(salt), **marks})
    steps, scale, sampler, scheduler = choices
    with installed(DeviceResidency(torch.device("cpu"), torch.float32)):
        found = ksampler(
            model=model_of(*detect(weights), weights),
            seed=42,
            steps=steps,
            cfg=scale,
            sampler_name=sampler,
            scheduler=scheduler,
            positive=conditioning(reference, "positive"),
            negative=conditioning(reference, "negative"),
            latent_image=empty_latent_image(128, 96),
            denoise=1.0,
            ctx=RunningContext("1", files),
        )["samples"]
    expected = reference[name]
    assert found.shape == expected.shape
    strays = float((found.double() - expected.double()).norm() / expected.double().norm())
    record_property("relative_l2", strays)
    assert strays <= LOOSER.get(name, TOLERANCE)
