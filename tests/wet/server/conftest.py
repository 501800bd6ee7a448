"""A real server: a separate process with a worker, in a temporary folder."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from engine.settings import ROOT


def _load(name):
    """The module beside this file; tests are not a package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


real_ = _load("real")


@pytest.fixture(scope="session")
def real():
    """The module `real.py`."""
    return real_


@pytest.fixture
def start_server(tmp_path):
    """Starts servers, and stops those still running."""
    started = []

    def begin(*arguments, user=None, **options):
        served = real_.start(user or tmp_path / "user", "--dtype", "fp32", *arguments, **options)
        started.append(served)
        return served

    yield begin
    for served in started:
        if served.process.poll() is None:
            served.kill()
        served.process.stdout.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, request):
    """One server for the tests of a module that do not change its state."""
    models = request.getfixturevalue("small_models")
    user = tmp_path_factory.mktemp("served") / "user"
    served = real_.start(user, "--dtype", "fp32", "--models-directory", models)
    yield served
    if served.process.poll() is None:
        served.kill()
    served.process.stdout.close()


@pytest.fixture(scope="session")
def small_models(tmp_path_factory, random_checkpoints, small_tensors):
    """A folder of models with one tiny checkpoint of random weights."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("models")
    (folder / "checkpoints").mkdir()
    save_file(small_tensors, folder / "checkpoints" / "small.safetensors")
    return folder


PACKS = ROOT / "tests" / "plugins"
USED_PACKS = ("pack_of_routes", "pack_with_pages", "pack_with_folders", "pack_of_samplers")


@pytest.fixture(scope="module")
def pack_folder(tmp_path_factory):
    """A folder of copies, which tests may change."""
    folder = tmp_path_factory.mktemp("packs") / "custom_nodes"
    for name in USED_PACKS:
        shutil.copytree(PACKS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder.parent / "secret.js").write_text("a secret")
    (folder / "pack_with_pages/web/leads_out.js").symlink_to(folder.parent / "secret.js")
    (folder / "pack_with_pages" / "web" / ".hidden.js").write_text("hidden")
    return folder


@pytest.fixture(scope="module")
def packs_server(tmp_path_factory, pack_folder):
    """One server for the tests of a module, once its packs have loaded."""
    user = tmp_path_factory.mktemp("served_packs") / "user"
    found = real_.start(user, "--dtype", "fp32", "--custom-nodes-directory", pack_folder)
    try:
        real_.with_browser(found, lambda browser: browser.worker_ready(seconds=240))
        yield found
    finally:
        if found.process.poll() is None:
            found.kill()
        found.process.stdout.close()
