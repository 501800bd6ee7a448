# pyright: basic
"""The denoisers that are no UNets, as plugins call them: `(x, timesteps, context, y, ...)`.

Families prepare their networks' inputs in ways of their own (patches, positions, references), so a
plugin's call goes through `ModelFamily.predict`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.models import networks
from engine.compat.models.patcher_extension import (
    WrapperExecutor,
    WrappersMP,
    get_all_wrappers,
)
from engine.compat.stored_weights import readable
from engine.inference.values import Model
from engine.nets.hooks import NetHooks, Residuals
from engine.nets.stream_blocks import HEAD_CHANNELS
from engine.nets.unet import UNet
from engine.residency.manager import current

NAMES: Mapping[str, str] = {"vector": "y", "mask": "attention_mask", "references": "ref_latents"}
"""Inputs of the engine's families by the names that these networks give them."""
_OURS = {theirs: ours for ours, theirs in NAMES.items()}


CLASSES: Mapping[str, str] = {
    "MMDiT": "OpenAISignatureMMDITWrapper",
    "QwenImage": "QwenImageTransformer2DModel",
}
"""Names of the engine's networks by those that plugins compare with."""
SIZES: Mapping[str, str] = {
    "channels": "hidden_size",
    "width": "hidden_size",
    "double": "depth",
    "single": "depth_single_blocks",
    "blocks": "num_layers",
    "context": "context_in_dim",
    "context_channels": "context_in_dim",
    "vector": "vec_in_dim",
    "vector_channels": "vec_in_dim",
    "guidance": "guidance_embed",
}
"""Sizes of the engine's configurations by the names of the original code."""


def sizes_of(config: Any) -> dict[str, Any]:
    """A configuration's sizes by the names of the original code."""
    names = [each.name for each in fields(config)] if is_dataclass(config) else []
    found = {SIZES.get(name, name): getattr(config, name) for name in names}
    if "depth_single_blocks" in found:  # of FLUX and its kin
        # Tokens are patches of 2 x 2 cells, of FLUX.2 single cells.
        side = 2 if "out_channels" in found else 1
        of_tokens = set[str]() if "refiner" in found else {"in_channels", "out_channels"}
        for name in of_tokens & found.keys():  # those of HunyuanVideo are a latent's
            found[name] //= side**2
        heads = found["hidden_size"] // HEAD_CHANNELS
        found |= {"patch_size": side, "num_heads": heads}
    return found


def control_dict(control: Residuals | None) -> dict[str, list[Tensor | None]] | None:
    """Control as these networks read it: `input[i]` after double block i, `output[i]` single."""
    if control is None:
        return None
    parts = {"input": control.input, "middle": control.middle, "output": control.output}
    return {name: list(slots) for name, slots in parts.items()}


def residuals(control: Any) -> Residuals | None:
    """The inverse of `control_dict`."""
    if control is None or isinstance(control, Residuals):
        return control
    parts = (tuple(control.get(name) or ()) for name in ("input", "middle", "output"))
    return Residuals(*parts)


class TransformerModel(nn.Module):
    """A denoiser with the arguments that plugins pass.

    Not built: it shares the attributes of the engine's own network, so that what is set on one is
    seen by the other.
    """

    def forward(
        self,
        x: Tensor,
        timestep: Any = None,
        context: Tensor | None = None,
        y: Tensor | None = None,
        guidance: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        """X [B, C, h, w], timestep [B], context [B, T, D], y [B, V] -> like x."""
        options = transformer_options or {}
        time = kwargs.pop("timesteps", timestep)
        wrappers = get_all_wrappers(WrappersMP.DIFFUSION_MODEL, options)
        executor = WrapperExecutor.new_class_executor(self._forward, self, wrappers)
        with networks.in_use(self):
            return executor.execute(x, time, context, y, guidance, control, options, **kwargs)

    def _forward(
        self,
        x: Tensor,
        timestep: Any = None,
        context: Tensor | None = None,
        y: Tensor | None = None,
        guidance: Tensor | None = None,
        control: Any = None,
        transformer_options: Any = None,
        **kwargs: Any,
    ) -> Tensor:
        given = {"context": context, "y": y, "guidance": guidance, **kwargs}
        inputs = {
            _OURS.get(name, name): value for name, value in given.items() if value is not None
        }
        return self.__dict__["_predict"](
            self.__dict__["_engine_net"](),
            x,
            timestep,
            inputs,
            control=residuals(control),
            hooks=networks.net_hooks(transformer_options),
            checkpoint=self.__dict__.get("_checkpoint") or _nothing,
        )

    @property
    def is_replaced(self) -> bool:
        """Whether a plugin replaced the method of the class."""
        return TransformerModel.forward is not _FORWARD

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that the network is computed in."""
        handle = networks.handle_of(self)
        return torch.float32 if handle is None else current().dtype_of(handle)

    @property
    def device(self) -> torch.device:
        """The device that computes."""
        return current().device

    to = networks.UNetModel.to
    state_dict = networks.UNetModel.state_dict
    load_state_dict = networks.UNetModel.load_state_dict


_FORWARD = TransformerModel.forward


def _nothing() -> None:
    """No run to stop."""


def shown_network(value: Model) -> nn.Module:
    """A model's network as plugins see it; always the same object for the same weights."""
    handle = value.net
    net = handle.base.module
    if isinstance(net, UNet):
        return networks.shown_network(handle)
    shown = net.__dict__.get("_shown")
    shown = shown() if shown is not None else None
    if shown is None:
        readable(handle)
        body = {"__module__": TransformerModel.__module__}
        name = type(net).__name__
        kind = type(CLASSES.get(name, name), (TransformerModel, type(net)), body)
        shown = kind.__new__(kind)
        # Both share one dictionary: modules that a plugin adds are computed by either.
        object.__setattr__(shown, "__dict__", net.__dict__)
        net.__dict__["_shown"] = weakref.ref(shown)
        net.__dict__["_handle"] = weakref.ref(handle.base)
        net.__dict__["_engine_net"] = weakref.ref(net)
        net.__dict__["_predict"] = value.family.predict
        net.__dict__.setdefault("params", SimpleNamespace(**sizes_of(value.config)))
    return shown


def is_shown(base_model: Any) -> bool:
    """Whether a `BaseModel` shows a model of the engine's with such a network."""
    value: Model | None = getattr(base_model, "value", None)
    return value is not None and not isinstance(value.net.base.module, UNet)


def through(shown: nn.Module) -> Callable[..., Tensor]:
    """What a run calls instead of the family's `predict`: the network as plugins changed it."""

    def predict(
        net: nn.Module,
        x: Tensor,
        timestep: Tensor,
        inputs: Mapping[str, Tensor],
        *,
        control: Residuals | None,
        hooks: NetHooks | None,
        checkpoint: Callable[[], None],
    ) -> Tensor:
        given = {NAMES.get(name, name): value for name, value in inputs.items()}
        with networks.running(net, checkpoint):
            return shown(
                x,
                timestep,
                control=control_dict(control),
                transformer_options=networks.transformer_options(hooks),
                **given,
            )

    return predict
