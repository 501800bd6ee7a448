"""Hooks into a network: residuals of control networks, and patches of blocks.

Blocks are addressed as the ecosystem does: `("input", 4)`, `("middle", 0)`, `("output", 5)` for the
UNets, `("double_block", 3)` for later networks; a transformer in a block by one more number. A
network without hooks has no overhead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Protocol

from torch import Tensor

from engine.errors import NodeError

Place = tuple[str, int]
"""A block of a network: its part, and its number."""
Hook = Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """The outputs of control networks, in the order of the blocks after which they are added.

    Attributes:
        input: added to the skip connections, `input[i]` [B, C, h, w] after input block i. In
            transformers to the picture's tokens, [B, n, C] after block i of two streams.
        middle: added after the middle block.
        output: added to the skips where the decoder reads them: the last input block's first. In
            transformers after blocks of one stream.
    """

    input: Sequence[Tensor | None] = ()
    middle: Sequence[Tensor | None] = ()
    output: Sequence[Tensor | None] = ()

    def each(self, change: Callable[[Tensor], Tensor]) -> Residuals:
        """The residuals with `change` applied to each, once to one that is in several slots."""
        made: dict[int, Tensor] = {}

        def changed(slots: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
            for slot in slots:
                if slot is not None and id(slot) not in made:
                    made[id(slot)] = change(slot)
            return tuple(None if slot is None else made[id(slot)] for slot in slots)

        return Residuals(changed(self.input), changed(self.middle), changed(self.output))

    def plus(self, other: Residuals) -> Residuals:
        """The sum, slot by slot. Raises `NodeError` if their sizes differ."""
        return Residuals(
            _sums(self.input, other.input),
            _sums(self.middle, other.middle),
            _sums(self.output, other.output),
        )


def _sums(
    ours: Sequence[Tensor | None], theirs: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    # A residual that serves several blocks is in several slots.
    made: dict[tuple[int, int], Tensor | None] = {}
    pairs = list(zip_longest(ours, theirs))
    for one, other in pairs:
        key = id(one), id(other)
        if key not in made:
            made[key] = _sum(one, other)
    return tuple(made[id(one), id(other)] for one, other in pairs)


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    if one.shape != other.shape:
        raise NodeError(
            f"two control networks add {list(one.shape[1:])} and {list(other.shape[1:])} at one "
            "place (channels, rows, columns): they were made for different models; use those of "
            "the model's family"
        )
    return one + other


@dataclass(frozen=True, slots=True, eq=False)
class NetHooks:
    """Functions to call inside a network, by kind.

    The kinds and their arguments; `options` is the call's `transformer_options`: `attn1_patch`,
    `attn2_patch` `(q, k, v, options) -> (q, k, v)` before the projections; `attn1_output_patch`,
    `attn2_output_patch` `(out, options) -> out`; `middle_patch` `(tokens, options) -> tokens`
    between the two attentions of a transformer; `input_block_patch`,
    `input_block_patch_after_skip`, `middle_block_patch` `(h, options) -> h`; `output_block_patch`
    `(h, skip, options) -> (h, skip)`; `emb_patch` `(emb, channels, options) -> emb` of the time's
    embedding [B, E]; `forward_timestep_embed_patch`, pairs of a class and a function `(layer, x,
    emb, context, options, shape, None, frames, None) -> x`, which calls layers of that class that
    plugins add to blocks. A replacement of attention at a place is called `(q, k, v, options) ->
    out` with projected tokens, instead of the attention itself. `attn1_addition`, `attn2_addition`
    `(q, options) -> tokens` are added to its result before the output projection;
    None adds nothing.

    Transformers (FLUX and later) have replacements of whole blocks, of the kind `dit`, see
    `through_block`.

    Attributes:
        patches: by kind, in the order in which they were added.
        replacements: by kind (`attn1`, `attn2`) and place `(block, number, transformer)`; a place
            of `(block, number)` means all its transformers. By `dit` and place `(part, number)`.
        options: entries of `transformer_options` in addition to the network's own.
    """

    patches: Mapping[str, tuple[Hook, ...]] = field(default_factory=dict[str, tuple[Hook, ...]])
    replacements: Mapping[tuple[str, tuple[Any, ...]], Hook] = field(
        default_factory=dict[tuple[str, tuple[Any, ...]], Hook]
    )
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_empty(self) -> bool:
        """Whether there are no hooks."""
        return not self.patches and not self.replacements

    @property
    def all(self) -> tuple[Hook, ...]:
        """Every hook, patches first."""
        patches = (hook for hooks in self.patches.values() for hook in hooks)
        return (*patches, *self.replacements.values())

    def each(self, change: Callable[[Hook], Hook]) -> NetHooks:
        """The hooks with `change` applied to each."""
        patches = {kind: tuple(map(change, hooks)) for kind, hooks in self.patches.items()}
        replacements = {place: change(hook) for place, hook in self.replacements.items()}
        return NetHooks(patches, replacements, self.options)

    def plus(self, other: NetHooks) -> NetHooks:
        """These hooks, then others; the others' replacements and options win."""
        kinds = {**self.patches, **other.patches}
        patches = {kind: (*self.of(kind), *other.of(kind)) for kind in kinds}
        replacements = {**self.replacements, **other.replacements}
        return NetHooks(patches, replacements, {**self.options, **other.options})

    def of(self, kind: str) -> tuple[Hook, ...]:
        """The patches of a kind."""
        return self.patches.get(kind, ())

    def replacement(self, kind: str, place: Place, transformer: int) -> Hook | None:
        """The replacement of the attention of that kind at that place."""
        exact = self.replacements.get((kind, (*place, transformer)))
        return exact or self.replacements.get((kind, place))

    def with_patch(self, kind: str, hook: Hook) -> NetHooks:
        """The hooks with one more patch."""
        patches = {**self.patches, kind: (*self.of(kind), hook)}
        return NetHooks(patches, self.replacements, self.options)

    def with_replacement(self, kind: str, place: tuple[Any, ...], hook: Hook) -> NetHooks:
        """The hooks with a replaced attention at a place."""
        replacements = {**self.replacements, (kind, place): hook}
        return NetHooks(self.patches, replacements, self.options)

    def with_options(self, options: Mapping[str, Any]) -> NetHooks:
        """The hooks with additional options of one call."""
        return NetHooks(self.patches, self.replacements, {**self.options, **options})

    def options_at(self, part: str, number: int) -> dict[str, Any]:
        """`transformer_options` inside one block."""
        return {**self.options, "block": (part, number)}


