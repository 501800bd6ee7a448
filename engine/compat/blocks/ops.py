# pyright: basic
# ruff: noqa: N801, A002, D102, D106 - names and parameters that plugins use
"""Layers that are made without drawing weights, and cast their weights to their input's dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def cast_to(
    weight: Tensor | None,
    dtype: torch.dtype | None = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    stream: Any = None,
) -> Tensor | None:
    """A tensor in a dtype on a device; None stays None."""
    del stream
    if weight is None:
        return None
    return weight.to(device=device, dtype=dtype, non_blocking=non_blocking, copy=copy)


def cast_to_input(
    weight: Tensor, input: Tensor, non_blocking: bool = False, copy: bool = True
) -> Tensor | None:
    """A tensor in the dtype and on the device of another."""
    return cast_to(weight, input.dtype, input.device, non_blocking=non_blocking, copy=copy)


class CastWeightBiasOp:
    """A layer whose weights are cast for each call.

    Attributes:
        comfy_cast_weights: whether they are.
        weight_function, bias_function: applied to the cast tensors, in order.
    """

    comfy_cast_weights = False
    weight_function: list[Callable[[Tensor], Tensor]] = []
    bias_function: list[Callable[[Tensor], Tensor]] = []


def cast_bias_weight(
    s: Any,
    input: Tensor | None = None,
    dtype: torch.dtype | None = None,
    device: Any = None,
    bias_dtype: torch.dtype | None = None,
    offloadable: bool = False,
    compute_dtype: torch.dtype | None = None,
) -> tuple[Any, ...]:
    """(weight, bias) of a layer for an input; `offloadable`: and what is uncast later."""
    del compute_dtype
    if input is not None:
        dtype = input.dtype if dtype is None else dtype
        device = input.device if device is None else device
    bias = cast_to(getattr(s, "bias", None), bias_dtype or dtype, device)
    weight = cast_to(s.weight, dtype, device)
    for change in getattr(s, "weight_function", ()):
        weight = change(weight)
    if bias is not None:
        for change in getattr(s, "bias_function", ()):
            bias = change(bias)
    return (weight, bias, None) if offloadable else (weight, bias)


def uncast_bias_weight(s: Any, weight: Any, bias: Any, offload_stream: Any) -> None:
    """Release what `cast_bias_weight` made: nothing to do here."""
    del s, weight, bias, offload_stream


class _Cast(CastWeightBiasOp):
    """What all layers share: no drawn weights, and the choice between the two forms of a call."""

    def reset_parameters(self) -> None:
        return None

    def _casts(self) -> bool:
        return bool(self.comfy_cast_weights or self.weight_function or self.bias_function)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        if self._casts():
            return self.forward_comfy_cast_weights(*args, **kwargs)
        return super().forward(*args, **kwargs)  # type: ignore[misc]

    def forward_comfy_cast_weights(self, *args: Any, **kwargs: Any) -> Tensor:
        raise NotImplementedError


class _Convolution(_Cast):
    def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
        weight, bias = cast_bias_weight(self, input)
        return self._conv_forward(input, weight, bias)  # type: ignore[attr-defined]


class _Transposed(_Cast):
    def forward_comfy_cast_weights(
        self, input: Tensor, output_size: list[int] | None = None
    ) -> Tensor:
        dims = self.weight.ndim - 2  # type: ignore[attr-defined]
        padding = self._output_padding(  # type: ignore[attr-defined]
            input,
            output_size,
            self.stride,  # type: ignore[attr-defined]
            self.padding,  # type: ignore[attr-defined]
            self.kernel_size,  # type: ignore[attr-defined]
            dims,
            self.dilation,  # type: ignore[attr-defined]
        )
        weight, bias = cast_bias_weight(self, input)
        function = {
            1: functional.conv_transpose1d,
            2: functional.conv_transpose2d,
            3: functional.conv_transpose3d,
        }[dims]
        return function(
            input,
            weight,
            bias,
            self.stride,  # type: ignore[attr-defined]
            self.padding,  # type: ignore[attr-defined]
            padding,
            self.groups,  # type: ignore[attr-defined]
            self.dilation,  # type: ignore[attr-defined]
        )


class disable_weight_init:
    """Layers whose weights are not drawn: they hold what memory held until they are loaded."""

    class Linear(_Cast, nn.Linear):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            return functional.linear(input, weight, bias)

    class Conv1d(_Convolution, nn.Conv1d): ...

    class Conv2d(_Convolution, nn.Conv2d): ...

    class Conv3d(_Convolution, nn.Conv3d): ...

    class ConvTranspose1d(_Transposed, nn.ConvTranspose1d): ...

    class ConvTranspose2d(_Transposed, nn.ConvTranspose2d): ...

    class GroupNorm(_Cast, nn.GroupNorm):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = cast_bias_weight(self, input)
            return functional.group_norm(input, self.num_groups, weight, bias, self.eps)

    class LayerNorm(_Cast, nn.LayerNorm):
        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight, bias = (None, None) if self.weight is None else cast_bias_weight(self, input)
            return functional.layer_norm(input, self.normalized_shape, weight, bias, self.eps)

    class RMSNorm(_Cast, nn.RMSNorm):
        bias = None

        def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
            weight = None if self.weight is None else cast_bias_weight(self, input)[0]
            return functional.rms_norm(input, self.normalized_shape, weight, self.eps)

    class Embedding(_Cast, nn.Embedding):
        bias = None

        def forward_comfy_cast_weights(
            self, input: Tensor, out_dtype: torch.dtype | None = None
        ) -> Tensor:
            weight, _ = cast_bias_weight(self, device=input.device, dtype=out_dtype)
            return functional.embedding(
                input,
                weight,
                self.padding_idx,
                self.max_norm,
                self.norm_type,
                self.scale_grad_by_freq,
                self.sparse,
            )

        def forward(self, input: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
            if self._casts():
                return self.forward_comfy_cast_weights(input, out_dtype=out_dtype)
            found = nn.Embedding.forward(self, input)
            return found if out_dtype is None else found.to(out_dtype)

    @classmethod
    def conv_nd(cls, dims: int, *args: Any, **kwargs: Any) -> nn.Module:
        """A convolution over 2 or 3 axes."""
        if dims == 2:
            return cls.Conv2d(*args, **kwargs)
        if dims == 3:
            return cls.Conv3d(*args, **kwargs)
        raise ValueError(f"there are convolutions over 2 and 3 axes, not {dims}")


class manual_cast(disable_weight_init):
    """The same layers, their weights cast to the dtype and device of each input."""

    class Linear(disable_weight_init.Linear):
        comfy_cast_weights = True

    class Conv1d(disable_weight_init.Conv1d):
        comfy_cast_weights = True

    class Conv2d(disable_weight_init.Conv2d):
        comfy_cast_weights = True

    class Conv3d(disable_weight_init.Conv3d):
        comfy_cast_weights = True

    class ConvTranspose1d(disable_weight_init.ConvTranspose1d):
        comfy_cast_weights = True

    class ConvTranspose2d(disable_weight_init.ConvTranspose2d):
        comfy_cast_weights = True

    class GroupNorm(disable_weight_init.GroupNorm):
        comfy_cast_weights = True

    class LayerNorm(disable_weight_init.LayerNorm):
        comfy_cast_weights = True

    class RMSNorm(disable_weight_init.RMSNorm):
        comfy_cast_weights = True

    class Embedding(disable_weight_init.Embedding):
        comfy_cast_weights = True


class fp8_ops(manual_cast):
    """Layers with weights in 8-bit floats, cast for each call."""

    class Linear(manual_cast.Linear):
        scale_weight: Tensor | None = None
        scale_input: Tensor | None = None


def scaled_fp8_ops(
    fp8_matrix_mult: bool = False,
    scale_input: bool = False,
    override_dtype: torch.dtype | None = None,
) -> type:
    """Layers whose 8-bit weights are multiplied by a scale when they are cast.

    `fp8_matrix_mult` has no effect: products are computed in the input's dtype.
    """
    del fp8_matrix_mult

    class scaled_fp8_op(manual_cast):
        class Linear(manual_cast.Linear):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                if override_dtype is not None:
                    kwargs["dtype"] = override_dtype
                super().__init__(*args, **kwargs)
                device = self.weight.device
                self.scale_weight = nn.Parameter(torch.ones((), device=device), requires_grad=False)
                self.scale_input = (
                    nn.Parameter(torch.ones((), device=device), requires_grad=False)
                    if scale_input
                    else None
                )

            def forward_comfy_cast_weights(self, input: Tensor) -> Tensor:
                weight, bias = cast_bias_weight(self, input)
                scale = self.scale_weight.to(device=input.device, dtype=input.dtype)
                return functional.linear(input, weight * scale, bias)

            def convert_weight(self, weight: Tensor, inplace: bool = False, **_: Any) -> Tensor:
                """The weight with its values."""
                scale = self.scale_weight.to(weight)
                return weight.mul_(scale) if inplace else weight * scale

    return scaled_fp8_op


def pick_operations(
    weight_dtype: torch.dtype | None,
    compute_dtype: torch.dtype | None,
    load_device: Any = None,
    disable_fast_fp8: bool = False,
    fp8_optimizations: bool = False,
    scaled_fp8: torch.dtype | None = None,
    model_config: Any = None,
) -> type:
    """The layers for weights of a dtype that compute in another."""
    del load_device, disable_fast_fp8, fp8_optimizations, model_config
    if scaled_fp8 is not None:
        return scaled_fp8_ops(override_dtype=scaled_fp8)
    if compute_dtype is None or weight_dtype == compute_dtype:
        return disable_weight_init
    return manual_cast
