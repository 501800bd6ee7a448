"""Tiny random networks and their diffusers twins, for comparison."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from engine.nets.unet import UNet


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with torch.inference_mode():
        yield
    torch.set_num_threads(before)


def config_folder(folder: Path, class_name: str, values: dict[str, Any]) -> str:
    (folder / "config.json").write_text(json.dumps({**values, "_class_name": class_name}))
    return str(folder)


@pytest.fixture
def diffusers_unet(tmp_path: Path):
    """Our UNet's weights in diffusers' module."""

    def load(net: UNet, **values: Any) -> nn.Module:
        os.environ["HF_HUB_OFFLINE"] = "1"
        from diffusers import UNet2DConditionModel

        # The converter takes tensors out of the dict it is given.
        state = {f"model.diffusion_model.{k}": v.clone() for k, v in net.state_dict().items()}
        config = config_folder(tmp_path, "UNet2DConditionModel", values)
        oracle = UNet2DConditionModel.from_single_file(state, config=config, local_files_only=True)
        return oracle.eval()

    return load


@pytest.fixture
def diffusers_autoencoder(tmp_path: Path):
    """Our autoencoder's weights in diffusers' module."""

    def load(net: nn.Module, **values: Any) -> nn.Module:
        os.environ["HF_HUB_OFFLINE"] = "1"
        from diffusers import AutoencoderKL

        state = {f"first_stage_model.{k}": v.clone() for k, v in net.state_dict().items()}
        config = config_folder(tmp_path, "AutoencoderKL", values)
        return AutoencoderKL.from_single_file(state, config=config, local_files_only=True).eval()

    return load
