"""CLIP objects for plugins: tokenize, encode, patches and hooks on a frozen `Clip`."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from engine.compat.parts import text_models, tokenizers
from engine.compat.parts.flow_text_models import FluxClipModel, SD3ClipModel
from engine.compat.parts.hooks import HookGroup
from engine.compat.parts.part_patcher import PartPatcher
from engine.compat.parts.text_models import TextModel
from engine.compat.parts.text_names import SHORT_NAMES, host_name
from engine.inference.hook_groups import clip_times, clip_with
from engine.inference.values import Clip, ClipHooks, TextPart


class CLIP:
    """Text encoders as plugins use them.

    Attributes:
        cond_stage_model: the encoders; tokenizer: their tokenizers.
        patcher: collects patches.
        layer_idx: the clip skip, -1 the last layer, or None.
        use_clip_schedule: whether a prompt is encoded once for each keyframe of its hooks.
        apply_hooks_to_conds: the hooks that entries pass to the sampler, or None.
        tokenizer_options: passed to tokenizers.
    """

    def __init__(
        self,
        target: Any = None,
        embedding_directory: Any = None,
        no_init: bool = False,
        tokenizer_data: Mapping[str, Any] | None = None,
        parameters: int = 0,
        model_options: Mapping[str, Any] | None = None,
        state_dict: Any = None,
        **_: Any,
    ) -> None:
        """Make an empty one, to be filled by a plugin; `of_value` makes those of the engine."""
        del tokenizer_data, parameters, state_dict, embedding_directory, model_options
        self.layer_idx: int | None = None
        self.use_clip_schedule = False
        self.apply_hooks_to_conds: Any = None
        self.tokenizer_options: dict[str, Any] = {}
        self._value: Clip | None = None
        if not no_init:
            name = getattr(getattr(target, "clip", None), "__name__", "no target")
            raise NotImplementedError(
                f"CLIP({name}): text encoders of a plugin's own cannot be built here; load them "
                "with comfy.sd.load_clip or load_text_encoder_state_dicts"
            )

    @classmethod
    def of_value(cls, value: Clip) -> CLIP:
        """The object of a CLIP value; the value is unchanged whatever happens to the object."""
        made = cls(no_init=True)
        made._value = value
        made.layer_idx = value.layer
        made.use_clip_schedule = value.hooks.scheduled
        made.tokenizer = tokenizer_of(value)
        handles = {n: (p.weights, partial(host_name, encoder=n)) for n, p in value.parts.items()}
        made.patcher = PartPatcher(made._bound_model, handles)
        made.patcher.is_clip = True
        made._model = made._encoders()
        if value.hooks.group:
            group = HookGroup.of_value(value.hooks.group)
            made.patcher.forced_hooks = group
            made.apply_hooks_to_conds = group if value.hooks.to_entries else None
        return made

    tokenizer: Any

    @property
    def patcher(self) -> Any:
        """See the class."""
        return self._patcher

    @patcher.setter
    def patcher(self, patcher: Any) -> None:
        # A pack may have given a clone its own class: the engine calls what that lacks.
        own = vars(patcher).get("part_patcher")
        if own is not None:
            patcher.__class__ = own
        self._patcher = patcher

    _model: Any

    def _encoders(self) -> TextModel:
        return encoders_class(self._given).of(self.current)

    @property
    def _given(self) -> Clip:
        if self._value is None:
            raise NotImplementedError("this CLIP has no weights; load one")
        return self._value

    def _bound_model(self) -> Any:
        if isinstance(self._model, TextModel):
            self._model.bind(self.current)
        return self._model

    @property
    def cond_stage_model(self) -> Any:
        """The text encoders, with this object's patches from now on."""
        return self._bound_model()

    @cond_stage_model.setter
    def cond_stage_model(self, model: Any) -> None:
        self._model = model

    def current(self) -> Clip:
        """The value with the patches and the layer, without hooks."""
        value = self._given
        parts: dict[str, TextPart] = {}
        for name, part in value.parts.items():
            weights = self.patcher.patched(name)
            parts[name] = part if weights is part.weights else replace(part, weights=weights)
        same = all(parts[name] is part for name, part in value.parts.items())
        if same and self.layer_idx == value.layer and not value.hooks.group:
            return value
        return replace(value, parts=parts, layer=self.layer_idx, hooks=ClipHooks())

    def to_value(self) -> Clip:
        """The frozen value; the very one it was made from if nothing was changed.

        Raises:
            NotImplementedError: an attribute of the encoders was replaced, which a value cannot
                pass on.
        """
        value, hooks = self.current(), self._hooks()
        if self.patcher.object_patches:
            names = ", ".join(self.patcher.object_patches)
            raise NotImplementedError(
                f"a plugin replaced {names} of a CLIP and passed it on to other nodes, which does "
                "not work here yet; encode the prompt with the plugin's own node"
            )
        if value is self._value:
            return value
        original = self._given
        if hooks == original.hooks and replace(value, hooks=hooks) == original:
            return original
        return replace(value, hooks=hooks)

    def _hooks(self) -> ClipHooks:
        group = self.patcher.forced_hooks
        if group is None:
            return ClipHooks()
        return ClipHooks(
            group.to_value(),
            to_entries=self.apply_hooks_to_conds is not None,
            scheduled=self.use_clip_schedule,
        )

    def clone(self, **_: Any) -> CLIP:
        """A copy with patches, layer and hooks of its own, and the same weights."""
        made = copy.copy(self)
        made.tokenizer_options = dict(self.tokenizer_options)
        made.patcher = self.patcher.rebound(made._bound_model)
        return made

    def add_patches(
        self,
        patches: Mapping[Any, Any],
        strength_patch: float = 1.0,
        strength_model: float = 1.0,
    ) -> list[Any]:
        """See `PartPatcher.add_patches`."""
        return self.patcher.add_patches(patches, strength_patch, strength_model)

    def set_tokenizer_option(self, option_name: str, value: Any) -> None:
        """Set an option of the tokenizers, such as `disable_weights`."""
        self.tokenizer_options[option_name] = value

    def clip_layer(self, layer_idx: int) -> None:
        """Use the output of another layer: -1 the last, -2 the one before."""
        self.layer_idx = layer_idx

    def tokenize(self, text: str, return_word_ids: bool = False, **kwargs: Any) -> Any:
        """Chunks of `(token, weight)`, or `(token, weight, word id)`, by encoder: `l`, `g` ..."""
        options = kwargs.pop("tokenizer_options", {})
        if self.tokenizer_options or options:
            kwargs["tokenizer_options"] = {**self.tokenizer_options, **options}
        return self.tokenizer.tokenize_with_weights(text, return_word_ids, **kwargs)

    def encode(self, text: str) -> Tensor:
        """The states [1, T, D] of a prompt."""
        return self.encode_from_tokens(self.tokenize(text))

    def encode_from_tokens(
        self, tokens: Any, return_pooled: bool | str = False, return_dict: bool = False
    ) -> Any:
        """The states [1, T, D] of tokens.

        Args:
            tokens: of `tokenize`.
            return_pooled: return (states, pooled) instead; `unprojected` for the pooled output
                before its projection.
            return_dict: return `{"cond": states, "pooled_output": pooled, ...}` instead.
        """
        value = self.current()
        hooks = self._hooks()
        if hooks.group:
            _, multipliers = clip_times(replace(hooks, scheduled=False))[0]
            value = clip_with(value, hooks.group, multipliers)
        cond, pooled, extras = self._encoded(
            value, tokens, unprojected=return_pooled == "unprojected"
        )
        if return_dict:
            found = {"cond": cond, "pooled_output": pooled, **extras}
            return self.add_hooks_to_dict(found)
        return (cond, pooled) if return_pooled else cond

    def encode_from_tokens_scheduled(
        self,
        tokens: Any,
        unprojected: bool = False,
        add_dict: Mapping[str, Any] | None = None,
        show_pbar: bool = True,
    ) -> list[list[Any]]:
        """Tokens as CONDITIONING, one entry, or one for each keyframe of scheduled hooks."""
        del show_pbar
        value, hooks = self.current(), self._hooks()
        times = clip_times(hooks) if hooks.group else [({}, [])]
        entries: list[list[Any]] = []
        for time, multipliers in times:
            hooked = clip_with(value, hooks.group, multipliers) if hooks.group else value
            cond, pooled, extras = self._encoded(hooked, tokens, unprojected=unprojected)
            found = {"pooled_output": pooled, **extras, **(add_dict or {}), **time}
            entries.append([cond, self.add_hooks_to_dict(found)])
        return entries

    def add_hooks_to_dict(self, pooled_dict: dict[str, Any]) -> dict[str, Any]:
        """The dictionary of an entry with the hooks for the sampler."""
        if self.apply_hooks_to_conds is not None:
            pooled_dict["hooks"] = self.apply_hooks_to_conds
        return pooled_dict

    def _encoded(
        self, value: Clip, tokens: Any, *, unprojected: bool
    ) -> tuple[Tensor, Tensor | None, dict[str, Any]]:
        """(states, pooled, further keys) with the weights of `value`."""
        model = self._model
        if not isinstance(model, TextModel):  # a plugin's own
            found = model.encode_token_weights(tokens)
        else:
            model.bind(lambda: value)
            model.reset_clip_options()
            if self.layer_idx is not None:
                model.set_clip_options({"layer": self.layer_idx})
            if unprojected:
                model.set_clip_options({"projected_pooled": False})
            try:
                with _replaced(model, self.patcher.object_patches):
                    found = model.encode_token_weights(tokens)
            finally:
                model.bind(self.current)
        cond, pooled, *more = found
        return cond, pooled, dict(more[0]) if more else {}

    def load_model(self, tokens: Any = None) -> Any:
        """The patcher. The engine loads weights when they are used."""
        del tokens
        self._bound_model()
        return self.patcher

    def get_sd(self) -> dict[str, Tensor]:
        """Every tensor with its patches, as `clip_l.transformer.text_model...`; read now."""
        return self.cond_stage_model.state_dict()

    def load_sd(self, sd: Mapping[str, Any], full_model: bool = False) -> Any:
        """Overwrite weights: refused, because other nodes share them."""
        del full_model
        return self.cond_stage_model.load_sd(sd)

    def get_key_patches(self) -> dict[str, list[Any]]:
        """See `PartPatcher.get_key_patches`."""
        return self.patcher.get_key_patches()

    def generate(self, *_: Any, **__: Any) -> Any:
        """Refused: none of our text encoders writes text."""
        raise NotImplementedError("the text encoders of this CLIP cannot generate text")


