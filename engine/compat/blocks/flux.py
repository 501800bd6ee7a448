# pyright: basic
# ruff: noqa: D102 - what the base class documents
"""The blocks of FLUX (Black Forest Labs 2024), in the original key layout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from engine.compat.blocks.alike import Alike
from engine.compat.blocks.dit import rms_norm
from engine.compat.blocks.ops import disable_weight_init
from engine.compat.install import host_module
from engine.nets import stream_blocks
from engine.nets.layers import timestep_embedding as embedded


def rope(pos: Tensor, dim: int, theta: float) -> Tensor:
    """Rotations [..., N, dim / 2, 2, 2] of positions [..., N] (Su et al. 2021, RoFormer)."""
    if dim % 2:
        raise ValueError(f"a rotary embedding has an even number of channels, not {dim}")
    exponents = torch.arange(0, dim, 2, dtype=torch.float64, device=pos.device) / dim
    angles = pos[..., None].double() * theta**-exponents
    cos, sin = angles.cos(), angles.sin()
    turned = torch.stack((cos, -sin, sin, cos), dim=-1)
    return turned.unflatten(-1, (2, 2)).float()


def apply_rope1(x: Tensor, freqs_cis: Tensor) -> Tensor:
    """Rotate pairs of channels of x [..., N, d]."""
    pairs = x.unflatten(-1, (-1, 1, 2)).to(freqs_cis.dtype)
    turned = freqs_cis[..., 0] * pairs[..., 0] + freqs_cis[..., 1] * pairs[..., 1]
    return turned.reshape(x.shape).type_as(x)


def apply_rope(xq: Tensor, xk: Tensor, freqs_cis: Tensor) -> tuple[Tensor, Tensor]:
    """The same of queries and keys."""
    return apply_rope1(xq, freqs_cis), apply_rope1(xk, freqs_cis)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    pe: Tensor | None,
    mask: Tensor | None = None,
    transformer_options: dict[str, Any] | None = None,
) -> Tensor:
    """Attention with rotary positions: q, k, v [B, heads, N, d] -> [B, N, heads * d]."""
    if pe is not None:
        q, k = apply_rope(q, k, pe)
    host = host_module("comfy.ldm.modules.attention")
    extra = {"transformer_options": transformer_options} if transformer_options else {}
    return host.optimized_attention(q, k, v, q.shape[1], skip_reshape=True, mask=mask, **extra)


def timestep_embedding(
    t: Tensor, dim: int, max_period: float = 10000, time_factor: float = 1000.0
) -> Tensor:
    """[B], 0 to 1, as [B, dim] in its dtype."""
    return embedded(t.float() * time_factor, dim, period=float(max_period)).to(t)


class EmbedND(nn.Module):
    """Rotary embeddings of positions along several axes, one behind the other."""

    def __init__(self, dim: int, theta: int, axes_dim: list[int]) -> None:
        super().__init__()
        self.dim, self.theta, self.axes_dim = dim, theta, axes_dim

    def forward(self, ids: Tensor) -> Tensor:
        """Ids [B, N, axes] -> [B, 1, N, dim / 2, 2, 2]."""
        parts = [rope(ids[..., i], each, self.theta) for i, each in enumerate(self.axes_dim)]
        return torch.cat(parts, dim=-3).unsqueeze(1)


class MLPEmbedder(nn.Module):
    """Two projections with SiLU between them."""

    def __init__(
        self,
        in_dim: int,
        hidden_dim: int,
        bias: bool = True,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        made = {"bias": bias, "dtype": dtype, "device": device}
        self.in_layer = operations.Linear(in_dim, hidden_dim, **made)
        self.silu = nn.SiLU()
        self.out_layer = operations.Linear(hidden_dim, hidden_dim, **made)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layer(self.silu(self.in_layer(x)))


class RMSNorm(nn.Module):
    """Root mean square norm with a weight named `scale`."""

    def __init__(
        self,
        dim: int,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = None,
    ) -> None:
        super().__init__()
        del operations
        self.scale = nn.Parameter(torch.empty(dim, dtype=dtype, device=device))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.scale, 1e-6)


class QKNorm(nn.Module):
    """Norms of queries and keys, in the dtype of values."""

    def __init__(
        self,
        dim: int,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = None,
    ) -> None:
        super().__init__()
        made = {"dtype": dtype, "device": device, "operations": operations}
        self.query_norm = RMSNorm(dim, **made)
        self.key_norm = RMSNorm(dim, **made)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return self.query_norm(q).to(v), self.key_norm(k).to(v)


class SelfAttention(nn.Module):
    """The weights of one stream's attention; the block computes it."""

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        qkv_bias: bool = False,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        made = {"dtype": dtype, "device": device}
        self.num_heads = num_heads
        self.qkv = operations.Linear(dim, dim * 3, bias=qkv_bias, **made)
        self.norm = QKNorm(dim // num_heads, operations=operations, **made)
        self.proj = operations.Linear(dim, dim, **made)


@dataclass
class ModulationOut:
    """What a modulation does to tokens: `(1 + scale) * x + shift`, the result times `gate`."""

    shift: Tensor
    scale: Tensor
    gate: Tensor


class Modulation(nn.Module):
    """Modulations from a vector (Peebles & Xie 2022, DiT): one, or two if `double`."""

    def __init__(
        self,
        dim: int,
        double: bool,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        self.is_double, self.multiplier = double, 6 if double else 3
        self.lin = operations.Linear(dim, self.multiplier * dim, dtype=dtype, device=device)

    def forward(self, vec: Tensor) -> tuple[ModulationOut, ModulationOut | None]:
        """Vec [B, D], or [B, N, D] for each token."""
        vec = vec[:, None] if vec.ndim == 2 else vec
        parts = self.lin(nn.functional.silu(vec)).chunk(self.multiplier, dim=-1)
        return ModulationOut(*parts[:3]), ModulationOut(*parts[3:]) if self.is_double else None


def apply_mod(
    tensor: Tensor, m_mult: Tensor, m_add: Tensor | None = None, modulation_dims: Any = None
) -> Tensor:
    """`tensor * m_mult + m_add`; by parts of tokens [(start, end, index)] in `modulation_dims`."""
    if modulation_dims is None:
        changed = tensor * m_mult
        return changed if m_add is None else changed + m_add
    changed = tensor.clone()
    for start, end, index in modulation_dims:
        changed[:, start:end] *= m_mult[:, index]
        if m_add is not None:
            changed[:, start:end] += m_add[:, index]
    return changed


def _mlp(width: int, hidden: int, operations: Any, made: dict[str, Any]) -> nn.Sequential:
    return nn.Sequential(
        operations.Linear(width, hidden, **made),
        nn.GELU(approximate="tanh"),
        operations.Linear(hidden, width, **made),
    )


class DoubleStreamBlock(nn.Module, metaclass=Alike):
    """Picture and text in streams of their own, with a common attention (Esser et al. 2024)."""

    img_mod: nn.Module
    txt_mod: nn.Module

    alike: ClassVar[tuple[type, ...]] = (stream_blocks.DoubleBlock,)

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        mlp_ratio: float,
        qkv_bias: bool = False,
        flipped_img_txt: bool = False,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        made = {"dtype": dtype, "device": device}
        self.num_heads, self.hidden_size = num_heads, hidden_size
        self.flipped_img_txt = flipped_img_txt
        for stream in ("img", "txt"):
            attention_weights = SelfAttention(
                hidden_size, num_heads, qkv_bias, operations=operations, **made
            )
            setattr(
                self, f"{stream}_mod", Modulation(hidden_size, True, operations=operations, **made)
            )
            setattr(self, f"{stream}_norm1", _plain_norm(hidden_size, operations, made))
            setattr(self, f"{stream}_attn", attention_weights)
            setattr(self, f"{stream}_norm2", _plain_norm(hidden_size, operations, made))
            hidden = int(hidden_size * mlp_ratio)
            setattr(self, f"{stream}_mlp", _mlp(hidden_size, hidden, operations, made))

    def _projected(self, stream: str, x: Tensor, first: ModulationOut, dims: Any) -> list[Tensor]:
        x = getattr(self, f"{stream}_norm1")(x)
        x = apply_mod(x, 1 + first.scale, first.shift, dims)
        weights = getattr(self, f"{stream}_attn")
        q, k, v = weights.qkv(x).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = weights.norm(q, k, v)
        return [q, k, v]

    def _finished(
        self, stream: str, x: Tensor, attended: Tensor, mods: tuple[Any, Any], dims: Any
    ) -> Tensor:
        first, second = mods
        x = x + apply_mod(getattr(self, f"{stream}_attn").proj(attended), first.gate, None, dims)
        inner = getattr(self, f"{stream}_norm2")(x)
        inner = apply_mod(inner, 1 + second.scale, second.shift, dims)
        return x + apply_mod(getattr(self, f"{stream}_mlp")(inner), second.gate, None, dims)

    def forward(
        self,
        img: Tensor,
        txt: Tensor,
        vec: Tensor,
        pe: Tensor | None,
        attn_mask: Tensor | None = None,
        modulation_dims_img: Any = None,
        modulation_dims_txt: Any = None,
        transformer_options: dict[str, Any] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Img [B, N, D], txt [B, M, D], vec [B, D] -> the streams; positions: text first."""
        img_mods, txt_mods = self.img_mod(vec), self.txt_mod(vec)
        ours = self._projected("img", img, img_mods[0], modulation_dims_img)
        theirs = self._projected("txt", txt, txt_mods[0], modulation_dims_txt)
        first, second = (ours, theirs) if self.flipped_img_txt else (theirs, ours)
        q, k, v = (torch.cat(pair, dim=2) for pair in zip(first, second, strict=True))
        out = attention(q, k, v, pe, attn_mask, transformer_options)
        if self.flipped_img_txt:
            img_out, txt_out = out.split([img.shape[1], txt.shape[1]], dim=1)
        else:
            txt_out, img_out = out.split([txt.shape[1], img.shape[1]], dim=1)
        return (
            self._finished("img", img, img_out, img_mods, modulation_dims_img),
            self._finished("txt", txt, txt_out, txt_mods, modulation_dims_txt),
        )


def _plain_norm(width: int, operations: Any, made: dict[str, Any]) -> nn.Module:
    return operations.LayerNorm(width, elementwise_affine=False, eps=1e-6, **made)


class SingleStreamBlock(nn.Module, metaclass=Alike):
    """Attention and feed-forward side by side over all tokens (Dehghani et al. 2023)."""

    alike: ClassVar[tuple[type, ...]] = (stream_blocks.SingleBlock,)

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qk_scale: float | None = None,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        made = {"dtype": dtype, "device": device}
        self.hidden_dim = self.hidden_size = hidden_size
        self.num_heads = num_heads
        self.scale = qk_scale or (hidden_size // num_heads) ** -0.5
        self.mlp_hidden_dim = int(hidden_size * mlp_ratio)
        wide = hidden_size + self.mlp_hidden_dim
        self.linear1 = operations.Linear(hidden_size, hidden_size * 3 + self.mlp_hidden_dim, **made)
        self.linear2 = operations.Linear(wide, hidden_size, **made)
        self.norm = QKNorm(hidden_size // num_heads, operations=operations, **made)
        self.pre_norm = _plain_norm(hidden_size, operations, made)
        self.mlp_act = nn.GELU(approximate="tanh")
        self.modulation = Modulation(hidden_size, False, operations=operations, **made)

    def forward(
        self,
        x: Tensor,
        vec: Tensor,
        pe: Tensor | None,
        attn_mask: Tensor | None = None,
        modulation_dims: Any = None,
        transformer_options: dict[str, Any] | None = None,
    ) -> Tensor:
        """X [B, N, D], vec [B, D] -> [B, N, D]."""
        mod, _ = self.modulation(vec)
        inner = apply_mod(self.pre_norm(x), 1 + mod.scale, mod.shift, modulation_dims)
        qkv, mlp = self.linear1(inner).split([3 * self.hidden_size, self.mlp_hidden_dim], dim=-1)
        q, k, v = qkv.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = self.norm(q, k, v)
        attended = attention(q, k, v, pe, attn_mask, transformer_options)
        out = self.linear2(torch.cat((attended, self.mlp_act(mlp)), dim=2))
        return x + apply_mod(out, mod.gate, None, modulation_dims)


class LastLayer(nn.Module, metaclass=Alike):
    """A modulated norm and a projection to the patches' values."""

    alike: ClassVar[tuple[type, ...]] = (stream_blocks.LastLayer,)

    def __init__(
        self,
        hidden_size: int,
        patch_size: int,
        out_channels: int,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        made = {"dtype": dtype, "device": device}
        self.norm_final = _plain_norm(hidden_size, operations, made)
        values = int(math.prod((patch_size, patch_size, out_channels)))
        self.linear = operations.Linear(hidden_size, values, **made)
        self.adaLN_modulation = nn.Sequential(
            nn.SiLU(), operations.Linear(hidden_size, 2 * hidden_size, **made)
        )

    def forward(self, x: Tensor, vec: Tensor, modulation_dims: Any = None) -> Tensor:
        vec = vec[:, None] if vec.ndim == 2 else vec
        shift, scale = self.adaLN_modulation(vec).chunk(2, dim=-1)
        return self.linear(apply_mod(self.norm_final(x), 1 + scale, shift, modulation_dims))
