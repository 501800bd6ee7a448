"""The host's modules as a plugin imports them, with settings of a temporary folder."""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

from engine.compat.host import state
from engine.compat.install import install_facade
from engine.files import Files
from engine.residency import manager
from engine.settings import Settings


@pytest.fixture
def make_host(tmp_path):
    """Starts a host with these settings, and imports the modules that depend on them anew."""
    before = {}

    def make(*names, **choices) -> ModuleType:
        for place in ("output", "input", "user", "models", "custom_nodes"):
            (tmp_path / place).mkdir(exist_ok=True)
        settings = Settings(
            **{
                "user_directory": tmp_path / "user",
                "output_directory": tmp_path / "output",
                "input_directory": tmp_path / "input",
                "models_directories": (tmp_path / "models",),
                "custom_nodes_directories": (tmp_path / "custom_nodes",),
            }
            | choices
        )
        told = []
        host = state.start(settings, Files(settings), on_folders_changed=told.append)
        install_facade()
        for name in ("folder_paths", "comfy.cli_args"):
            before.setdefault(name, sys.modules.pop(name, None))
            sys.modules.pop(name, None)
        modules = {name.rpartition(".")[2]: importlib.import_module(name) for name in names}
        return SimpleNamespace(host=host, told=told, **modules)

    yield make
    state._host.clear()
    for name, module in before.items():
        sys.modules.pop(name, None)
        if module is not None:
            sys.modules[name] = module


@pytest.fixture
def residency():
    """A CPU with a budget of 1 MB."""
    import torch

    made = manager.DeviceResidency(torch.device("cpu"), torch.float32, budget=1 << 20)
    with manager.installed(made):
        yield made
