# pyright: basic
"""The kinds of models: what a network predicts, with its noise levels."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from engine.compat.models import model_sampling as sampling_classes
from engine.diffusion.parameterization import Prediction
from engine.inference.values import Model


class ModelType(Enum):
    """What a network predicts, with its noise levels."""

    EPS = 1
    V_PREDICTION = 2
    V_PREDICTION_EDM = 3
    STABLE_CASCADE = 4
    EDM = 5
    FLOW = 6
    V_PREDICTION_CONTINUOUS = 7
    FLUX = 8
    IMG_TO_IMG = 9
    FLOW_COSMOS = 10
    IMG_TO_IMG_FLOW = 11


_KINDS: Mapping[ModelType, tuple[type, type]] = {
    ModelType.EPS: (sampling_classes.ModelSamplingDiscrete, sampling_classes.EPS),
    ModelType.V_PREDICTION: (
        sampling_classes.ModelSamplingDiscrete,
        sampling_classes.V_PREDICTION,
    ),
    ModelType.V_PREDICTION_EDM: (
        sampling_classes.ModelSamplingContinuousEDM,
        sampling_classes.V_PREDICTION,
    ),
    ModelType.STABLE_CASCADE: (sampling_classes.StableCascadeSampling, sampling_classes.EPS),
    ModelType.EDM: (sampling_classes.ModelSamplingContinuousEDM, sampling_classes.EDM),
    ModelType.FLOW: (sampling_classes.ModelSamplingDiscreteFlow, sampling_classes.CONST),
    ModelType.V_PREDICTION_CONTINUOUS: (
        sampling_classes.ModelSamplingContinuousV,
        sampling_classes.V_PREDICTION,
    ),
    ModelType.FLUX: (sampling_classes.ModelSamplingFlux, sampling_classes.CONST),
    ModelType.IMG_TO_IMG: (
        sampling_classes.ModelSamplingDiscrete,
        sampling_classes.IMG_TO_IMG,
    ),
    ModelType.FLOW_COSMOS: (
        sampling_classes.ModelSamplingCosmosRFlow,
        sampling_classes.COSMOS_RFLOW,
    ),
    ModelType.IMG_TO_IMG_FLOW: (
        sampling_classes.ModelSamplingDiscreteFlow,
        sampling_classes.IMG_TO_IMG_FLOW,
    ),
}


def model_sampling(model_config: Any, model_type: ModelType) -> Any:
    """The noise levels of a kind of model, with the settings of its configuration."""
    parts = _KINDS[model_type]
    made = type("ModelSampling", parts, {"__module__": sampling_classes.__name__})
    return made(model_config)


def model_type_of(value: Model) -> ModelType:
    """The kind of an engine's model."""
    made = value.parameterization
    if made.is_flow:
        return ModelType.FLOW
    prediction = getattr(made, "prediction", Prediction.EPS)
    if type(made).__name__ == "Continuous":
        is_edm = prediction is Prediction.EDM
        return ModelType.EDM if is_edm else ModelType.V_PREDICTION_EDM
    return {
        Prediction.V: ModelType.V_PREDICTION,
        Prediction.EDM: ModelType.EDM,
        Prediction.IMAGE: ModelType.IMG_TO_IMG,
    }.get(prediction, ModelType.EPS)