@contextmanager
def _replaced(model: Any, patches: Mapping[str, Any]) -> Iterator[None]:
    """Attributes of a model, by dotted names, replaced inside the `with`."""
    undo: list[tuple[Any, str, Any]] = []
    try:
        for name, value in patches.items():
            *steps, last = name.split(".")
            owner = model
            for step in steps:
                owner = getattr(owner, step)
            undo.append((owner, last, owner.__dict__.get(last, _replaced)))
            owner.__dict__[last] = value
        yield
    finally:
        for owner, last, old in reversed(undo):
            if old is _replaced:
                owner.__dict__.pop(last, None)
            else:
                owner.__dict__[last] = old


def encoders_class(value: Clip) -> type[TextModel]:
    """The class by which plugins tell families apart."""
    names = set(value.parts)
    if names == {"clip_l", "clip_g"}:
        return text_models.SDXLClipModel
    if names == {"clip_g"}:
        return text_models.SDXLRefinerClipModel
    if names == {"clip_h"}:
        return text_models.SD2ClipModel
    known = {"flux": FluxClipModel, "sd3": SD3ClipModel}
    kinds = [kind for name, kind in known.items() if name in value.plan.file_types]
    later = kinds[0] if kinds else text_models.TextModel
    return text_models.SD1ClipModel if names <= {"clip_l"} and not kinds else later


