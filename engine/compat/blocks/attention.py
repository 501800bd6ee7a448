# pyright: basic
"""Attention as plugins call it: `optimized_attention(q, k, v, heads, mask, ...)` and its kin."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compat.install import host_module
from engine.nets import attention as networks

OVERRIDE = "optimized_attention_override"
"""The key of `transformer_options` whose function is called instead of any attention."""


def exists(value: Any) -> bool:
    """Whether it is not None."""
    return value is not None


def default(value: Any, other: Any) -> Any:
    """The first that is not None; `other` is called if it can be."""
    if value is not None:
        return value
    return other() if inspect.isfunction(other) else other


def _split(q: Tensor, k: Tensor, v: Tensor, heads: int, skip_reshape: bool) -> list[Tensor]:
    """To [B, heads, N, d]; already so if `skip_reshape`."""
    if skip_reshape:
        return [q, k, v]
    return [each.unflatten(-1, (heads, -1)).transpose(1, 2) for each in (q, k, v)]


def _joined(out: Tensor, skip_output_reshape: bool) -> Tensor:
    return out if skip_output_reshape else out.transpose(1, 2).flatten(2)


def _mask_like(mask: Tensor | None, q: Tensor) -> Tensor | None:
    """A mask [N, M], [B, N, M], [B * heads, N, M] or [B, heads, N, M] for q [B, heads, N, d]."""
    if mask is None:
        return None
    if mask.ndim == 2:
        mask = mask[None, None]
    elif mask.ndim == 3:
        own = mask.shape[0] == q.shape[0] * q.shape[1] and q.shape[1] > 1
        mask = mask.unflatten(0, (q.shape[0], q.shape[1])) if own else mask[:, None]
    return mask if mask.dtype == torch.bool else mask.to(q.dtype)


def wrap_attn(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """An attention function that `optimized_attention_override` of its options can replace."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Tensor:
        if "num_heads" in kwargs:
            kwargs["heads"] = kwargs.pop("num_heads")
        if kwargs.pop("_inside_attn_wrapper", False):
            return function(*args, **kwargs)
        options = kwargs.get("transformer_options")
        override = (options or {}).get(OVERRIDE)
        if override is None:
            return function(*args, **kwargs)
        return override(wrapped, *args, **{**kwargs, "_inside_attn_wrapper": True})

    return wrapped


@wrap_attn
def attention_pytorch(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    heads: int,
    mask: Tensor | None = None,
    attn_precision: torch.dtype | None = None,
    skip_reshape: bool = False,
    skip_output_reshape: bool = False,
    **kwargs: Any,
) -> Tensor:
    """softmax(q k^T / sqrt(d)) v (Vaswani et al. 2017, eq. 1) by torch's fused kernel.

    q [B, N, heads * d], or [B, heads, N, d] with `skip_reshape`; the result [B, N, heads * d], or
    [B, heads, N, d] with `skip_output_reshape`. A boolean mask is True where attention is allowed,
    any other is added.
    """
    del attn_precision, kwargs
    q, k, v = _split(q, k, v, heads, skip_reshape)
    out = functional.scaled_dot_product_attention(q, k, v, attn_mask=_mask_like(mask, q))
    return _joined(out, skip_output_reshape)


@wrap_attn
def attention_basic(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    heads: int,
    mask: Tensor | None = None,
    attn_precision: torch.dtype | None = None,
    skip_reshape: bool = False,
    skip_output_reshape: bool = False,
    **kwargs: Any,
) -> Tensor:
    """The same in two products, the first in `attn_precision`."""
    del kwargs
    q, k, v = _split(q, k, v, heads, skip_reshape)
    at, bt = (q, k) if attn_precision is None else (q.to(attn_precision), k.to(attn_precision))
    scores = at @ bt.transpose(-1, -2) * q.shape[-1] ** -0.5
    mask = _mask_like(mask, scores)
    if mask is not None:
        scores = (
            scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        )
    return _joined(scores.softmax(dim=-1).to(v.dtype) @ v, skip_output_reshape)


