"""The base of the configurations of models."""

from engine.compat.models.supported_models import BASE, ClipTarget
