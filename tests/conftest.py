"""Fixtures for all tests: reference data, and settings that write into a temporary folder."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pytest
from hypothesis import settings as hypothesis_settings

from engine.files import Files
from engine.settings import ROOT, Settings

# MKL rounds exp, log and tan differently by make of processor; these tests compare with numbers
# computed on an AMD one, bit for bit. Read at MKL's first call, so set before torch is imported.
os.environ.setdefault("MKL_CBWR", "COMPATIBLE")

# Several test processes share the cores instead of each taking all.
if (processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))

hypothesis_settings.register_profile("here", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "here")


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
REFERENCE = Path(__file__).parent / "reference"
"""Results of the incumbent: see the README there."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On CI, a skipped test counts as failed.

    Tests that take minutes, a GPU or missing data are deselected by their mark, and pytest reports
    how many. Only systems other than Linux may lack what a test needs.
    """
    return _not_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for whole files."""
    return _not_skipped((yield))


def _not_skipped(report: Report) -> Report:
    if report.skipped and os.environ.get("CI") and sys.platform == "linux":
        report.outcome = "failed"
        report.longrepr = f"no test may skip in CI: {report.longreprtext}"
    return report


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    return REFERENCE


@pytest.fixture(scope="session")
def test_cache() -> Path:
    """A folder for big files that tests make once and reuse."""
    default = Path(tempfile.gettempdir()) / "calotype-tests"
    folder = Path(os.environ.get("CALOTYPE_TEST_CACHE", default))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny15_checkpoint(test_cache: Path) -> Path:
    """The reference's reduced SD1 checkpoint of random weights (0.5 GB), made once."""
    return make_checkpoint(test_cache, "tiny15")


@pytest.fixture(scope="session")
def sd15_checkpoint(test_cache: Path) -> Path:
    """The reference's full-size SD1 checkpoint of random weights (2.1 GB), made once."""
    return make_checkpoint(test_cache, "sd15")


def make_checkpoint(cache: Path, size: str) -> Path:
    """Make a checkpoint with our tool, byte for byte the one the reference was computed from."""
    path = cache / f"{size}.safetensors"
    if not path.is_file():
        part = path.with_suffix(f".{os.getpid()}.part")
        tool = ROOT / "tools" / "make_random_checkpoint.py"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, tool, part, "--size", size]
        subprocess.run(command, check=True, env=environment)
        part.replace(path)
    return path


@pytest.fixture(scope="session")
def random_checkpoints() -> ModuleType:
    """The module `tools/make_random_checkpoint.py`, which is a script, not a package."""
    name = "make_random_checkpoint"
    tools = ROOT / "tools"
    spec = importlib.util.spec_from_file_location(name, tools / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    user = tmp_path / "user"
    for name in ("input", "output", "temp"):
        (user / name).mkdir(parents=True)
    return Settings(
        user_directory=user,
        output_directory=user / "output",
        input_directory=user / "input",
        models_directories=(tmp_path / "models", ROOT / "models"),
    )


@pytest.fixture
def files(settings: Settings) -> Files:
    return Files(settings)