def _named(name: str) -> Callable[..., Tensor]:
    """The fused attention under another name: torch bounds its memory itself."""

    def attention(q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
        return attention_pytorch(q, k, v, heads, *args, _inside_attn_wrapper=True, **kwargs)

    attention.__name__ = attention.__qualname__ = name
    attention.__doc__ = "See `attention_pytorch`, which computes it."
    return wrap_attn(attention)


attention_split = _named("attention_split")
attention_sub_quad = _named("attention_sub_quad")
attention_xformers = _named("attention_xformers")
attention_sage = _named("attention_sage")
attention_flash = _named("attention_flash")
optimized_attention = attention_pytorch
optimized_attention_masked = attention_pytorch
REGISTERED_ATTENTION_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "pytorch": attention_pytorch,
    "basic": attention_basic,
    "split": attention_split,
    "sub_quad": attention_sub_quad,
}


def register_attention_function(name: str, func: Callable[..., Tensor]) -> None:
    """Add a function to those that `get_attention_function` finds."""
    REGISTERED_ATTENTION_FUNCTIONS.setdefault(name, func)


def get_attention_function(name: str, default: Any = ...) -> Callable[..., Tensor] | None:
    """A function by name; raises `KeyError` without a default."""
    if name == "optimized":
        return _optimized()
    if name in REGISTERED_ATTENTION_FUNCTIONS or default is ...:
        return REGISTERED_ATTENTION_FUNCTIONS[name]
    return default


def optimized_attention_for_device(
    device: Any, mask: bool = False, small_input: bool = False
) -> Callable[..., Tensor]:
    """The attention function for a device."""
    del device, mask, small_input
    return _optimized()


def _optimized() -> Callable[..., Tensor]:
    return host_module("comfy.ldm.modules.attention").optimized_attention


class _Call:
    """`transformer_options` of the call of a network of ours, if they say how to attend."""

    options: Mapping[str, Any] | None = None


@contextmanager
def overridden(options: Mapping[str, Any]) -> Iterator[None]:
    """Let `optimized_attention_override` of these options attend in our networks."""
    before, _Call.options = _Call.options, options if options.get(OVERRIDE) else None
    try:
        yield
    finally:
        _Call.options = before


def attend_as_patched(
    query: Tensor, key: Tensor, value: Tensor, heads: int, *, mask: Tensor | None = None
) -> Tensor:
    """The attention of our own networks, by a plugin's function where it replaced the host's."""
    now = _optimized()
    given = {} if mask is None else {"mask": mask}
    if _Call.options is not None:
        return now(query, key, value, heads, transformer_options=_Call.options, **given)
    if now is optimized_attention:
        return networks.attend_fused(query, key, value, heads, mask=mask)
    return now(query, key, value, heads, **given)


class CrossAttention(nn.Module):
    """Attention of tokens to a context, in the original's key layout."""

    def __init__(
        self,
        query_dim: int,
        context_dim: int | None = None,
        heads: int = 8,
        dim_head: int = 64,
        dropout: float = 0.0,
        attn_precision: torch.dtype | None = None,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = None,
    ) -> None:
        super().__init__()
        operations = operations or host_module("comfy.ops").disable_weight_init
        inner = dim_head * heads
        context_dim = default(context_dim, query_dim)
        made = {"dtype": dtype, "device": device}
        self.heads = heads
        self.dim_head = dim_head
        self.attn_precision = attn_precision
        self.to_q = operations.Linear(query_dim, inner, bias=False, **made)
        self.to_k = operations.Linear(context_dim, inner, bias=False, **made)
        self.to_v = operations.Linear(context_dim, inner, bias=False, **made)
        self.to_out = nn.Sequential(
            operations.Linear(inner, query_dim, **made), nn.Dropout(dropout)
        )

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        value: Tensor | None = None,
        mask: Tensor | None = None,
        transformer_options: dict[str, Any] | None = None,
    ) -> Tensor:
        """X [B, N, C], context [B, M, D] -> [B, N, C]."""
        context = default(context, x)
        q, k, v = self.to_q(x), self.to_k(context), self.to_v(default(value, context))
        host = host_module("comfy.ldm.modules.attention")
        attend = host.optimized_attention if mask is None else host.optimized_attention_masked
        extra: dict[str, Any] = {} if mask is None else {"mask": mask}
        if transformer_options:
            extra["transformer_options"] = transformer_options
        return self.to_out(attend(q, k, v, self.heads, attn_precision=self.attn_precision, **extra))