def through_block(
    hooks: NetHooks | None,
    place: Place,
    inputs: Mapping[str, Any],
    block: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    """Call a block of a transformer, or what replaces it.

    Args:
        hooks: of the call.
        place: of the block, such as `("double_block", 3)`.
        inputs: the block's, under the ecosystem's names: `img` and `txt` (tokens), `vec` (the
            modulating vector), `pe` (the rotary embedding), `attn_mask`.
        block: the block, from such inputs to the tokens that change, `img` and maybe `txt`.
    """
    replacement = hooks.replacements.get(("dit", place)) if hooks else None
    if hooks is None or replacement is None:
        return block(inputs)
    given = {**inputs, "transformer_options": hooks.options_at(*place)}
    return replacement(given, {"original_block": block})


@dataclass(frozen=True, slots=True, eq=False)
class BlockHooks:
    """The hooks of one call for one block.

    Attributes:
        hooks: all of them.
        place: of the block.
        index: of the block's first transformer among all of the network.
        shape: of the feature map that the transformers see as tokens.
    """

    hooks: NetHooks
    place: Place
    index: int = 0
    shape: tuple[int, ...] = ()

    def shaped(self, shape: Sequence[int]) -> BlockHooks:
        """The same for a feature map of that shape."""
        return BlockHooks(self.hooks, self.place, self.index, tuple(shape))

    def options(self, transformer: int, attention: HookedAttention) -> dict[str, Any]:
        """`transformer_options` inside one transformer of the block."""
        return {
            **self.hooks.options_at(*self.place),
            "activations_shape": list(self.shape),
            "block_index": transformer,
            "transformer_index": self.index,
            "n_heads": attention.heads,
            "dim_head": attention.inner // attention.heads,
        }

    def between(self, transformer: int, tokens: Tensor, attention: HookedAttention) -> Tensor:
        """Apply the patches between the two attentions of one transformer."""
        for patch in self.hooks.of("middle_patch"):
            tokens = patch(tokens, self.options(transformer, attention))
        return tokens

    def attention(
        self,
        kind: str,
        transformer: int,
        tokens: tuple[Tensor, Tensor, Tensor],
        attention: HookedAttention,
    ) -> Tensor:
        """The attention of one transformer with its hooks.

        Args:
            kind: `attn1` (self-attention) or `attn2` (attention to the text).
            transformer: its index in the block.
            tokens: the inputs of query, key and value, each [B, N, C].
            attention: the module.
        """
        options = self.options(transformer, attention)
        for patch in self.hooks.of(f"{kind}_patch"):
            tokens = patch(*tokens, options)
        replacement = self.hooks.replacement(kind, self.place, transformer)

        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            found = (replacement or attention.attend)(query, key, value, options)
            for addition in self.hooks.of(f"{kind}_addition"):
                added = addition(query, options)
                found = found if added is None else found + added
            return found

        found = attention(*tokens, attend)
        for patch in self.hooks.of(f"{kind}_output_patch"):
            found = patch(found, options)
        return found


class HookedAttention(Protocol):
    """The interface of an attention that can be patched."""

    heads: int
    inner: int

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, attend: Hook) -> Tensor:
        """Project tokens [B, N, C], call `attend` with the results, and project what it returns.

        A call of the module itself, because its weights may be on the device for its calls only.
        """
        ...

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, options: Mapping[str, Any]
    ) -> Tensor:
        """Attend with projected tokens; returns [B, N, inner]."""
        ...