def tokenizer_of(value: Clip) -> Any:
    """The tokenizers of a CLIP value."""
    names = set(value.parts)
    if names <= {"clip_l", "clip_g"} and "clip_g" in names:
        made: Any = tokenizers.SDXLTokenizer()
    elif names == {"clip_h"}:
        made = tokenizers.SD2Tokenizer()
    elif names == {"clip_l"}:
        made = tokenizers.SD1Tokenizer()
    else:
        return _EngineTokenizer(value)
    for name, part in value.parts.items():
        if part.config is not None:
            getattr(made, name).embedding_size = part.encoder.width(part.config)
    return made


class _EngineTokenizer:
    """The tokenizers of encoders other than CLIP's."""

    def __init__(self, value: Clip) -> None:
        self._value = value

    def tokenize_with_weights(self, text: str, return_word_ids: bool = False, **_: Any) -> Any:
        """Chunks by encoder; words are counted as one."""
        found: dict[str, Any] = {}
        for name, part in self._value.parts.items():
            style = self._value.plan.styles[name]
            chunks = part.encoder.tokenize(part.config, text, None, style=style)
            listed = [list(chunk) for chunk in chunks]
            if return_word_ids:
                listed = [[(*item, 1) for item in chunk] for chunk in listed]
            found[SHORT_NAMES.get(name, name)] = listed
        return found
