"""Runs with control networks against the reference's, on files of random weights made here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.golden.control_files import make_file

if TYPE_CHECKING:
    import torch

    Run = Callable[..., tuple[torch.Tensor, torch.Tensor]]

REFERENCE = Path(__file__).parents[1] / "reference"
RUNS = {
    run["name"]: run
    for run in json.loads((REFERENCE / "controls.json").read_text(encoding="utf-8"))
}
IN_CI = ("cn15_chain_same", "cn15_difference_07", "cn15_chain_ranges")


def with_checkpoint(name: str) -> list[Any]:
    """The runs with a checkpoint."""
    found = (
        run["name"]
        for run in RUNS.values()
        if run["prompt"]["4"]["inputs"].get("ckpt_name") == f"{name}.safetensors"
    )
    return [n if n in IN_CI else pytest.param(n, marks=pytest.mark.slow) for n in found]


def strays(name: str, run: Run, runs: Mapping[str, Mapping[str, Any]], folder: Path) -> float:
    """Relative L2 of our latent from the reference's."""
    for node in runs[name]["prompt"].values():
        if wanted := node["inputs"].get("control_net_name"):
            make_file(folder, wanted)
    found, expected = run(name)
    return float((found.double() - expected).norm() / expected.double().norm())


@pytest.mark.parametrize("name", with_checkpoint("tiny15"))
@pytest.mark.usefixtures("tiny15_checkpoint")
def test_control(
    name: str,
    run_reference: Run,
    runs: Mapping[str, Mapping[str, Any]],
    test_cache: Path,
    record_property: Callable[[str, object], None],
) -> None:
    found = strays(name, run_reference, runs, test_cache)
    record_property("relative_l2", found)
    assert found <= RUNS[name]["tolerance"]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", with_checkpoint("sd15"))
@pytest.mark.usefixtures("sd15_checkpoint")
def test_control_of_true_sizes(
    name: str,
    run_reference: Run,
    runs: Mapping[str, Mapping[str, Any]],
    test_cache: Path,
    record_property: Callable[[str, object], None],
) -> None:
    found = strays(name, run_reference, runs, test_cache)
    record_property("relative_l2", found)
    assert found <= RUNS[name]["tolerance"]
