"""Text encoders as plugins see them: `clip.cond_stage_model`, and the encoders in it.

The objects of a CLIP value share their weights with the engine, which loads them for each call.
Objects that a plugin makes itself have no weights; they can be compared and subclassed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from engine.compat.parts.interrupts import checkpoint
from engine.compat.parts.prompt_text import gen_empty_tokens
from engine.compat.parts.text_names import SHORT_NAMES, host_name
from engine.inference.adapters import sources_of
from engine.inference.encode import encode_part
from engine.inference.saving import tensors_of
from engine.inference.values import Clip, TextPart
from engine.residency.manager import current
from engine.text.encoder import Encoded, TextStyle
from engine.text.tokens import END

Bound = Callable[[], Clip]
"""The CLIP value whose weights apply now."""
TokenPairs = Sequence[Sequence[Any]]
"""Chunks of `(token, weight)`; further items are ignored."""


class ClipTokenWeightEncoder:
    """Weights of tokens on top of `encode(tokens) -> (states, pooled)`, which subclasses have."""

    special_tokens: Mapping[str, Any] = {}

    def encode_token_weights(self, token_weight_pairs: TokenPairs) -> tuple[Any, ...]:
        """(states [1, T, D], pooled of the first chunk) of chunks of `(token, weight)`.

        A weight moves a token's state away from, or towards, that of an empty prompt.
        """
        tokens = [[pair[0] for pair in chunk] for chunk in token_weight_pairs]
        weights = [[float(pair[1]) for pair in chunk] for chunk in token_weight_pairs]
        is_weighted = any(weight != 1.0 for chunk in weights for weight in chunk)
        asked = list(tokens)
        if is_weighted or not tokens:
            longest = max((len(chunk) for chunk in tokens), default=77)
            asked.append(gen_empty_tokens(self.special_tokens, longest))
        states, pooled, *more = self.encode(asked)  # pyright: ignore[reportAttributeAccessIssue]
        first = None if pooled is None else pooled[:1].cpu()
        if not tokens:
            return (states[-1:].cpu(), first, *more)
        count = len(tokens)
        if is_weighted:
            factors = torch.tensor(weights, dtype=states.dtype, device=states.device)[..., None]
            empty = states[-1:]
            moved = (states[:count] - empty) * factors + empty
            states = torch.where(factors == 1, states[:count], moved)
        joined = states[:count].reshape(1, -1, states.shape[-1])
        return (joined.cpu(), first, *more)


class SDClipModel(nn.Module, ClipTokenWeightEncoder):
    """One text encoder.

    Attributes:
        layer: `last` or `hidden`; layer_idx: the layer whose output is used, or None.
        max_length: of a chunk.
        special_tokens: numbers of `start`, `end` and `pad`.
    """

    LAYERS = ("last", "pooled", "hidden", "all")

    def __init__(
        self,
        device: Any = "cpu",
        max_length: int = 77,
        freeze: bool = True,
        layer: str = "last",
        layer_idx: int | None = None,
        textmodel_json_config: Any = None,
        dtype: torch.dtype | None = None,
        model_class: Any = None,
        special_tokens: Mapping[str, Any] | None = None,
        layer_norm_hidden_state: bool = True,
        enable_attention_masks: bool = False,
        zero_out_masked: bool = False,
        return_projected_pooled: bool = True,
        return_attention_masks: bool = False,
        model_options: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        del device, freeze, textmodel_json_config, model_class, model_options
        nn.Module.__init__(self)
        self.max_length = max_length
        self.layer, self.layer_idx = layer, layer_idx
        self.dtype = dtype or torch.float32
        start_end_pad = {"start": 49406, "end": END, "pad": END}
        self.special_tokens = dict(start_end_pad if special_tokens is None else special_tokens)
        self.layer_norm_hidden_state = layer_norm_hidden_state
        self.enable_attention_masks = enable_attention_masks
        self.zero_out_masked = zero_out_masked
        self.return_projected_pooled = return_projected_pooled
        self.return_attention_masks = return_attention_masks
        self.options_default = (layer, layer_idx, return_projected_pooled)
        self.execution_device: Any = None
        self._layer: int | None = None
        self._name = ""
        self._bound: Bound | None = None

    @classmethod
    def of(cls, name: str, bound: Bound) -> SDClipModel:
        """The encoder of that name of whichever CLIP value is bound."""
        part, style = bound().parts[name], bound().plan.styles[name]
        hidden = style.layer != -1
        chunks = getattr(part.encoder, "chunks", None)
        tokens = {"start": chunks.start, "end": chunks.end, "pad": chunks.pad} if chunks else None
        made = cls(
            max_length=chunks.length if chunks else 77,
            layer="hidden" if hidden else "last",
            layer_idx=style.layer if hidden else None,
            dtype=current().dtype_of(part.weights),
            special_tokens=tokens,
            layer_norm_hidden_state=style.normalised,
            return_projected_pooled=style.projected,
        )
        made._name, made._bound = name, bound
        return made

    @property
    def part(self) -> TextPart:
        """The encoder with the patches that apply now."""
        if self._bound is None:
            raise NotImplementedError(
                f"{type(self).__name__} was made by a plugin and has no weights: text encoders "
                "other than those of a loaded CLIP cannot be built here; please tell us which "
                "plugin needs it, at the issue tracker that README.md names"
            )
        return self._bound().parts[self._name]

    @property
    def transformer(self) -> nn.Module:
        """The network; its tensors hold values only while the engine uses it."""
        return self.part.weights.module

    @property
    def num_layers(self) -> int:
        """The number of layers."""
        return int(getattr(self.part.config, "layers", 0))

    def set_clip_options(self, options: Mapping[str, Any]) -> None:
        """Choose a layer (`layer`, -1 the last), and whether pooled is projected."""
        self.execution_device = options.get("execution_device", self.execution_device)
        layer = options.get("layer", self._layer)
        self.return_projected_pooled = options.get("projected_pooled", self.return_projected_pooled)
        if layer is None or self.layer == "all":
            return
        self._layer = int(layer)
        self.layer, self.layer_idx = "hidden", self._layer
        if abs(self._layer) > self.num_layers:
            self.layer = "last"

    def reset_clip_options(self) -> None:
        """Undo `set_clip_options`."""
        self.layer, self.layer_idx, self.return_projected_pooled = self.options_default
        self._layer, self.execution_device = None, None

    def encode_token_weights(self, token_weight_pairs: TokenPairs) -> tuple[Any, ...]:
        """(states [1, T, D], pooled or None) of chunks of `(token, weight)`; on the CPU."""
        if self._bound is None:
            return ClipTokenWeightEncoder.encode_token_weights(self, token_weight_pairs)
        chunks = [[plain_pair(pair) for pair in chunk] for chunk in token_weight_pairs]
        found = self.encoded(chunks)
        more = () if found.mask is None else ({"attention_mask": found.mask},)
        return (found.states, found.pooled, *more)

    def encoded(self, chunks: Any) -> Encoded:
        """The engine's result for chunks of `(token, weight)`."""
        part = self.part
        if not chunks:
            chunks = [part.encoder.empty(part.config, self._style())]
        plan: TextStyle = self._style()
        return encode_part(part, plan, chunks, layer=self._layer, checkpoint=checkpoint)

    def _style(self) -> TextStyle:
        if self._bound is None:
            return TextStyle()
        return replace(
            self._bound().plan.styles[self._name],
            normalised=self.layer_norm_hidden_state,
            projected=self.return_projected_pooled,
        )

    def encode(self, tokens: Sequence[Sequence[Any]]) -> tuple[Tensor, Tensor | None]:
        """(states [B, T, D], pooled [B, P] or None) of chunks of tokens, each by itself."""
        each = [self.encoded([[plain_pair((token, 1.0)) for token in chunk]]) for chunk in tokens]
        pooled = [one.pooled for one in each if one.pooled is not None]
        return torch.cat([one.states for one in each]), torch.cat(pooled) if pooled else None

    def forward(self, tokens: Sequence[Sequence[Any]]) -> tuple[Tensor, Tensor | None]:
        """See `encode`."""
        return self.encode(tokens)

    def encode_with_transformers(self, tokens: Sequence[Sequence[Any]]) -> Any:
        """See `encode`."""
        return self(tokens)

    def gen_empty_tokens(self, special_tokens: Mapping[str, Any], length: int) -> list[Any]:
        """See `prompt_text.gen_empty_tokens`."""
        return gen_empty_tokens(special_tokens, length)

    def state_dict(self, *_: Any, prefix: str = "", **__: Any) -> dict[str, Tensor]:
        """Every tensor with its patches, under the names of `add_patches`; read now."""
        if self._bound is None:
            return {}
        tensors = tensors_of(self.part.weights)
        theirs = {name: host_name(name, self._name) for name in tensors}
        return {f"{prefix}{theirs[name]}": each.values() for name, each in tensors.items()}

    def tensor_names(self) -> list[str]:
        """The keys of `state_dict`; reads nothing."""
        if self._bound is None:
            return []
        return [host_name(name, self._name) for name in sources_of(self.part.weights)]

    def load_sd(self, sd: Mapping[str, Any]) -> Any:
        """Refused, because weights are shared by every node that uses them."""
        raise NotImplementedError(
            "a text encoder's weights cannot be overwritten in place; use load_clip, or add_patches"
        )


