"""What this room gives to the boundary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.compat.models.patcher import ModelPatcher
from engine.inference.values import Model

ADAPTERS: Mapping[type, Callable[[Any], Any]] = {Model: ModelPatcher.of_value}
