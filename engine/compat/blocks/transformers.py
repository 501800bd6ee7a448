# pyright: basic
# ruff: noqa: D102 - what the base class documents
"""Transformer blocks of the latent diffusion UNets, in the original key layout.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models"; the parts for
videos: Blattmann et al. 2023, "Stable Video Diffusion".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.compat.blocks.alike import Alike
from engine.compat.blocks.attention import CrossAttention, default
from engine.compat.blocks.ops import disable_weight_init
from engine.compat.blocks.time import AlphaBlender, timestep_embedding
from engine.nets import attention as networks
from engine.nets import unet_blocks


class GEGLU(nn.Module, metaclass=Alike):
    """Half of a projection gates the other (Shazeer 2020)."""

    alike: ClassVar[tuple[type, ...]] = (networks.GatedProjection,)

    def __init__(
        self,
        dim_in: int,
        dim_out: int,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        self.proj = operations.Linear(dim_in, dim_out * 2, dtype=dtype, device=device)

    def forward(self, x: Tensor) -> Tensor:
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * functional.gelu(gate)


class FeedForward(nn.Module, metaclass=Alike):
    """A projection to `mult` times the width, gated with `glu`, and one back."""

    alike: ClassVar[tuple[type, ...]] = (networks.FeedForward,)

    def __init__(
        self,
        dim: int,
        dim_out: int | None = None,
        mult: float = 4,
        glu: bool = False,
        dropout: float = 0.0,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        inner, made = int(dim * mult), {"dtype": dtype, "device": device}
        first = (
            GEGLU(dim, inner, operations=operations, **made)
            if glu
            else nn.Sequential(operations.Linear(dim, inner, **made), nn.GELU())
        )
        last = operations.Linear(inner, default(dim_out, dim), **made)
        self.net = nn.Sequential(first, nn.Dropout(dropout), last)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class BasicTransformerBlock(nn.Module, metaclass=Alike):
    """Self-attention, attention to a context, feed-forward; each with a norm and a residual."""

    alike: ClassVar[tuple[type, ...]] = (networks.TransformerBlock,)

    def __init__(
        self,
        dim: int,
        n_heads: int,
        d_head: int,
        dropout: float = 0.0,
        context_dim: int | None = None,
        gated_ff: bool = True,
        checkpoint: bool = True,
        ff_in: bool = False,
        inner_dim: int | None = None,
        disable_self_attn: bool = False,
        disable_temporal_crossattention: bool = False,
        switch_temporal_ca_to_sa: bool = False,
        attn_precision: torch.dtype | None = None,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        del checkpoint
        inner = default(inner_dim, dim)
        made = {"dtype": dtype, "device": device, "operations": operations}
        norm = {"dtype": dtype, "device": device}
        attention = {
            "heads": n_heads,
            "dim_head": d_head,
            "dropout": dropout,
            "attn_precision": attn_precision,
            **made,
        }
        self.ff_in: nn.Module | None = None
        if ff_in:
            self.norm_in = operations.LayerNorm(dim, **norm)
            self.ff_in = FeedForward(dim, dim_out=inner, dropout=dropout, glu=gated_ff, **made)
        self.is_res = inner == dim
        self.disable_self_attn = disable_self_attn
        self.switch_temporal_ca_to_sa = switch_temporal_ca_to_sa
        self.attn1 = CrossAttention(
            query_dim=inner, context_dim=context_dim if disable_self_attn else None, **attention
        )
        self.ff = FeedForward(inner, dim_out=dim, dropout=dropout, glu=gated_ff, **made)
        self.attn2: CrossAttention | None = None
        if not disable_temporal_crossattention:
            seen = None if switch_temporal_ca_to_sa else context_dim
            self.attn2 = CrossAttention(query_dim=inner, context_dim=seen, **attention)
            self.norm2 = operations.LayerNorm(inner, **norm)
        self.norm1 = operations.LayerNorm(inner, **norm)
        self.norm3 = operations.LayerNorm(inner, **norm)
        self.n_heads, self.d_head = n_heads, d_head

    def forward(
        self,
        x: Tensor,
        context: Tensor | None = None,
        transformer_options: dict[str, Any] | None = None,
    ) -> Tensor:
        """X [B, N, C], context [B, M, D] -> [B, N, C]."""
        options = transformer_options or {}
        if isinstance(self, networks.TransformerBlock):  # what a plugin put around it was called
            hooks, number = options.get("calotype_block") or (None, 0)
            return networks.TransformerBlock.computed(self, x, context, hooks, number)
        if self.ff_in is not None:
            changed = self.ff_in(self.norm_in(x))
            x = changed + x if self.is_res else changed
        seen = context if self.disable_self_attn else None
        x = x + self.attn1(self.norm1(x), context=seen, transformer_options=options)
        if self.attn2 is not None:
            seen = None if self.switch_temporal_ca_to_sa else context
            x = x + self.attn2(self.norm2(x), context=seen, transformer_options=options)
        changed = self.ff(self.norm3(x))
        return changed + x if self.is_res else changed


class SpatialTransformer(nn.Module, metaclass=Alike):
    """Transformer blocks over the cells of a feature map, as a residual."""

    alike: ClassVar[tuple[type, ...]] = (unet_blocks.SpatialTransformer,)

    def __init__(
        self,
        in_channels: int,
        n_heads: int,
        d_head: int,
        depth: int = 1,
        dropout: float = 0.0,
        context_dim: int | Sequence[int | None] | None = None,
        disable_self_attn: bool = False,
        use_linear: bool = False,
        use_checkpoint: bool = True,
        attn_precision: torch.dtype | None = None,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        super().__init__()
        contexts = context_dim if isinstance(context_dim, list | tuple) else [context_dim] * depth
        inner, made = n_heads * d_head, {"dtype": dtype, "device": device}
        self.in_channels = in_channels
        self.use_linear = use_linear
        self.norm = operations.GroupNorm(32, in_channels, eps=1e-6, affine=True, **made)
        if use_linear:
            self.proj_in = operations.Linear(in_channels, inner, **made)
            self.proj_out = operations.Linear(inner, in_channels, **made)
        else:
            self.proj_in = operations.Conv2d(in_channels, inner, 1, **made)
            self.proj_out = operations.Conv2d(inner, in_channels, 1, **made)
        self.transformer_blocks = nn.ModuleList(
            BasicTransformerBlock(
                inner,
                n_heads,
                d_head,
                dropout=dropout,
                context_dim=contexts[index],  # type: ignore[arg-type]
                disable_self_attn=disable_self_attn,
                checkpoint=use_checkpoint,
                attn_precision=attn_precision,
                operations=operations,
                **made,
            )
            for index in range(depth)
        )

    def _tokens(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        if not self.use_linear:
            x = self.proj_in(x)
        x = x.flatten(2).transpose(1, 2)
        return self.proj_in(x) if self.use_linear else x

    def _feature_map(self, tokens: Tensor, like: Tensor) -> Tensor:
        if self.use_linear:
            tokens = self.proj_out(tokens)
        x = tokens.transpose(1, 2).unflatten(2, like.shape[2:])
        return (x if self.use_linear else self.proj_out(x)) + like

    def _contexts(self, context: Any) -> list[Any]:
        count = len(self.transformer_blocks)
        return context if isinstance(context, list) else [context] * count

    def forward(
        self, x: Tensor, context: Any = None, transformer_options: dict[str, Any] | None = None
    ) -> Tensor:
        """X [B, C, h, w], context [B, M, D] -> [B, C, h, w]."""
        options, tokens = dict(transformer_options or {}), self._tokens(x)
        contexts = self._contexts(context)
        for index, block in enumerate(self.transformer_blocks):
            options["block_index"] = index
            seen = contexts[min(index, len(contexts) - 1)]
            tokens = block(tokens, context=seen, transformer_options=options)
        return self._feature_map(tokens, x)


def _wider_and_back(width: int, operations: Any, made: dict[str, Any]) -> nn.Module:
    return nn.Sequential(
        operations.Linear(width, width * 4, **made),
        nn.SiLU(),
        operations.Linear(width * 4, width, **made),
    )


class SpatialVideoTransformer(SpatialTransformer):
    """The same with a second block over the frames after each, blended in."""

    alike: ClassVar[tuple[type, ...]] = ()

    def __init__(
        self,
        in_channels: int,
        n_heads: int,
        d_head: int,
        depth: int = 1,
        dropout: float = 0.0,
        use_linear: bool = False,
        context_dim: int | None = None,
        use_spatial_context: bool = False,
        timesteps: int | None = None,
        merge_strategy: str = "fixed",
        merge_factor: float = 0.5,
        time_context_dim: int | None = None,
        ff_in: bool = False,
        checkpoint: bool = False,
        time_depth: int = 1,
        disable_self_attn: bool = False,
        disable_temporal_crossattention: bool = False,
        max_time_embed_period: int = 10000,
        attn_precision: torch.dtype | None = None,
        dtype: torch.dtype | None = None,
        device: Any = None,
        operations: Any = disable_weight_init,
    ) -> None:
        del timesteps, checkpoint, time_depth
        inner, made = n_heads * d_head, {"dtype": dtype, "device": device}
        form: dict[str, Any] = {"dropout": dropout, "operations": operations, **made}
        form |= {"disable_self_attn": disable_self_attn, "attn_precision": attn_precision}
        text: Any = {"context_dim": context_dim, "use_linear": use_linear}
        super().__init__(in_channels, n_heads, d_head, depth, **text, **form)
        self.use_spatial_context = use_spatial_context
        self.max_time_embed_period = max_time_embed_period
        seen = context_dim if use_spatial_context else time_context_dim
        self.time_stack = nn.ModuleList(
            BasicTransformerBlock(
                inner,
                n_heads,
                d_head,
                context_dim=seen,
                ff_in=ff_in,
                inner_dim=inner,
                disable_temporal_crossattention=disable_temporal_crossattention,
                **form,
            )
            for _ in range(depth)
        )
        self.time_pos_embed = _wider_and_back(in_channels, operations, made)
        self.time_mixer = AlphaBlender(alpha=merge_factor, merge_strategy=merge_strategy)

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        context: Tensor | None = None,
        time_context: Tensor | None = None,
        timesteps: int | None = None,
        image_only_indicator: Tensor | None = None,
        transformer_options: dict[str, Any] | None = None,
    ) -> Tensor:
        """X [B * T, C, h, w] of `timesteps` = T frames each -> the same shape."""
        options = dict(transformer_options or {})
        frames = timesteps or x.shape[0]
        tokens = self._tokens(x)
        cells, videos = tokens.shape[1], x.shape[0] // frames
        if self.use_spatial_context and context is not None:
            time_context = context[::frames].repeat_interleave(cells, dim=0)
        elif time_context is not None and time_context.ndim == 3:
            time_context = time_context.repeat_interleave(cells, dim=0)
        place = torch.arange(frames, device=x.device).repeat(videos)
        place = timestep_embedding(place, self.in_channels, max_period=self.max_time_embed_period)
        place = self.time_pos_embed(place.to(x.dtype))[:, None]
        for index, (block, over_time) in enumerate(
            zip(self.transformer_blocks, self.time_stack, strict=True)
        ):
            options["block_index"] = index
            tokens = block(tokens, context=context, transformer_options=options)
            mixed = (tokens + place).unflatten(0, (videos, frames)).transpose(1, 2).flatten(0, 1)
            mixed = over_time(mixed, context=time_context, transformer_options=options)
            mixed = mixed.unflatten(0, (videos, cells)).transpose(1, 2).flatten(0, 1)
            tokens = self.time_mixer(
                x_spatial=tokens, x_temporal=mixed, image_only_indicator=image_only_indicator
            )
        return self._feature_map(tokens, x)