def plain_pair(pair: Sequence[Any]) -> tuple[int | Tensor, float]:
    """A plugin's item of a chunk as the engine takes it."""
    token, weight = pair[0], float(pair[1])
    if isinstance(token, Mapping):
        token = token.get("data")
    if isinstance(token, Tensor):
        return (int(token), weight) if token.ndim == 0 else (token.reshape(-1), weight)
    if isinstance(token, list | tuple):
        return torch.tensor(token, dtype=torch.float32), weight
    return int(token), weight  # pyright: ignore[reportArgumentType]


class TextModel(nn.Module):
    """All text encoders of a CLIP object, as attributes by name (`clip_l`, `clip_g` ...)."""

    def __init__(self, device: Any = "cpu", dtype: Any = None, **_: Any) -> None:
        del device
        nn.Module.__init__(self)
        self.dtypes = {dtype} if dtype is not None else set[Any]()
        self._bound: Bound | None = None

    @classmethod
    def of(cls, bound: Bound) -> TextModel:
        """The encoders of whichever CLIP value is bound."""
        made = cls()
        made.bind(bound)
        for name, part in bound().parts.items():
            if not part.weights.is_missing:
                setattr(made, name, SDClipModel.of(name, made.value))
                made.dtypes.add(getattr(made, name).dtype)
        return made

    def bind(self, bound: Bound) -> None:
        """Use the weights and patches of another CLIP value of the same encoders."""
        self._bound = bound

    def value(self) -> Clip:
        """The CLIP value whose weights apply now."""
        if self._bound is None:
            raise NotImplementedError(
                f"{type(self).__name__} was made by a plugin and has no weights; load a CLIP"
            )
        return self._bound()

    @property
    def encoders(self) -> dict[str, SDClipModel]:
        """The encoders by name."""
        return {n: one for n, one in self.named_children() if isinstance(one, SDClipModel)}

    def set_clip_options(self, options: Mapping[str, Any]) -> None:
        """See `SDClipModel`."""
        for each in self.encoders.values():
            each.set_clip_options(options)

    def reset_clip_options(self) -> None:
        """See `SDClipModel`."""
        for each in self.encoders.values():
            each.reset_clip_options()

    def clip_layer(self, layer_idx: int) -> None:
        """Use the output of another layer."""
        self.set_clip_options({"layer": layer_idx})

    def encode_token_weights(self, token_weight_pairs: Mapping[str, Any]) -> tuple[Any, ...]:
        """(tensor [1, T, D], pooled or None[, further keys of the entry]) of tokens by key."""
        value = self.value()
        encoders = {n: e for n, e in self.encoders.items() if n in value.plan.styles}
        if not encoders and value.parts:
            _ = next(iter(value.parts.values())).weights.module  # raises: says what is missing
        # As they came: what replaced an encoder's function may read word ids.
        tokens = {name: list(self._tokens(name, token_weight_pairs)) for name in encoders}
        if value.plan.even:
            tokens = _even(value, tokens)
        encoded: dict[str, Encoded] = {}
        for name, encoder in encoders.items():
            states, pooled, *more = encoder.encode_token_weights(tokens[name])
            mask = more[0].get("attention_mask") if more and isinstance(more[0], Mapping) else None
            encoded[name] = Encoded(states, pooled, mask)
        if value.plan.even:
            encoded = _of_one_length(encoded)
        tensor, extras = value.plan.combine(encoded)
        pooled = extras.pop("pooled_output", None)
        return (tensor, pooled, extras) if extras else (tensor, pooled)

    def _tokens(self, name: str, pairs: Mapping[str, Any]) -> Any:
        for key in (SHORT_NAMES.get(name, name), name):
            if key in pairs:
                return pairs[key]
        part = self.value().parts[name]
        return [part.encoder.empty(part.config, self.value().plan.styles[name])]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """See `encode_token_weights`."""
        return self.encode_token_weights(*args, **kwargs)

    def state_dict(self, *_: Any, prefix: str = "", **__: Any) -> dict[str, Tensor]:
        """Every tensor with its patches, as `clip_l.transformer.text_model...`; read now."""
        found: dict[str, Tensor] = {}
        for name, encoder in self.encoders.items():
            found |= encoder.state_dict(prefix=f"{prefix}{name}.")
        return found

    def tensor_names(self) -> list[str]:
        """The keys of `state_dict`; reads nothing."""
        return [f"{name}.{n}" for name, one in self.encoders.items() for n in one.tensor_names()]

    def load_sd(self, sd: Mapping[str, Any]) -> Any:
        """See `SDClipModel`."""
        return next(iter(self.encoders.values())).load_sd(sd)


