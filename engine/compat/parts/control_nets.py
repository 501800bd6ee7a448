"""CONTROL_NET objects for plugins: the engine's control networks, and those of plugins' own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from engine.compat.given_weights import given_weights
from engine.compat.install import host_module
from engine.compat.models.latent_formats import format_of
from engine.compat.parts.control_base import ControlBase, StrengthType
from engine.compat.parts.control_foreign import PluginControl
from engine.compat.parts.control_networks import ControlNetwork, T2INetwork
from engine.compat.parts.part_patcher import PartPatcher
from engine.compat.parts.vae import VAE
from engine.control.t2i_adapter import T2IAdapterKind
from engine.errors import NodeError
from engine.inference import control as engine_control
from engine.inference.values import Model
from engine.residency.manager import current


class EngineControl(ControlBase):
    """What objects of the engine's control networks share."""

    _net: engine_control.ControlNet | None = None
    _origin: engine_control.Control | None = None
    _made: tuple[Any, Any] = (None, None)
    _own_format: Any = None

    def to_value(self) -> Any:
        """The frozen control network; with a picture the frozen application of it.

        That of an object with a plugin's code is evaluated by its `get_control`.
        """
        net = self._plain_net()
        previous = self.previous_controlnet
        before = None if previous is None else previous.to_value()
        if net is None:
            return ControlBase.to_value(self)
        if self.cond_hint_original is None:
            return net
        start, end = self.timestep_percent_range
        hint = self.cond_hint_original
        state = self._state(net, before)
        if self._made[0] != state:
            value = engine_control.Control(
                net,
                hint.movedim(1, -1),
                float(self.strength),
                float(start),
                float(end),
                before,
                None if self.vae is None else self.vae.to_value(),
                self._mask(),
            )
            self._made = (state, value)
        return self._made[1]

    def _state(self, net: Any, before: Any) -> tuple[Any, ...]:
        """What its value depends on."""
        start, end = self.timestep_percent_range
        concatenated = tuple(id(each) for each in self.extra_concat_orig)
        picture = (id(self.cond_hint_original), id(self.vae), concatenated)
        return (net, picture, float(self.strength), float(start), float(end), before)

    def _mask(self) -> Tensor | None:
        """The holes of the picture, from what is concatenated: 0 in a hole."""
        if not self.concat_mask or not self.extra_concat_orig:
            return None
        kept: Tensor = self.extra_concat_orig[0]
        return 1 - kept.reshape(-1, *kept.shape[-2:])

    def _plain_net(self) -> engine_control.ControlNet | None:
        """The engine's network if it applies just as the engine would; else None."""
        net, kind = self._net, type(self)
        ours = (ControlNet, ControlLora, T2IAdapter)
        if net is None or kind not in ours or {"get_control", "pre_run"} & self.__dict__.keys():
            return None
        if self.strength_type is not StrengthType.CONSTANT or self.extra_hooks is not None:
            return None
        if self.latent_format is not self._own_format or set(self.extra_args) - {"control_type"}:
            return None
        chosen = self.extra_args.get("control_type")
        try:
            return net.of_type(int(chosen[0])) if chosen else net
        except NodeError:
            raise
        except (TypeError, ValueError):
            return None

    def _adopt(self, value: engine_control.Control | None) -> None:
        """Take the settings of an application."""
        if value is None:
            return
        self.set_cond_hint(
            value.picture.movedim(-1, 1),
            value.strength,
            (value.start, value.end),
            vae=None if value.vae is None else VAE.of_value(value.vae),
            extra_concat=() if value.mask is None else [_kept(value.mask)],
        )
        if value.previous is not None:
            self.set_previous_controlnet(control_object(value.previous))
        before = None if self.previous_controlnet is None else self.previous_controlnet.to_value()
        self._made = (self._state(self._plain_net(), before), value)


