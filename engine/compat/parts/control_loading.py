"""Control networks from files and tensors, as plugins load them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.compat.given_weights import given_weights
from engine.compat.parts.control_nets import EngineControl, net_object
from engine.inference import control as engine_control
from engine.weights.open import open_weights


def load_controlnet(
    ckpt_path: str, model: Any = None, model_options: Mapping[str, Any] | None = None
) -> EngineControl:
    """The control network of a file; `model` adds its weights to files of differences.

    Raises:
        WeightsError: the file holds no control network that is known.
    """
    return load_controlnet_state_dict(open_weights(Path(ckpt_path)), model, model_options)


def load_controlnet_state_dict(
    state_dict: Mapping[str, Tensor], model: Any = None, model_options: Any = None
) -> EngineControl:
    """The control network of a file's tensors, see `load_controlnet`."""
    dtype = (model_options or {}).get("dtype")
    weights = given_weights(state_dict)
    value = engine_control.control_of(weights, dtype=dtype)
    if value.is_difference and model is not None:
        value = engine_control.on_top_of(value, model.to_value())
    return net_object(value)


def load_t2i_adapter(t2i_data: Mapping[str, Tensor], model_options: Any = None) -> EngineControl:
    """The T2I-Adapter of a file's tensors. Raises `WeightsError`."""
    return load_controlnet_state_dict(t2i_data, None, model_options)