def _even(value: Clip, tokens: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The same number of chunks for every encoder: shorter ones get empty chunks."""
    most = max(len(chunks) for chunks in tokens.values())
    found: dict[str, list[Any]] = {}
    for name, chunks in tokens.items():
        part = value.parts[name]
        marks = (0,) if chunks and len(chunks[0][0]) > 2 else ()
        empty = [
            (*pair, *marks) for pair in part.encoder.empty(part.config, value.plan.styles[name])
        ]
        found[name] = [*chunks, *[empty] * (most - len(chunks))]
    return found


def _of_one_length(encoded: dict[str, Encoded]) -> dict[str, Encoded]:
    """Encoders whose outputs are joined, cut to the shortest."""
    least = min((one.states.shape[1] for one in encoded.values()), default=0)
    if all(one.states.shape[1] == least for one in encoded.values()):
        return encoded
    return {n: Encoded(e.states[:, :least], e.pooled, e.mask) for n, e in encoded.items()}


class SD1ClipModel(TextModel):
    """The text encoder of Stable Diffusion 1."""


class SD1CheckpointClipModel(SDClipModel):
    """A text encoder by itself."""


class SD2ClipModel(SD1ClipModel):
    """The text encoder of Stable Diffusion 2."""


class SD2ClipHModel(SDClipModel):
    """CLIP H."""


class SDXLClipG(SDClipModel):
    """CLIP bigG."""


class SDXLClipModel(TextModel):
    """The text encoders of Stable Diffusion XL."""


class SDXLRefinerClipModel(SD1ClipModel):
    """The text encoder of SDXL's refiner."""


class StableCascadeClipModel(SD1ClipModel):
    """The text encoder of Stable Cascade, which no model of ours uses."""


class StableCascadeClipG(SDClipModel):
    """CLIP bigG as Stable Cascade uses it."""