class ControlNet(EngineControl):
    """A ControlNet as plugins use it; `control_model` is the network, theirs or the engine's."""

    def __init__(
        self,
        control_model: Any = None,
        global_average_pooling: bool = False,
        compression_ratio: int = 8,
        latent_format: Any = None,
        load_device: Any = None,
        manual_cast_dtype: torch.dtype | None = None,
        extra_conds: Sequence[str] = ("y",),
        strength_type: StrengthType = StrengthType.CONSTANT,
        concat_mask: bool = False,
        preprocess_image: Any = None,
        **_: Any,
    ) -> None:
        super().__init__()
        self.control_model = control_model
        self.load_device = load_device or current().device
        if isinstance(control_model, ControlNetwork):
            self.control_model_wrapped: Any = PartPatcher(
                lambda: self.control_model, {"": (control_model.net.weights, lambda name: name)}
            )
        elif control_model is not None:
            self.control_model_wrapped = _patcher_of(control_model, self.load_device)
        self.compression_ratio = compression_ratio
        self.global_average_pooling = global_average_pooling
        self.model_sampling_current: Any = None
        self.manual_cast_dtype = manual_cast_dtype
        self.latent_format = latent_format
        self.extra_conds = list(extra_conds)
        self.strength_type = strength_type
        self.concat_mask = concat_mask
        if preprocess_image is not None:
            self.preprocess_image = preprocess_image

    def get_control(
        self,
        x_noisy: Tensor,
        t: Tensor,
        cond: Mapping[str, Any],
        batched_number: int,
        transformer_options: Any = None,
    ) -> Any:
        """Outputs by part for one call, with those before; None if there are none.

        Args:
            x_noisy: [N, C, ...], not scaled.
            t: [N], sigmas.
            cond: `c_crossattn`, and what `extra_conds` names.
            batched_number: conditionings that share the call.
            transformer_options: of the call.
        """
        before = None
        if self.previous_controlnet is not None:
            before = self.previous_controlnet.get_control(
                x_noisy, t, cond, batched_number, transformer_options
            )
        if not self.is_active(t):
            return before
        dtype = self.manual_cast_dtype or self.control_model.dtype
        hint = self.fitted_hint(x_noisy, batched_number, dtype)
        context = cond.get("crossattn_controlnet", cond.get("c_crossattn"))
        extra = dict(self.extra_args)
        for name in self.extra_conds:
            if cond.get(name) is not None:
                extra[name] = _moved(cond[name], dtype, x_noisy.device)
        timestep = self.model_sampling_current.timestep(t)
        x = self.model_sampling_current.calculate_input(t, x_noisy)
        control = self.control_model(
            x=x.to(dtype),
            hint=hint,
            timesteps=timestep.to(dtype),
            context=_moved(context, dtype, x_noisy.device),
            **extra,
        )
        return self.control_merge(control, before, output_dtype=None)

    def copy(self) -> Self:
        """A copy with the same settings and network."""
        made = type(self)(
            None,
            global_average_pooling=self.global_average_pooling,
            load_device=self.load_device,
            manual_cast_dtype=self.manual_cast_dtype,
        )
        made.control_model = self.control_model
        made.control_model_wrapped = getattr(self, "control_model_wrapped", None)
        made._net, made._own_format = self._net, self._own_format
        self.copy_to(made)
        return made

    def get_models(self) -> list[Any]:
        """The patchers of the chain's networks."""
        return [*super().get_models(), self.control_model_wrapped]

    def pre_run(self, model: Any, percent_to_timestep_function: Any) -> None:
        """See `ControlBase`."""
        super().pre_run(model, percent_to_timestep_function)
        self.model_sampling_current = model.model_sampling

    def cleanup(self) -> None:
        """See `ControlBase`."""
        self.model_sampling_current = None
        super().cleanup()


class QwenFunControlNet(ControlNet):
    """A ControlNet of a family that is not run here."""


class ControlNetSD35(ControlNet):
    """A ControlNet of Stable Diffusion 3.5."""

    def pre_run(self, model: Any, percent_to_timestep_function: Any) -> None:
        """See `ControlBase`."""
        super().pre_run(model, percent_to_timestep_function)


class ControlLora(ControlNet):
    """A ControlNet of changes of a denoiser's weights, which is complete during a run.

    Attributes:
        control_weights: the tensors of its file.
    """

    def __init__(
        self,
        control_weights: Mapping[str, Tensor] | None,
        global_average_pooling: bool = False,
        model_options: Any = None,
        **_: Any,
    ) -> None:
        del model_options
        super().__init__(None, global_average_pooling)
        self.control_weights: Any = control_weights
        if control_weights:
            weights = given_weights(control_weights)
            self._net = engine_control.control_of(weights)

    def pre_run(self, model: Any, percent_to_timestep_function: Any) -> None:
        """Make the network on the model's weights."""
        super().pre_run(model, percent_to_timestep_function)
        value = getattr(model, "value", None)
        if self._net is None or not isinstance(value, Model):
            raise NodeError("a Control-LoRA needs the model whose weights it changes")
        self.control_model = ControlNetwork(self._net.on(value.net))

    def copy(self) -> Self:
        """A copy with the same settings."""
        made = type(self)(None, global_average_pooling=self.global_average_pooling)
        made._net, made.control_weights = self._net, self.control_weights
        made._own_format = self._own_format
        self.copy_to(made)
        return made

    def get_models(self) -> list[Any]:
        """Those before it: its own network is made in the run."""
        return ControlBase.get_models(self)

    def cleanup(self) -> None:
        """See `ControlBase`."""
        self.control_model = None
        super().cleanup()


