"""Checkpoints that are loaded with a config file."""

import pytest

from engine.diffusion.parameterization import Prediction
from engine.errors import NodeError
from nodes.old_loaders import load_checkpoint_with_config
from tests.wet.nodes.test_read_by_diffusers import ctx

__all__ = ["ctx"]


@pytest.mark.parametrize(("said", "prediction"), [("v", Prediction.V), ("eps", Prediction.EPS)])
def test_a_config_says_what_the_network_predicts(ctx, settings, said, prediction):
    folder = settings.models_directories[0] / "configs"
    folder.mkdir()
    (folder / "c.yaml").write_text(f"model:\n  params:\n    parameterization: {said}\n")
    (folder / "none.yaml").write_text("model:\n  target: x\n")
    assert ctx.files.list("configs") == ["c.yaml", "none.yaml"]
    model, _, _ = load_checkpoint_with_config("c.yaml", "a.safetensors", ctx)
    assert model.parameterization.prediction is prediction
    plain, _, _ = load_checkpoint_with_config("none.yaml", "a.safetensors", ctx)
    assert plain.parameterization.prediction is Prediction.EPS


@pytest.mark.parametrize(
    "content", ["", "[1, 2]", "model: 3", "a: [", "model:\n  params:\n    parameterization: q"]
)
def test_what_is_no_config_is_refused(ctx, settings, content):
    folder = settings.models_directories[0] / "configs"
    folder.mkdir()
    (folder / "c.yaml").write_text(content)
    with pytest.raises(NodeError, match=r"c\.yaml is no config of a latent diffusion model"):
        load_checkpoint_with_config("c.yaml", "a.safetensors", ctx)
