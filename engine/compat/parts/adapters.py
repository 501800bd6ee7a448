"""Which objects plugins get for the values of this room, see `engine.compat.boundary`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from engine.compat.parts.clip import CLIP
from engine.compat.parts.control_foreign import PluginControl
from engine.compat.parts.control_nets import control_object, net_object
from engine.compat.parts.gligen import GligenPatcher
from engine.compat.parts.hook_kinds import HookKeyframeGroup
from engine.compat.parts.hooks import HookGroup
from engine.compat.parts.upscaler import ImageModelDescriptor
from engine.compat.parts.upscaler import stranger as foreign_upscaler
from engine.compat.parts.vae import VAE
from engine.compat.parts.vision import ClipVisionModel, Output, StyleModel
from engine.inference.control import Control, ControlNet
from engine.inference.gligen import GligenModel
from engine.inference.style import StyleModel as StyleValue
from engine.inference.upscale_model import UpscaleModel
from engine.inference.values import Clip, Hook, Keyframe, Vae
from engine.inference.vision import ClipVision, ClipVisionOutput


def _tuple(value: tuple[Any, ...]) -> Any:
    """Groups of hooks and keyframes are plain tuples; other tuples pass untouched."""
    if value and all(isinstance(each, Hook) for each in value):
        return HookGroup.of_value(value)
    if value and all(isinstance(each, Keyframe) for each in value):
        return HookKeyframeGroup.of_value(value)
    return value


ADAPTERS: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {
        Clip: CLIP.of_value,
        Vae: VAE.of_value,
        ControlNet: net_object,
        Control: control_object,
        PluginControl: control_object,
        ClipVision: ClipVisionModel.of_value,
        ClipVisionOutput: Output.of_value,
        StyleValue: StyleModel.of_value,
        UpscaleModel: ImageModelDescriptor,
        GligenModel: GligenPatcher.of_value,
        tuple: _tuple,
    }
)
STRANGERS: Sequence[Callable[[Any], Any]] = (foreign_upscaler,)
