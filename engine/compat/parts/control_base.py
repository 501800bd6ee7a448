"""What every control object of plugins derives from: `comfy.controlnet.ControlBase`."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from engine.compat.parts.control_foreign import PluginControl
from engine.compat.parts.tensors import common_upscale

PARTS = ("input", "middle", "output")
Outputs = Mapping[str, Sequence["Tensor | None"]]


class StrengthType(enum.Enum):
    """How the strength applies to the blocks: the same, or rising towards the last."""

    CONSTANT = 1
    LINEAR_UP = 2


def broadcast_image_to(tensor: Tensor, target_batch_size: int, batched_number: int) -> Tensor:
    """Pictures for all rows of a call: repeated for each of its `batched_number` conditionings.

    A single one is unchanged.
    """
    count = tensor.shape[0]
    if count == 1:
        return tensor
    rows = target_batch_size // batched_number
    repeated = tensor[:rows]
    if rows > count:
        index = torch.arange(rows, device=tensor.device) % count
        repeated = tensor[index]
    if len(repeated) == target_batch_size:
        return repeated
    return torch.cat([repeated] * batched_number, dim=0)


def _same(image: Any) -> Any:
    return image


class ControlBase:
    """One application of a control, and `previous_controlnet`, whose outputs are added.

    Subclasses have `get_control(x_noisy, t, cond, batched_number, transformer_options)` and `copy`.

    Attributes:
        cond_hint_original: the picture [B, C, H, W] in 0..1; cond_hint: fitted to a run.
        strength, timestep_percent_range: of the application.
        timestep_range: (first, last sigma), during a run.
    """

    def __init__(self, device: Any = None) -> None:
        del device
        self.cond_hint_original: Any = None
        self.cond_hint: Any = None
        self.strength = 1.0
        self.timestep_percent_range: tuple[float, float] = (0.0, 1.0)
        self.latent_format: Any = None
        self.vae: Any = None
        self.global_average_pooling = False
        self.timestep_range: tuple[float, float] | None = None
        self.compression_ratio = 8
        self.upscale_algorithm = "nearest-exact"
        self.extra_args: dict[str, Any] = {}
        self.previous_controlnet: Any = None
        self.extra_conds: list[str] = []
        self.strength_type = StrengthType.CONSTANT
        self.concat_mask = False
        self.extra_concat_orig: list[Any] = []
        self.extra_concat: Any = None
        self.extra_hooks: Any = None
        self.preprocess_image: Callable[[Any], Any] = _same
        self.multigpu_clones: dict[Any, Any] = {}

    def set_cond_hint(
        self,
        cond_hint: Any,
        strength: float = 1.0,
        timestep_percent_range: tuple[float, float] = (0.0, 1.0),
        vae: Any = None,
        extra_concat: Sequence[Any] = (),
    ) -> Self:
        """Set the picture [B, C, H, W] and how it applies; returns itself."""
        self.cond_hint_original = cond_hint
        self.strength = strength
        self.timestep_percent_range = timestep_percent_range
        if self.latent_format is not None:
            if vae is None:
                logging.getLogger(__name__).warning("this control network needs a VAE; connect one")
            self.vae = vae
        self.extra_concat_orig = list(extra_concat)
        if self.concat_mask and not self.extra_concat_orig:
            self.extra_concat_orig.append(torch.tensor([[[[1.0]]]]))
        return self

    def pre_run(self, model: Any, percent_to_timestep_function: Callable[[float], float]) -> None:
        """Start a run of a BaseModel."""
        start, end = self.timestep_percent_range
        self.timestep_range = (
            percent_to_timestep_function(start),
            percent_to_timestep_function(end),
        )
        if self.previous_controlnet is not None:
            self.previous_controlnet.pre_run(model, percent_to_timestep_function)

    def set_previous_controlnet(self, controlnet: Any) -> Self:
        """Set the application whose outputs are added; returns itself."""
        self.previous_controlnet = controlnet
        return self

    def cleanup(self) -> None:
        """End a run."""
        if self.previous_controlnet is not None:
            self.previous_controlnet.cleanup()
        self.cond_hint = self.extra_concat = self.timestep_range = None

    def get_models(self) -> list[Any]:
        """The patchers of all networks in the chain."""
        return [] if self.previous_controlnet is None else self.previous_controlnet.get_models()

    def get_models_only_self(self) -> list[Any]:
        """The patchers of its own networks."""
        previous, self.previous_controlnet = self.previous_controlnet, None
        try:
            return self.get_models()
        finally:
            self.previous_controlnet = previous

    def get_extra_hooks(self) -> list[Any]:
        """The hook groups of all in the chain."""
        own = [] if self.extra_hooks is None else [self.extra_hooks]
        if self.previous_controlnet is not None:
            own += self.previous_controlnet.get_extra_hooks()
        return own

    def get_instance_for_device(self, device: Any) -> Any:
        """Itself: there is one device."""
        del device
        return self

    def copy_to(self, c: Any) -> None:
        """Give another object the same settings."""
        for name in (
            "cond_hint_original",
            "strength",
            "timestep_percent_range",
            "global_average_pooling",
            "compression_ratio",
            "upscale_algorithm",
            "latent_format",
            "vae",
            "strength_type",
            "concat_mask",
            "preprocess_image",
        ):
            setattr(c, name, getattr(self, name))
        c.extra_args = dict(self.extra_args)
        c.extra_conds = list(self.extra_conds)
        c.extra_concat_orig = list(self.extra_concat_orig)
        c.extra_hooks = None if self.extra_hooks is None else self.extra_hooks.clone()

    def inference_memory_requirements(self, dtype: torch.dtype) -> int:
        """Bytes that the chain needs beside its weights."""
        if self.previous_controlnet is None:
            return 0
        return self.previous_controlnet.inference_memory_requirements(dtype)

    def set_extra_arg(self, argument: str, value: Any = None) -> None:
        """Set a further argument of the network, such as `control_type`."""
        self.extra_args[argument] = value

    def is_active(self, t: Tensor) -> bool:
        """Whether it applies at these sigmas."""
        if self.timestep_range is None:
            return True
        level = float(t.flatten()[0])
        return float(self.timestep_range[0]) >= level >= float(self.timestep_range[1])

    def control_merge(
        self, control: Outputs, control_prev: Outputs | None, output_dtype: torch.dtype | None
    ) -> dict[str, list[Tensor | None]]:
        """The network's outputs by part, with strength applied and those before them added."""
        found: dict[str, list[Tensor | None]] = {part: [] for part in PARTS}
        for part, outputs in control.items():
            changed: dict[int, Tensor] = {}
            for number, output in enumerate(outputs):
                if output is not None and id(output) not in changed:
                    changed[id(output)] = self._scaled(output, number, len(outputs), output_dtype)
                found[part].append(None if output is None else changed[id(output)])
        for part in PARTS if control_prev is not None else ():
            theirs, ours = control_prev[part], found[part]  # pyright: ignore[reportOptionalSubscript]
            for number, before in enumerate(theirs):
                if number >= len(ours):
                    ours.append(before)
                elif before is not None:
                    own = ours[number]
                    ours[number] = before if own is None else before + own
        return found

    def _scaled(self, output: Tensor, number: int, count: int, dtype: torch.dtype | None) -> Tensor:
        if self.global_average_pooling:
            output = output.mean(dim=(2, 3), keepdim=True).expand_as(output)
        power = float(count - number) if self.strength_type is StrengthType.LINEAR_UP else 1.0
        output = output * self.strength**power
        return output if dtype is None else output.to(dtype)

    def fitted_hint(self, x_noisy: Tensor, batched_number: int, dtype: torch.dtype) -> Tensor:
        """The picture for a call, in the size of x times `compression_ratio`; also `cond_hint`."""
        ratio = self.compression_ratio
        rows, columns = (side * ratio for side in x_noisy.shape[-2:])
        if self.vae is not None and self.latent_format is not None:
            ratio *= self.vae.spacial_compression_encode()
            rows, columns = (
                rows * ratio // self.compression_ratio,
                columns * ratio // self.compression_ratio,
            )
        hint = self.cond_hint
        sides = x_noisy.shape[-2:] if self.latent_format is not None else (rows, columns)
        if hint is None or tuple(hint.shape[-2:]) != tuple(sides):
            hint = common_upscale(
                self.cond_hint_original, columns, rows, self.upscale_algorithm, "center"
            )
            hint = self.preprocess_image(hint)
            if self.vae is not None and self.latent_format is not None:
                hint = self.latent_format.process_in(self.vae.encode(hint.movedim(1, -1)))
            hint = self._concatenated(hint).to(x_noisy.device, dtype)
        if hint.shape[0] != x_noisy.shape[0]:
            hint = broadcast_image_to(hint, x_noisy.shape[0], batched_number)
        self.cond_hint = hint
        return hint

    def _concatenated(self, hint: Tensor) -> Tensor:
        more: list[Tensor] = []
        for each in self.extra_concat_orig:
            fitted = common_upscale(
                each, hint.shape[-1], hint.shape[-2], self.upscale_algorithm, "center"
            )
            more.append(fitted.expand(hint.shape[0], *fitted.shape[1:]).to(hint))
        return torch.cat([hint, *more], dim=1) if more else hint

    def to_value(self) -> Any:
        """The frozen value for an entry of a conditioning."""
        known = self.__dict__.get("_as_value")
        if known is None:
            known = self.__dict__["_as_value"] = PluginControl(self)
        return known
