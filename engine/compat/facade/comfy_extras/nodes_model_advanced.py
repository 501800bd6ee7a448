"""Noise levels and predictions of models."""

from engine.compat.core_nodes.plugin_names import names_of
from engine.compat.models.distilled import LCM, ModelSamplingDiscreteDistilled
from engine.compat.models.model_sampling import rescale_zero_terminal_snr_sigmas

__getattr__ = names_of(__name__)
