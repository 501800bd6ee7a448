"""The loader of checkpoints with a config file, for workflows that have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import yaml

from engine.diffusion.parameterization import Discrete, Prediction, discrete
from engine.errors import NodeError
from engine.files import file_identity
from engine.inference.load import load_checkpoint
from engine.nodekit.context import Context
from engine.nodekit.contract import node
from engine.nodekit.markers import FileChoice
from nodes.sockets import Clip, Model, Vae

CONFIGS = "configs"
_MOST_BYTES = 1 << 20
_PREDICTIONS: Mapping[str, Prediction] = {"eps": Prediction.EPS, "v": Prediction.V}


@node(
    "CheckpointLoader",
    category="advanced/loaders",
    display="Load Checkpoint With Config (DEPRECATED)",
    deprecated=True,
)
def load_checkpoint_with_config(
    config_name: Annotated[str, FileChoice(CONFIGS)],
    ckpt_name: Annotated[str, FileChoice("checkpoints")],
    ctx: Context,
) -> tuple[Model, Clip, Vae]:
    """Load a checkpoint with a config file (`v2-inference-v.yaml` and its like).

    Sizes are read from the checkpoint; of the config only what the network predicts is used: noise
    or v. Load Checkpoint needs no config.
    """
    prediction = _prediction(ctx.files.find(CONFIGS, config_name))
    model, clip, vae = load_checkpoint(ctx.files.find("checkpoints", ckpt_name))
    levels = model.parameterization
    if isinstance(levels, Discrete) and levels.prediction is not prediction:
        model = replace(model, parameterization=discrete(prediction))
    return model, clip, vae


@load_checkpoint_with_config.fingerprint
def _(config_name: str | None, ckpt_name: str | None, ctx: Context) -> object:
    given = ((CONFIGS, config_name), ("checkpoints", ckpt_name))
    return [name and file_identity(ctx.files.find(kind, name)) for kind, name in given]


def _prediction(path: Path) -> Prediction:
    """What a config file says that the network predicts.

    Raises:
        NodeError: it is no config of a latent diffusion model.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        params = document["model"].get("params") or {}
        return _PREDICTIONS[params.get("parameterization", "eps")]
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        yaml.YAMLError,
    ) as error:
        raise NodeError(
            f"{path.name} is no config of a latent diffusion model, which has `model: params:` and "
            f"a parameterization of eps or v ({' '.join(str(error).split())[:200]}); use Load "
            "Checkpoint, which needs none"
        ) from error
