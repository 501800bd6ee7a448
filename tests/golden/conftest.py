"""The reference's runs, and a worker that runs them in fp32."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.execute.executor import Job
from engine.graph.prompt import parse
from engine.settings import Settings
from engine.wire.messages import Succeeded
from engine.worker.loop import Worker

KINDS = ("checkpoints", "controlnet", "loras", "gligen", "hypernetworks")
Run = Callable[..., tuple[torch.Tensor, torch.Tensor]]
LISTS = (
    "runs",
    "graphs",
    "controls",
    "adapters",
    "inside_attention",
    "picture_models",
)
"""The files of runs in `tests/reference`."""


@pytest.fixture(scope="session")
def runs(reference_folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """The reference's runs by name: an API prompt, its number of threads, its latent."""
    found = {}
    for kind in LISTS:
        latents = load_file(reference_folder / f"{kind}.safetensors")
        listed = json.loads((reference_folder / f"{kind}.json").read_text(encoding="utf-8"))
        found |= {run["name"]: {**run, "latent": latents[run["name"]]} for run in listed}
    return found


@pytest.fixture(scope="session")
def settings_for_runs(
    test_cache: Path, tmp_path_factory: pytest.TempPathFactory, reference_folder: Path
) -> Callable[[str], Settings]:
    def make(dtype: str) -> Settings:
        user = tmp_path_factory.mktemp("user")
        shutil.copytree(reference_folder / "pictures", user / "input")
        return Settings(
            user_directory=user,
            output_directory=user / "output",
            input_directory=user / "input",
            model_folders=dict.fromkeys(KINDS, (test_cache,)),
            dtype=dtype,
        )

    return make


@pytest.fixture(scope="session")
def run_with(
    runs: Mapping[str, Mapping[str, Any]],
) -> Callable[[Worker, str], tuple[torch.Tensor, torch.Tensor]]:
    """Run one of them through a worker; returns (our latent, the reference's)."""

    def run(worker: Worker, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        wanted = runs[name]
        prompt = parse(wanted["prompt"])
        report = worker.check(prompt)
        assert report.error is None, report
        assert not report.node_errors, report.node_errors
        torch.set_num_threads(wanted["threads"])
        saver = next(key for key, node in prompt.nodes.items() if node.class_type == "SaveLatent")
        result = worker.run(Job(name, [saver]), report.prompt, lambda _: None)
        assert isinstance(result.end, Succeeded), result.end
        (saved,) = result.shown[saver]["latents"]
        folder = worker.files.folders("output")[0] / saved["subfolder"]
        found = load_file(folder / saved["filename"])["latent_tensor"]
        return found, wanted["latent"]

    return run


@pytest.fixture(scope="session")
def worker_in(settings_for_runs: Callable[[str], Settings]) -> Iterator[Callable[[str], Worker]]:
    """One worker for all runs in a dtype: results that runs share are computed once."""
    threads = torch.get_num_threads()
    workers: dict[str, Worker] = {}

    def make(dtype: str) -> Worker:
        if dtype not in workers:
            workers[dtype] = Worker(settings_for_runs(dtype))
        return workers[dtype]

    yield make
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def run_reference(
    worker_in: Callable[[str], Worker],
    run_with: Callable[[Worker, str], tuple[torch.Tensor, torch.Tensor]],
) -> Run:
    """Run one of them; returns (our latent, the reference's)."""

    def run(name: str, dtype: str = "fp32") -> tuple[torch.Tensor, torch.Tensor]:
        return run_with(worker_in(dtype), name)

    return run