class T2IAdapter(EngineControl):
    """A T2I-Adapter as plugins use it; `t2i_model` is the network, theirs or the engine's."""

    def __init__(
        self,
        t2i_model: Any,
        channels_in: int,
        compression_ratio: int,
        upscale_algorithm: str,
        device: Any = None,
    ) -> None:
        super().__init__()
        self.t2i_model = t2i_model
        self.channels_in = channels_in
        self.control_input: Any = None
        self.compression_ratio = compression_ratio
        self.upscale_algorithm = upscale_algorithm
        self.device = device or current().device

    def scale_image_to(self, width: int, height: int) -> tuple[int, int]:
        """A size rounded up to what the network takes."""
        unit = int(getattr(self.t2i_model, "unshuffle_amount", 8)) * 8
        unit = unit or 64
        return -(-width // unit) * unit, -(-height // unit) * unit

    def get_control(
        self,
        x_noisy: Tensor,
        t: Tensor,
        cond: Mapping[str, Any],
        batched_number: int,
        transformer_options: Any = None,
    ) -> Any:
        """See `ControlNet.get_control`; the network is called once for each picture."""
        before = None
        if self.previous_controlnet is not None:
            before = self.previous_controlnet.get_control(
                x_noisy, t, cond, batched_number, transformer_options
            )
        if not self.is_active(t):
            return before
        old = self.cond_hint
        hint = self.fitted_hint(x_noisy, batched_number, x_noisy.dtype)
        if self.channels_in == 1 and hint.shape[1] > 1:
            hint = hint.mean(1, keepdim=True)
        if self.control_input is None or old is not self.cond_hint:
            self.control_input = self.t2i_model(hint.to(x_noisy))
        copied = {
            part: [None if each is None else each.clone() for each in outputs]
            for part, outputs in self.control_input.items()
        }
        return self.control_merge(copied, before, x_noisy.dtype)

    def copy(self) -> Self:
        """A copy with the same settings and network."""
        made = type(self)(
            self.t2i_model, self.channels_in, self.compression_ratio, self.upscale_algorithm
        )
        made._net = self._net
        self.copy_to(made)
        return made

    def cleanup(self) -> None:
        """See `ControlBase`."""
        self.control_input = None
        super().cleanup()


def _kept(mask: Tensor) -> Tensor:
    """What is concatenated for a mask [..., H, W] of holes: [B, 1, H, W], 0 in a hole."""
    return 1 - mask.float().reshape(-1, 1, *mask.shape[-2:])


def _moved(value: Any, dtype: torch.dtype, device: torch.device) -> Any:
    return value.to(device, dtype) if isinstance(value, Tensor) else value


def _patcher_of(module: Any, device: Any) -> Any:
    patcher = host_module("comfy.model_patcher").ModelPatcher
    return patcher(module, load_device=device, offload_device=torch.device("cpu"))


def net_object(value: engine_control.ControlNet) -> EngineControl:
    """The object of a CONTROL_NET value."""
    averaged = bool(getattr(value.config, "averaged", False))
    if isinstance(value.kind, T2IAdapterKind):
        network = T2INetwork(value)
        made: EngineControl = T2IAdapter(network, network.input_channels, 8, "nearest-exact")
    elif value.changes is not None:
        made = ControlLora(None, averaged)
    else:
        made = ControlNet(
            ControlNetwork(value), global_average_pooling=averaged, extra_conds=("y", "guidance")
        )
        made.preprocess_image = lambda picture: value.kind.shown(value.config, picture)
    latent = value.kind.latent(value.config)
    if latent is not None:
        made.latent_format = made._own_format = format_of(latent)
        made.compression_ratio = 1
        made.concat_mask = value.kind.takes_mask(value.config)
    made._net = value
    return made


def control_object(value: Any) -> Any:
    """The object of an entry's `control`."""
    if isinstance(value, PluginControl):
        return value.control
    made = net_object(value.net)
    made._adopt(value)
    return made
