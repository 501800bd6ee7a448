"""What all tests share: reference data, and settings that write into a temporary folder."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from engine.files import Files
from engine.settings import ROOT, Settings

hypothesis_settings.register_profile("here", deadline=None)
hypothesis_settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Reference data that stays out of the repository; tests that read it skip without it."""
    folder = Path(os.environ.get("CALOTYPE_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference data: set CALOTYPE_SHARED (looked at {folder})")
    return folder


@pytest.fixture(scope="session")
def test_cache() -> Path:
    """A folder for big files that tests make once and keep."""
    default = Path(tempfile.gettempdir()) / "calotype-tests"
    folder = Path(os.environ.get("CALOTYPE_TEST_CACHE", default))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny15_checkpoint(shared_folder: Path, test_cache: Path) -> Path:
    """The reference's reduced SD1 checkpoint of random weights (0.5 GB), made once."""
    return make_reference_checkpoint(shared_folder, test_cache, "tiny15")


@pytest.fixture(scope="session")
def sd15_checkpoint(shared_folder: Path, test_cache: Path) -> Path:
    """The reference's full-size SD1 checkpoint of random weights (2.1 GB), made once."""
    return make_reference_checkpoint(shared_folder, test_cache, "sd15")


def make_reference_checkpoint(shared: Path, cache: Path, name: str) -> Path:
    path = cache / f"{name}.safetensors"
    if not path.is_file():
        part = path.with_suffix(f".{os.getpid()}.part")
        script = shared / "parity" / "make_checkpoint.py"
        subprocess.run([sys.executable, script, name, part], check=True)
        part.replace(path)
    return path


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
