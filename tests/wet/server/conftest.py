"""A real server: a separate process with a worker, in a temporary folder."""

import importlib.util
import sys
from pathlib import Path

import pytest


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
